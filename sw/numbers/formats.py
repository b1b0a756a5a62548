"""Fixed-point number formats: integers with a power-of-two scale."""

import operator
from dataclasses import dataclass

import numpy as np

from gatewright.errors import ConfigError


@dataclass(frozen=True)
class Fixed:
    """A signed fixed-point format: ``value = q * 2**-frac``, q of `bits` bits, saturating.

    Parameters
    ----------
    bits : int
        Width of q with its sign, 2 to 32 bits.
    frac : int
        Fractional bits, -32 to 40; negative when the LSB is worth more than 1.

    Raises
    ------
    ConfigError
        A parameter is outside its range.
    """

    bits: int
    frac: int

    def __post_init__(self):
        for name, low, high in (("bits", 2, 32), ("frac", -32, 40)):
            value = operator.index(getattr(self, name))
            if not low <= value <= high:
                raise ConfigError(f"Fixed.{name} must be from {low} to {high}, not {value}")
            object.__setattr__(self, name, value)

    @property
    def min(self) -> int:
        """The most negative q."""
        return -(1 << (self.bits - 1))

    @property
    def max(self) -> int:
        """The most positive q."""
        return (1 << (self.bits - 1)) - 1

    @property
    def lsb(self) -> float:
        """The real value of q = 1."""
        return 2.0**-self.frac

    def saturate(self, q):
        """Clamp an integer (or integer numpy array) to the format's range."""
        if isinstance(q, np.ndarray):
            return np.clip(q, self.min, self.max)
        return max(self.min, min(self.max, q))

    def quantise(self, real) -> np.ndarray:
        """Give the nearest q of real values (half up, saturating) as an int64 array."""
        scaled = np.floor(np.asarray(real, dtype=np.float64) * 2.0**self.frac + 0.5)
        return np.clip(scaled, self.min, self.max).astype(np.int64)

    def real(self, q) -> np.ndarray:
        """Give the real values of integers q."""
        return np.asarray(q, dtype=np.float64) * self.lsb

    def __str__(self) -> str:
        return f"{self.bits} bits, {self.frac} fractional"


ACCUMULATOR = Fixed(32, 0)
"""Width of accumulators and biases; their frac is the model's (`bundle.LstmLayer.accumulator_frac`)."""

STATE = Fixed(16, 11)
"""Pre-activations and cell state: a range of ±16."""

GATE = Fixed(16, 15)
"""Gate outputs σ and tanh: a range of ±1."""

MAX_ALIGNMENT = 10
"""Largest left shift that brings the products of one matrix to the scale of an accumulator, in bits."""


def hidden_format(activation_bits: int) -> Fixed:
    """Format of the hidden vector, which lies in (-1, 1) by construction: all bits but the sign are fractional."""
    return Fixed(activation_bits, activation_bits - 1)
