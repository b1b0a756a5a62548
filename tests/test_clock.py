import pytest

from gatewright.clock import Clock
from gatewright.errors import ConfigError


def test_time_and_rate():
    clock = Clock(125.0, "met on a board")
    assert clock.microseconds(2500) == 20.0
    assert clock.per_second(2500) == 50_000
    assert clock.text == "125 MHz, met on a board"


@pytest.mark.parametrize("megahertz", [0, -5.0, float("nan")])
def test_a_clock_is_above_0(megahertz):
    with pytest.raises(ConfigError, match="above 0 MHz"):
        Clock(megahertz)
