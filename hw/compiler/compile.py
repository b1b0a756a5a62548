"""Compile a bundle for a configuration, or find the configuration that a bundle needs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.compiler.image import Compiled, Image
from gatewright.hw.compiler.pack import Mode, pack
from gatewright.hw.compiler.schedule import Builder
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import When
from gatewright.sw.bundle import Bundle
from gatewright.sw.rows import gate_rows, plain_rows

_UNIT = {
    "weight_depth": "words per lane",
    "index_depth": "entries per lane",
    "accumulator_rows": "accumulators per lane",
    "activation_depth": "elements",
    "bias_depth": "groups",
    "state_depth": "groups",
    "program_depth": "ops",
}


def compile_bundle(
    bundle: Bundle,
    config: AcceleratorConfig,
    *,
    mode: Mode,
    hidden_results: bool = False,
    logit_results: bool = True,
) -> Compiled:
    """Turn a bundle into an image and a program.

    Parameters
    ----------
    bundle : Bundle
        The integer model.
    config : AcceleratorConfig
        The hardware.
    mode : "dense" or "sparse"
        How the LSTM matrices are stored and computed; the head is dense. Results do not depend on it.
    hidden_results : bool
        Send the last layer's hidden vector to the output in every step.
    logit_results : bool
        Send the logits behind the last step.

    Raises
    ------
    ConfigError
        The configuration computes with another activation width, or nothing is to be sent.
    CapacityError
        The model does not fit a memory; the text says by how much.
    """
    if bundle.input_format.bits != config.activation_bits:
        raise ConfigError(
            f"the bundle's activations have {bundle.input_format.bits} bits, the accelerator's "
            f"{config.activation_bits}; set activation_bits or quantise the model again"
        )
    if mode not in ("dense", "sparse"):
        raise ConfigError(f"mode must be 'dense' or 'sparse', not {mode!r}")
    if not (hidden_results or logit_results):
        raise ConfigError("at least one of hidden_results and logit_results must be set")
    image, demands = _build(bundle, config, mode, hidden_results, logit_results)
    _check_capacity(demands, config)
    last = bundle.layers[-1]
    return Compiled(
        config=config,
        image=image,
        input_size=bundle.input_size,
        hidden_size=last.hidden_size,
        classes=bundle.head.matrix.rows,
        input_format=bundle.input_format,
        hidden_results=hidden_results,
        logit_results=logit_results,
        input_macs=sum(int(np.count_nonzero(layer.input.values)) for layer in bundle.layers),
        recurrent_macs=sum(int(np.count_nonzero(layer.recurrent.values)) for layer in bundle.layers),
    )


def smallest_config(
    models: Sequence[tuple[Bundle, Mode]], *, lanes: int, cell_lanes: int
) -> AcceleratorConfig:
    """Give the configuration with the smallest power-of-two memories that hold each of some models.

    Parameters
    ----------
    models : sequence of (Bundle, "dense" or "sparse")
        What must fit, one at a time; all with the same activation width.
    lanes, cell_lanes : int
        As in `AcceleratorConfig`.

    Raises
    ------
    ConfigError
        No legal configuration holds the bundle.
    """
    widths = {bundle.input_format.bits for bundle, _ in models}
    if len(widths) != 1:
        raise ConfigError(f"the models must share one activation width, not {sorted(widths)}")
    config = AcceleratorConfig(lanes=lanes, cell_lanes=cell_lanes, activation_bits=widths.pop())
    needs = [_build(bundle, config, mode, True, True)[1] for bundle, mode in models]
    smallest = {}
    for name in _UNIT:
        need = max(16 if name.endswith("depth") else 2, *(demands[name] for demands in needs))
        smallest[name] = 1 << (need - 1).bit_length()
    return replace(config, **smallest)


def _build(
    bundle: Bundle, config: AcceleratorConfig, mode: Mode, hidden_results: bool, logit_results: bool
) -> tuple[Image, dict[str, int]]:
    """Place and schedule one time step; also gives how much of each memory it needs."""
    try:
        return _schedule(bundle, config, mode, hidden_results, logit_results)
    except ConfigError as error:
        raise CapacityError(
            f"the model is too large for any accelerator of {config.lanes} lanes: {error}"
        ) from error


def _schedule(
    bundle: Bundle, config: AcceleratorConfig, mode: Mode, hidden_results: bool, logit_results: bool
) -> tuple[Image, dict[str, int]]:
    builder = Builder(config)
    rows = [0]
    source = builder.input(bundle.input_size)
    for layer in bundle.layers:
        placement = gate_rows(layer.hidden_size, config.lanes)
        hidden = builder.vector(layer.hidden_size)
        builder.matvec(pack(layer.input, placement, config.lanes, mode), source, layer.input_shift)
        builder.matvec(
            pack(layer.recurrent, placement, config.lanes, mode), hidden, layer.recurrent_shift, When.CARRIED
        )
        builder.cell(layer.bias, layer.hidden_size, hidden, layer.requantise_shift)
        rows.append(int(placement[1].max()) + 1)
        source = hidden
    if hidden_results:
        builder.output(source, bundle.layers[-1].hidden_size)
    if logit_results:
        placement = plain_rows(bundle.head.matrix.rows, config.lanes)
        builder.matvec(pack(bundle.head.matrix, placement, config.lanes, "dense"), source, 0, When.LAST)
        builder.logits(bundle.head.bias)
        rows.append(int(placement[1].max()) + 1)
    image = builder.image()
    demands = {
        "weight_depth": image.weights.shape[1],
        "index_depth": image.indices.shape[1],
        "accumulator_rows": max(rows),
        "activation_depth": builder.activations,
        "bias_depth": len(image.biases),
        "state_depth": builder.states,
        "program_depth": len(image.program),
    }
    return image, demands


def _check_capacity(demands: dict[str, int], config: AcceleratorConfig) -> None:
    short = [
        f"{name}: needs {need:,} {_UNIT[name]}, has {getattr(config, name):,} "
        f"({need - getattr(config, name):,} too few)"
        for name, need in demands.items()
        if need > getattr(config, name)
    ]
    if short:
        raise CapacityError(
            "the model does not fit the accelerator: " + "; ".join(short) + "; raise these values of the "
            "configuration, use more lanes, or compress the model further"
        )
