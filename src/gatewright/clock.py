"""The clock that cycles are turned into time with, and how it is known."""

from dataclasses import dataclass

from gatewright.errors import ConfigError

MEGAHERTZ = 100.0
"""Clock frequency that constraints ask for, and that cycles are turned into time with, unless told otherwise."""


@dataclass(frozen=True)
class Clock:
    """A clock frequency.

    Parameters
    ----------
    megahertz : float
    source : str
        How it is known, to stand behind the figure: ``asked for``, or ``met on ecp5-85k (...)``.

    Raises
    ------
    ConfigError
        The frequency is not above 0.
    """

    megahertz: float = MEGAHERTZ
    source: str = "asked for"

    def __post_init__(self):
        if not self.megahertz > 0:
            raise ConfigError(f"the clock must be above 0 MHz, not {self.megahertz!r}")

    def microseconds(self, cycles: float) -> float:
        """Return the time of some cycles in µs."""
        return cycles / self.megahertz

    def per_second(self, cycles: float) -> float:
        """Return how many times a second something happens that takes some cycles."""
        return 1e6 * self.megahertz / cycles

    @property
    def text(self) -> str:
        """The frequency, and how it is known."""
        return f"{self.megahertz:g} MHz, {self.source}"
