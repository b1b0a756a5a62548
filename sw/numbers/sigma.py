"""σ and tanh from one piecewise-linear table, in integers.

The table holds σ on [0, 16) in `SEGMENTS` chords of equal width. σ of a negative
value is 1 − σ(−v), and tanh(v) = 2σ(2v) − 1, so all of both functions derive from
the two tuples below: the reference here, the torch and Numba models and the ROM
in the RTL.

Error, in LSB of `GATE`: a chord over a width h misses σ by at most
h²/8 · max|σ''| = (1/16)²/8 · 0.0962 · 2^15 = 1.54; rounding the nodes and the
interpolated value adds 0.5 + 0.5, saturation of σ = 1 adds at most 1 and never together with the
chord's error. tanh doubles it. Hence `SIGMOID_ERROR` and `TANH_ERROR`, tested on every input.
"""

import math
from itertools import pairwise

from gatewright.sw.numbers.formats import GATE, STATE
from gatewright.sw.numbers.rounding import round_shift

SEGMENTS = 256
"""Number of chords on [0, 16)."""

OFFSET_BITS = STATE.bits - 1 - SEGMENTS.bit_length() + 1
"""Low bits of the magnitude: the position inside a chord."""

ONE = 1 << GATE.frac
"""The value 1 in LSB of `GATE`; it does not fit `GATE` itself."""

_NODES = tuple(
    math.floor(ONE / (1.0 + math.exp(-k * 2.0 ** (OFFSET_BITS - STATE.frac))) + 0.5)
    for k in range(SEGMENTS + 1)
)

BASE = _NODES[:-1]
"""σ at the left end of each chord, in LSB of `GATE`: 16384 to 32768 (unsigned 16 bits)."""

RISE = tuple(right - left for left, right in pairwise(_NODES))
"""Rise of each chord, in LSB of `GATE`: 0 to 512 (unsigned 10 bits)."""

SIGMOID_ERROR = 2.54
"""Largest error of `sigmoid`, in LSB of `GATE`, for inputs exact in `STATE`."""

TANH_ERROR = 2 * SIGMOID_ERROR
"""Largest error of `tanh`, in LSB of `GATE`, for inputs exact in `STATE`."""


def _sigma(v: int) -> int:
    """σ of v (LSB of `STATE`), from 0 to `ONE` inclusive, unsaturated."""
    magnitude = min(abs(v), STATE.max)
    segment, offset = magnitude >> OFFSET_BITS, magnitude & ((1 << OFFSET_BITS) - 1)
    positive = BASE[segment] + round_shift(RISE[segment] * offset, OFFSET_BITS)
    return positive if v >= 0 else ONE - positive


def sigmoid(v: int) -> int:
    """σ of v in LSB of `STATE`, as an integer in LSB of `GATE`."""
    return GATE.saturate(_sigma(v))


def tanh(v: int) -> int:
    """Tanh of v in LSB of `STATE`, as an integer in LSB of `GATE`."""
    return GATE.saturate(2 * _sigma(STATE.saturate(2 * v)) - ONE)
