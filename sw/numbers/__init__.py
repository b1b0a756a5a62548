"""The arithmetic that software and hardware share; specified in ``docs/numerics.md``."""

from gatewright.sw.numbers.formats import ACCUMULATOR, GATE, MAX_ALIGNMENT, STATE, Fixed, hidden_format
from gatewright.sw.numbers.rounding import round_shift
from gatewright.sw.numbers.sigma import sigmoid, tanh

__all__ = [
    "ACCUMULATOR",
    "GATE",
    "MAX_ALIGNMENT",
    "STATE",
    "Fixed",
    "hidden_format",
    "round_shift",
    "sigmoid",
    "tanh",
]
