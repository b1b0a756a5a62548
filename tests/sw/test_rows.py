import numpy as np
import pytest

from gatewright.sw.rows import gate_rows, plain_rows, slot_rows, word_slots


def test_the_gates_of_a_unit_sit_in_one_quad():
    lane, row = gate_rows(hidden=6, lanes=8)
    # Unit 3 is the second of quad 1: lanes 4 to 7, accumulator row 1.
    assert lane[[3, 9, 15, 21]].tolist() == [4, 5, 6, 7]
    assert row[[3, 9, 15, 21]].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("hidden", "lanes"), [(128, 32), (6, 8), (5, 16), (3, 4)])
def test_every_place_is_used_at_most_once(hidden, lanes):
    lane, row = gate_rows(hidden, lanes)
    assert len(set(zip(lane.tolist(), row.tolist(), strict=True))) == 4 * hidden
    assert lane.min() >= 0
    assert lane.max() < lanes
    assert row.max() == -(-hidden // (lanes // 4)) - 1


def test_plain_rows_go_round_the_lanes():
    lane, row = plain_rows(10, 4)
    assert lane.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert row.tolist() == [0] * 4 + [1] * 4 + [2] * 2
    assert np.array_equal(row * 4 + lane, np.arange(10))


def test_rows_go_round_the_slots_of_their_lane():
    slot, index = slot_rows(plain_rows(10, 2), 4)
    # Lane 1 holds the odd rows: 1, 3, 5, 7 in its four slots, then 9 in the first again.
    assert slot[1::2].tolist() == [4, 5, 6, 7, 4]
    assert index[1::2].tolist() == [0, 0, 0, 0, 1]
    assert slot[::2].tolist() == [0, 1, 2, 3, 0]


def test_one_slot_is_the_lane():
    for found, expected in zip(slot_rows(gate_rows(6, 8), 1), gate_rows(6, 8), strict=True):
        assert np.array_equal(found, expected)


def test_slots_of_a_word():
    assert [word_slots(bits) for bits in (8, 4, 2)] == [1, 2, 4]
