"""Parameters of the PLL, found within what the data sheet allows."""

from collections.abc import Iterator
from dataclasses import dataclass

from gatewright.errors import ConfigError

TOLERANCE = 0.05
"""How far below what is asked for a PLL may stay."""


@dataclass(frozen=True)
class Pll:
    """A setting of a PLL.

    Parameters
    ----------
    megahertz : float
        What comes out.
    values : dict of int
        Parameters of the cell by name.
    """

    megahertz: float
    values: dict[str, int]


def ecp5_pll(source: float, wanted: float) -> Pll:
    """Return the setting of an ECP5's EHXPLLL with feedback from its output that comes nearest from below.

    The phase detector works from 3.125 to 400 MHz and the oscillator from 400 to 800 MHz; an output is from 3.125 to
    400 MHz (Lattice FPGA-DS-02012).

    Parameters
    ----------
    source, wanted : float
        MHz.

    Raises
    ------
    ConfigError
        None comes near.
    """
    legal = list(_settings(source))
    # A hair above is the same frequency, told in other digits.
    near = [each for each in legal if wanted * (1 - TOLERANCE) <= each.megahertz <= wanted * (1 + 1e-9)]
    if not near:
        low, high = (f"{bound(each.megahertz for each in legal):g}" for bound in (min, max))
        raise ConfigError(
            f"the PLL makes no clock of {wanted:g} MHz, or a little less, of {source:g} MHz; it reaches {low} to "
            f"{high} MHz: ask for another with --clock"
        )
    return max(near, key=lambda each: each.megahertz)


def _settings(source: float) -> Iterator[Pll]:
    for divided in range(1, 129):
        compared = source / divided
        if not 3.125 <= compared <= 400:
            continue
        for multiplied in range(1, 81):
            out = compared * multiplied
            # Of the dividers that the oscillator's range allows, the one nearest to its middle.
            divider = max(1, min(128, round(600 / out)))
            if 3.125 <= out <= 400 and 400 <= out * divider <= 800:
                yield Pll(out, {"CLKI_DIV": divided, "CLKFB_DIV": multiplied, "CLKOP_DIV": divider})
