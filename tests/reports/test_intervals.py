import pytest

from gatewright.reports.intervals import interval, shown_interval
from gatewright.reports.metrics import Metric

ACCURACY = Metric("accuracy", "percent", True)


@pytest.mark.parametrize(
    ("score", "positions", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table I: 81/263, 15/148, 0/20, 1/29.
        (100 * 81 / 263, 263, 25.53, 36.62),
        (100 * 15 / 148, 148, 6.24, 16.05),
        (0.0, 20, 0.0, 16.11),
        (100 / 29, 29, 0.61, 17.18),
    ],
)
def test_published_intervals(score, positions, low, high):
    assert interval(ACCURACY, score, positions) == pytest.approx((low, high), abs=0.006)


def test_shown_with_one_decimal():
    assert shown_interval(ACCURACY, 100 * 81 / 263, 263) == " (25.5 to 36.6)"


@pytest.mark.parametrize(
    ("metric", "score", "positions"),
    [(Metric("f1", "percent", True), 90.0, 100), (ACCURACY, None, 100), (ACCURACY, 90.0, None)],
)
def test_none_where_it_is_not_known(metric, score, positions):
    assert interval(metric, score, positions) is None
    assert shown_interval(metric, score, positions) == ""
