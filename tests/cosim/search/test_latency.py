import pytest

from gatewright.cosim.search.latency import cycles_of, limits_of
from gatewright.cosim.search.settings import Limits
from gatewright.errors import ConfigError


@pytest.mark.parametrize(
    ("latency", "megahertz", "cycles"),
    [
        ("50us", 100.0, 5000.0),
        ("50 µs", 12.5, 625.0),
        ("1.5ms", 48.0, 72_000.0),
        ("800ns", 150.0, 120.0),
        ("2e-3s", 1.0, 2000.0),
    ],
)
def test_a_latency_is_cycles_at_a_clock(latency, megahertz, cycles):
    assert cycles_of(latency, megahertz) == pytest.approx(cycles)


@pytest.mark.parametrize("latency", ["50", "us", "50 min", "0us", "-1us", "1.2.3us", ""])
def test_other_forms_are_refused(latency):
    with pytest.raises(ConfigError, match="a latency must be a number above 0 with its unit"):
        cycles_of(latency, 100.0)


@pytest.mark.parametrize("megahertz", [0.0, -1.0, float("inf"), float("nan")])
def test_clocks_are_above_zero(megahertz):
    with pytest.raises(ConfigError, match="a clock must be above 0 MHz"):
        cycles_of("1us", megahertz)


def test_limits_are_read():
    assert limits_of(["cycles=200", "bits=1e5", "luts=20000", "score=95"], 100.0) == Limits(
        cycles=200.0, bits=1e5, luts=20_000, score=95.0
    )
    assert limits_of(["latency=2us"], 50.0).cycles == pytest.approx(100.0)
    assert limits_of([], 100.0) == Limits()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["cycles"], "a limit must be written as cycles=500"),
        (["size=5"], "there are latency, cycles, bits, luts, block_rams, multipliers, score"),
        (["luts=1.5"], "a limit must be written"),
        (["latency=5"], "a latency must be a number above 0 with its unit"),
        (["cycles=5", "latency=5us"], "cycles is limited twice"),
        (["bits=0"], "Limits.bits must be above 0"),
    ],
)
def test_other_limits_are_refused(lines, message):
    with pytest.raises(ConfigError, match=message):
        limits_of(lines, 100.0)
