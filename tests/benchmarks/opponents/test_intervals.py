import math

import pytest

from gatewright.benchmarks.opponents.intervals import paired_ratio


def test_what_seeds_do_to_both_counts_for_nothing():
    found = paired_ratio([2.0, 20.0, 200.0], [1.0, 10.0, 100.0])
    assert found == pytest.approx((2.0, 2.0, 2.0))


def test_the_interval_is_students_t_of_the_logarithms():
    ratios = [1.0, 2.0, 4.0, 2.0, 1.0]
    found = paired_ratio(ratios, [1.0] * 5)
    logs = [math.log2(each) for each in ratios]
    mean = sum(logs) / 5
    error = math.sqrt(sum((each - mean) ** 2 for each in logs) / 4 / 5)
    assert math.log2(found.mean) == pytest.approx(mean)
    assert math.log2(found.high) - mean == pytest.approx(2.776 * error)
    assert mean - math.log2(found.low) == pytest.approx(2.776 * error)


@pytest.mark.parametrize(
    ("ours", "others"), [([1.0], [1.0]), ([1.0, 2.0], [1.0, 0.0]), ([1.0] * 30, [1.0] * 30)]
)
def test_there_is_none_without_pairs_that_have_ratios(ours, others):
    assert paired_ratio(ours, others) is None
