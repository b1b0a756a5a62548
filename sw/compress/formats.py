"""Choosing formats: the best power-of-two scale of given values, and the scales that a layer can take together."""

from collections.abc import Mapping

import numpy as np

from gatewright.sw.network import LstmNetwork
from gatewright.sw.numbers import MAX_ALIGNMENT, STATE, Fixed, hidden_format
from gatewright.sw.products import MAX_SHIFT

FINEST = 16
"""Most fractional bits that calibration gives; finer steps would vanish behind those of `STATE`."""

COARSEST = -32
"""Fewest fractional bits of any format; values that need fewer saturate."""

FINEST_ACCUMULATOR = STATE.frac + MAX_SHIFT
"""Most fractional bits of a layer's accumulators that can be rounded to a pre-activation."""

_CANDIDATES = 4


def best_format(values: np.ndarray, bits: int) -> Fixed:
    """Choose the power-of-two scale with the smallest squared error on `values`, saturation counted.

    The coarsest candidate holds the largest magnitude unsaturated, as far as `COARSEST` lets it; the others are up to 3
    bits finer.
    """
    values = np.asarray(values, dtype=np.float64)
    largest = max(float(np.abs(values).max()), 2.0**-FINEST)
    widest = max(COARSEST, int(np.floor(np.log2(((1 << (bits - 1)) - 1) / largest))))
    formats = [Fixed(bits, min(FINEST, widest + finer)) for finer in range(_CANDIDATES)]
    return min(formats, key=lambda f: float(np.square(f.real(f.quantise(values)) - values).sum()))


def legal_formats(
    network: LstmNetwork,
    wanted: Mapping[str, Fixed],
    finest: Mapping[str, int],
    alignment: Mapping[str, int] | None = None,
) -> dict[str, Fixed]:
    """Change the formats of a network where the hardware could not align or round its products.

    Parameters
    ----------
    network : LstmNetwork
        Gives the structure only.
    wanted : dict of Fixed
        Of every matrix, by its name in `LstmNetwork.matrices`; of the input as ``input``, of each projection's output
        as ``layer0.output``, and of what lies between two factors as ``layer0.input.middle``.
    finest : dict of int
        Most fractional bits of each layer's accumulators, by ``layer0`` and so on.
    alignment : dict of int, optional
        Most bits by which products of each layer can be aligned; `MAX_ALIGNMENT` unless given.

    Returns
    -------
    dict of Fixed
        All of `wanted`, as wide as they were. Weights are made coarser where their products would be finer than those
        of the layer's other matrix by more bits than can be aligned; vectors where they would be finer than the
        accumulators that they are rounded from.
    """
    formats = dict(wanted)

    def round_to(name: str, accumulator: int) -> Fixed:
        frac = _within(wanted[name].frac, accumulator - MAX_SHIFT, accumulator)
        formats[name] = Fixed(wanted[name].bits, frac)
        return formats[name]

    def last_stage(name: str, rank: int | None, source: Fixed) -> tuple[str, Fixed]:
        if rank is None:
            return name, source
        middle = round_to(f"{name}.middle", source.frac + wanted[f"{name}.first"].frac)
        return f"{name}.second", middle

    source = wanted["input"]
    hidden = hidden_format(source.bits)
    for k, layer in enumerate(network.layers):
        output = hidden
        if layer.projection is not None:
            output = round_to(f"layer{k}.output", hidden.frac + wanted[f"layer{k}.projection"].frac)
        stages = [
            last_stage(f"layer{k}.input", layer.input.rank, source),
            last_stage(f"layer{k}.recurrent", layer.recurrent.rank, output),
        ]
        most = MAX_ALIGNMENT if alignment is None else alignment[f"layer{k}"]
        fracs = [max(wanted[name].frac + vector.frac, STATE.frac - most) for name, vector in stages]
        limit = min(min(fracs) + most, finest[f"layer{k}"])
        for (name, vector), frac in zip(stages, fracs, strict=True):
            formats[name] = Fixed(wanted[name].bits, min(frac, limit) - vector.frac)
        source = output
    if network.head is not None:
        last_stage("head", network.head.rank, source)
    return formats


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))
