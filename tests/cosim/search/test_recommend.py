import pytest

from gatewright.cosim.search.recommend import recommendation_rows
from gatewright.cosim.search.settings import SearchSettings
from gatewright.results import Row


def points(*given, better="more", kind="found"):
    """Rows of points: validation score, cycles and bits of each."""
    rows = []
    for number, (score, cycles, bits) in enumerate(given):
        at = {"point": number, "model": f"p{number}", "kind": kind}
        for split in ("validation", "test"):
            more = {"split": split, "metric": "m", "better": better}
            rows.append(Row("point_score", "percent", score, at | more))
        rows.append(Row("point_cycles_measured", "cycles per step", cycles, at))
        rows.append(Row("point_stored_bits", "bits", bits, at))
    return rows


def chosen(rows, **search):
    made = recommendation_rows(rows, SearchSettings(**search), 0)
    return made[0].value, [row.value for row in made[1:]]


@pytest.mark.parametrize(
    ("better", "scores", "best"), [("more", (95, 90, 80), "p1"), ("less", (1.0, 2.0, 3.0), "p1")]
)
def test_the_best_score_among_those_that_meet_the_targets(better, scores, best):
    rows = points(*zip(scores, (500, 100, 50), (9000, 900, 500), strict=True), better=better)
    assert chosen(rows, target_cycles=100, target_bits=1000) == (best, [])
    assert chosen(rows) == ("p0", [])


def test_of_equal_scores_the_cheaper():
    targets = {"target_cycles": 200, "target_bits": 60_000}
    assert chosen(points((98, 156, 52_000), (98, 63, 20_000)), **targets) == ("p1", [])
    assert chosen(points((98, 63, 20_000), (98, 63, 19_000)), **targets) == ("p1", [])
    assert chosen(points((98, 300, 90_000), (98, 300, 80_000))) == ("p1", [])


def test_the_nearest_where_none_meets_them_and_what_it_misses():
    rows = points((95, 500, 9000), (90, 130, 1100), (80, 50, 500))
    assert chosen(rows, target_score=92, target_cycles=100, target_bits=1000) == (
        "p1",
        [
            "validation score 90, 92 asked for",
            "130 cycles per step, 100 asked for",
            "1,100 stored bits, 1,000 asked for",
        ],
    )
    assert chosen(points((1.0, 200, 10), (3.0, 100, 10), better="less"), target_cycles=50, target_score=2.0)[
        1
    ] == [
        "validation score 3, 2 asked for",
        "100 cycles per step, 50 asked for",
    ]


def test_what_nobody_asked_for_is_not_missed_but_weighs_as_in_a_reward():
    rows = points((95, 500, 900), (92, 120, 1100), (80, 50, 500))
    search = SearchSettings(target_cycles=100, target_bits=1000, cycles_weight=10, bits_weight=10)
    for assumed, best, missed in (
        ((), "p2", []),
        (("cycles",), "p2", []),  # p0 is 40 points beyond, p1 misses the bits.
        (("bits",), "p2", []),
        (("cycles", "bits"), "p1", []),  # 92 - 2 - 1
    ):
        found, *others = recommendation_rows(rows, search, 0, assumed)
        assert (found.value, [row.value for row in others]) == (best, missed)
    only = rows[: len(rows) // 3]
    for assumed, missed in (((), ["500 cycles per step, 100 asked for"]), (("cycles",), [])):
        assert [row.value for row in recommendation_rows(only, search, 0, assumed)[1:]] == missed


def test_only_what_was_found_is_recommended():
    assert recommendation_rows(points((95, 1, 1), kind="uncompressed"), SearchSettings(), 0) == []
    refused = Row("point_infeasible", "reason", "too large", {"point": 0, "model": "p0", "kind": "found"})
    assert recommendation_rows([refused], SearchSettings(), 0) == []
