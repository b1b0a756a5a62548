import math
from fractions import Fraction

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatewright.sw.numbers import round_shift


def test_ties_round_up():
    assert [round_shift(v, 1) for v in (-3, -2, -1, 0, 1, 2, 3)] == [-1, -1, 0, 0, 1, 1, 2]
    assert [round_shift(v, 2) for v in (-6, -5, -2, -1, 1, 2, 5, 6)] == [-1, -1, 0, 0, 0, 1, 1, 2]


def test_no_shift_changes_nothing():
    assert [round_shift(v, 0) for v in (-(2**31), -1, 0, 2**31 - 1)] == [-(2**31), -1, 0, 2**31 - 1]


@given(value=st.integers(-(2**62), 2**62), shift=st.integers(0, 40))
def test_equals_the_floor_of_a_fraction(value, shift):
    assert round_shift(value, shift) == math.floor(Fraction(value, 2**shift) + Fraction(1, 2))


def test_arrays_agree_with_integers():
    values = [-(2**30), -7, -6, -2, 0, 2, 6, 7, 2**30]
    expected = [round_shift(v, 2) for v in values]
    assert round_shift(np.array(values, dtype=np.int32), 2).tolist() == expected
    assert round_shift(torch.tensor(values, dtype=torch.int32), 2).tolist() == expected
