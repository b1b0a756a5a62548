"""What a model takes of an accelerator: whether it fits, told from its shapes alone, and its bits."""

from math import ceil
from typing import get_args

from gatewright.errors import CapacityError
from gatewright.flow.settings import Shape
from gatewright.hw.compiler import Mode, compile_bundle, smallest_config
from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.sw.bundle import Bundle
from gatewright.sw.network import LstmNetwork
from gatewright.sw.spec import CompressionSpec, uniform_spec

DEFAULT_LANES = CompressionSpec.lanes
MOST_LANES = 512
"""Of one group: what patterns can be balanced for."""


def spec_of(network: LstmNetwork, shape: Shape) -> CompressionSpec:
    """Return what a network is to become, with lanes that hold it.

    Raises
    ------
    CapacityError
        No accelerator of so many lanes holds it; the text says what does.
    """
    wanted = shape.lanes
    lanes = DEFAULT_LANES if wanted is None else wanted
    while True:
        spec = uniform_spec(
            network, shape.density, shape.bits, lanes, shape.rank, shape.activation_bits, shape.columns
        )
        short = shortage(network, spec)
        if not short:
            return spec
        if wanted is not None or lanes == MOST_LANES:
            advice = "fewer bits, a smaller --density or a --rank"
            more = f"more --lanes than {lanes}, " if lanes < MOST_LANES else ""
            raise CapacityError(f"the model does not fit {lanes} lanes: {short}; use {more}{advice}")
        lanes *= 2


def shortage(network: LstmNetwork, spec: CompressionSpec) -> str:
    """Say which memory of the largest accelerator a model needs more of; nothing where it may fit.

    A lower bound: patterns that are known after training only may need more.
    """
    words = 0
    for name, product in network.products().items():
        wanted = spec.products[name]
        per_word = WEIGHT_BITS // wanted.bits
        if wanted.rank is None:
            weights = product.rows * product.columns
        else:
            weights = wanted.rank * (product.rows + product.columns)
        words += ceil(weights * wanted.density / (per_word * spec.lanes))
    deepest = AcceleratorConfig.range_of("weight_depth")[1]
    if words > deepest:
        return (
            f"its weights take {words:,} words of 8 bits in each lane, and a lane holds at most {deepest:,}"
        )
    rows = max(ceil(4 * layer.hidden_size / spec.lanes) for layer in network.layers)
    most = AcceleratorConfig.range_of("accumulator_rows")[1]
    if rows > most:
        return f"{rows} rows of accumulators in each lane, of at most {most}"
    return ""


def usual_lanes(network: LstmNetwork) -> int:
    """Return the lanes for a network: the fewest from 32 up that hold it, or as many as a small one has rows.

    Raises
    ------
    CapacityError
        No accelerator holds it.
    """
    rows = min(layer.recurrent.rows for layer in network.layers)
    return min(spec_of(network, Shape()).lanes, 1 << (rows.bit_length() - 1))


def stored_bits(bundle: Bundle, lanes: int) -> int:
    """Return the bits of a bundle's image on the smallest accelerator of so many lanes, in the mode that needs fewer.

    Raises
    ------
    CapacityError, ConfigError
        No accelerator of so many lanes holds it.
    """
    return min(_stored_bits(bundle, mode, lanes) for mode in get_args(Mode))


def _stored_bits(bundle: Bundle, mode: Mode, lanes: int) -> int:
    cell_lanes = min(AcceleratorConfig.cell_lanes, lanes // 4)
    config = smallest_config([(bundle, mode)], lanes=lanes, cell_lanes=cell_lanes)
    compiled = compile_bundle(bundle, config, mode=mode, hidden_results="none" if bundle.head else "last")
    return sum(compiled.image.stored_bits(config).values())
