import math
from itertools import pairwise

import numpy as np
import pytest

from gatewright.sw.numbers import GATE, STATE, sigmoid, tanh
from gatewright.sw.numbers.sigma import BASE, ONE, RISE, SEGMENTS, SIGMOID_ERROR, TANH_ERROR

CODES = range(STATE.min, STATE.max + 1)


@pytest.fixture(scope="module")
def curves():
    return [sigmoid(v) for v in CODES], [tanh(v) for v in CODES]


def test_the_table_fits_its_memory():
    assert len(BASE) == len(RISE) == SEGMENTS == 256
    assert min(RISE) >= 0
    assert max(RISE) < 1 << 10
    assert min(BASE) >= 0
    assert max(BASE) <= ONE < 1 << 16


def test_chords_meet():
    assert all(base + rise == after for base, rise, after in zip(BASE, RISE, BASE[1:], strict=False))


def test_errors_stay_within_their_bounds_on_every_input(curves):
    real = np.array(CODES) * STATE.lsb
    for found, exact, bound in (
        (curves[0], 1 / (1 + np.exp(-real)), SIGMOID_ERROR),
        (curves[1], np.tanh(real), TANH_ERROR),
    ):
        assert np.abs(np.array(found) - exact * 2.0**GATE.frac).max() <= bound


def test_the_largest_errors_are_those_of_the_specification(curves):
    real = np.array(CODES) * STATE.lsb
    sigma = np.abs(np.array(curves[0]) - ONE / (1 + np.exp(-real))).max()
    tangent = np.abs(np.array(curves[1]) - ONE * np.tanh(real)).max()
    assert (round(sigma, 2), round(tangent, 2)) == (2.16, 4.32)
    # 1.54 of a chord, and two roundings.
    assert (SIGMOID_ERROR, TANH_ERROR) == (2.54, 5.08)


def test_both_rise_and_stay_in_range(curves):
    for curve in curves:
        assert all(left <= right for left, right in pairwise(curve))
        assert GATE.min <= curve[0]
        assert curve[-1] <= GATE.max


def test_special_values():
    assert (sigmoid(0), tanh(0)) == (1 << 14, 0)
    assert (sigmoid(STATE.max), tanh(STATE.max)) == (GATE.max, GATE.max)
    assert (sigmoid(STATE.min), tanh(STATE.min)) == (0, -(1 << 15))
    assert sigmoid(1 << STATE.frac) == round(ONE / (1 + math.exp(-1)))


def test_symmetry_up_to_saturation():
    for v in range(1, STATE.max + 1, 97):
        assert sigmoid(v) + sigmoid(-v) in (ONE, ONE - 1)
        assert tanh(v) + tanh(-v) in (0, -1)
