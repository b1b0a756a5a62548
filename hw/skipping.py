"""When zero activations are passed over: what a job asks for, and how the hardware decides by itself.

Source: CN113537465A (2021) computes in the sparse mode if the share of zeros reaches a threshold. Ours: the hardware
counts the zeros of every vector in one time step, and decides for the next one.
"""

import enum

SHARE_BITS = 8
"""Width of a threshold: a share of zeros in 256ths."""

WHOLE = 1 << SHARE_BITS
"""All, in units of a threshold."""


class Skip(enum.IntEnum):
    """Whether a job passes over zero activations in broadcast orientation."""

    NEVER = 0
    ALWAYS = 1
    AUTO = 2
    """In the first step of a fresh sequence; then in each step that follows one in which the share of zeros among the
    activations written, those of x, h and what lies between factors, reached the threshold. Hardware that cannot
    decide (``auto_skipping = 0``) always does."""
