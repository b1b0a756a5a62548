import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.errors import ConfigError
from gatewright.sw.numbers import ACCUMULATOR, GATE, MAX_ALIGNMENT, STATE, Fixed, hidden_format


def test_the_formats_of_the_specification():
    assert (STATE.bits, STATE.frac, STATE.min, STATE.max) == (16, 11, -32768, 32767)
    assert (GATE.bits, GATE.frac) == (16, 15)
    assert (ACCUMULATOR.min, ACCUMULATOR.max, ACCUMULATOR.frac) == (-(2**31), 2**31 - 1, 0)
    assert MAX_ALIGNMENT == 10
    assert hidden_format(8) == Fixed(8, 7)
    assert hidden_format(16) == Fixed(16, 15)


@pytest.mark.parametrize(
    ("bits", "frac", "name"), [(1, 0, "bits"), (33, 0, "bits"), (8, -33, "frac"), (8, 41, "frac")]
)
def test_illegal_formats_are_refused_by_name(bits, frac, name):
    with pytest.raises(ConfigError, match=f"{name} must be from"):
        Fixed(bits, frac)


def test_the_ends_of_the_ranges_are_legal():
    for bits, frac in ((2, -32), (32, 40)):
        assert (Fixed(bits, frac).max, Fixed(bits, frac).lsb) == (2 ** (bits - 1) - 1, 2.0**-frac)


def test_reals_round_half_up_and_saturate():
    format = Fixed(8, 1)
    reals = [0.24, 0.25, 0.75, -0.25, -0.26, -0.75, 63.5, 63.75, 1e9, -64.0, -64.26, -1e9]
    assert format.quantise(reals).tolist() == [0, 1, 2, 0, -1, -1, 127, 127, 127, -128, -128, -128]


def test_a_negative_frac_coarsens():
    assert Fixed(4, -3).lsb == 8.0
    assert Fixed(4, -3).quantise([4.0, -12.0, 100.0]).tolist() == [1, -1, 7]


@given(q=st.integers(-128, 127), frac=st.integers(-32, 40))
def test_every_code_survives_a_round_trip(q, frac):
    format = Fixed(8, frac)
    assert format.quantise(format.real(q)) == q


def test_saturation_of_integers_and_arrays_agrees():
    format = Fixed(4, 0)
    values = np.arange(-20, 20)
    assert format.saturate(values).tolist() == [format.saturate(int(v)) for v in values]
    assert (format.saturate(-9), format.saturate(8), format.saturate(7)) == (-8, 7, 7)


def test_numpy_integers_become_plain():
    assert type(Fixed(np.int64(8), np.int64(3)).bits) is int
    assert str(Fixed(8, 3)) == "8 bits, 3 fractional"
