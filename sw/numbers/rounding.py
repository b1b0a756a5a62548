"""The one rounding mode: half up."""


def round_shift(value, shift):
    """Divide by ``2**shift`` and round half up: ``(value + 2**(shift-1)) >> shift``.

    Works on Python integers and, element by element, on integer arrays of numpy
    and torch; the caller sees to it that ``value + 2**(shift-1)`` fits the type.

    Parameters
    ----------
    value : int or integer array
        Dividend, in LSB.
    shift : int
        Bits to drop, at least 0; 0 returns the value unchanged.
    """
    return (value + ((1 << shift) >> 1)) >> shift
