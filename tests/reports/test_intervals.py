import pytest

from gatewright.reports.intervals import Interval, interval, shown_interval, stored_intervals
from gatewright.reports.metrics import Metric
from gatewright.results import Row, Rows

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


BITS = Metric("bits", "bits", False)


def test_another_metric_has_the_stored_one_and_an_accuracy_wilsons():
    stored = Interval(2.011, 2.25)
    assert interval(BITS, 2.1, 500, stored) == stored
    assert interval(BITS, None, 500, stored) is None
    assert interval(ACCURACY, 100 * 81 / 263, 263, stored) == interval(ACCURACY, 100 * 81 / 263, 263)
    assert shown_interval(BITS, 2.1, None, stored) == " (2.0110 to 2.2500)"
    assert (
        shown_interval(Metric("f1", "percent", True), 90.0, None, Interval(88.04, 91.96)) == " (88.0 to 92.0)"
    )


def test_rows_of_both_ends_make_an_interval():
    at = {"metric": "bits", "better": "less"}
    rows = Rows(
        [
            Row("score_low", "bits", 2.0, at | {"split": "test"}),
            Row("score_high", "bits", 2.5, at | {"split": "test"}),
            Row("score_low", "bits", 1.0, at | {"split": "validation"}),
            Row("score_low", "bits", 1.0, at | {"split": "train", "metric": "mse"}),
        ]
    )
    assert stored_intervals(rows, "score", BITS) == {"test": (2.0, 2.5)}
