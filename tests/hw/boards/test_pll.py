import pytest

from gatewright.errors import ConfigError
from gatewright.hw.boards.pll import TOLERANCE, ecp5_pll


@pytest.mark.parametrize("source", [25, 48, 12, 100])
@pytest.mark.parametrize("wanted", [20, 25, 50, 62.5, 80, 83, 100, 133.3])
def test_an_ecp5_pll_keeps_to_the_data_sheet(source, wanted):
    found = ecp5_pll(source, wanted)
    divided, multiplied, divider = (found.values[name] for name in ("CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV"))
    assert 3.125 <= source / divided <= 400
    assert 1 <= divider <= 128
    assert found.megahertz == pytest.approx(source / divided * multiplied)
    assert 400 <= found.megahertz * divider <= 800
    assert wanted * (1 - TOLERANCE) <= found.megahertz <= wanted * (1 + 1e-9)


@pytest.mark.parametrize(
    ("source", "wanted", "values"),
    [
        # As ecppll of Project Trellis has them.
        (25, 50, {"CLKI_DIV": 1, "CLKFB_DIV": 2, "CLKOP_DIV": 12}),
        (25, 100, {"CLKI_DIV": 1, "CLKFB_DIV": 4, "CLKOP_DIV": 6}),
        (48, 80, {"CLKI_DIV": 3, "CLKFB_DIV": 5, "CLKOP_DIV": 8}),
    ],
)
def test_known_settings_of_ecp5(source, wanted, values):
    found = ecp5_pll(source, wanted)
    assert found.megahertz == pytest.approx(wanted)
    assert found.values["CLKFB_DIV"] * values["CLKI_DIV"] == values["CLKFB_DIV"] * found.values["CLKI_DIV"]
    assert found.values["CLKOP_DIV"] == values["CLKOP_DIV"]


@pytest.mark.parametrize("wanted", [500, 2])
def test_what_a_pll_cannot_make_is_refused(wanted):
    with pytest.raises(ConfigError, match=rf"makes no clock of {wanted} MHz.* it reaches .* --clock"):
        ecp5_pll(25, wanted)
