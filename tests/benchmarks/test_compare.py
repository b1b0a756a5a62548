"""Searches side by side, on candidates whose worth is a formula."""

import math
from dataclasses import replace

import pytest

from gatewright.benchmarks.compare import (
    Tried,
    front_of,
    log_hypervolume,
    only,
    search,
)
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.settings import SearchSettings
from gatewright.sw.search.space import SearchSpace

SHAPES = {"layer0.input": (64, 40), "layer0.recurrent": (64, 16), "head": (3, 16)}
SPACE = SearchSpace(
    SHAPES,
    {"layer0.rank": (4, 8, None), "layer0.bits": (2, 4, 8), "layer0.density": (0.25, 0.5, 1.0)},
)
SECONDS = 2.0


def formula(candidate):
    """Quality falls with the logarithm of what a candidate saves, most by low rank, least by narrow weights."""
    if candidate["layer0.rank"] == 4 and candidate["layer0.bits"] == 2:
        return Infeasible("too small to be true")
    share = {4: 0.25, 8: 0.5, None: 1.0}[candidate["layer0.rank"]] * candidate["layer0.density"]
    bits = candidate["layer0.bits"]
    quality = 100 - 8 * (candidate["layer0.rank"] is not None) + math.log2(share * bits / 8)
    return Evaluation(
        score=quality,
        quality=quality,
        stored_bits=int(1000 * share * bits),
        cycles_predicted=100 * share * bits / 8,
        cycles_measured=None,
        macs=int(1000 * share),
        reward=quality - 10 * share * bits / 8,
        seconds=SECONDS,
        integers_compared=0,
    )


def found(candidate):
    return formula(SPACE.largest | candidate)


def tried(*candidates):
    return [Tried(each, found(each), 0.0) for each in candidates]


@pytest.mark.parametrize("method", ["linear", "tpe", "nsga2", "random"])
def test_searches_end_at_their_limits(method):
    settings = SearchSettings(method=method, trials=30, seed=1)
    found = search(SPACE, replace(settings, trials=9), formula)
    assert len({tuple(each.candidate.values()) for each in found}) == len(found) <= 9
    assert found[-1].seconds == len(found) * SECONDS
    small = SPACE.fixed({"layer0.bits": 8, "layer0.density": 1.0})
    assert {each.candidate["layer0.rank"] for each in search(small, settings, formula)} <= {4, 8, None}


def test_searches_end_where_nothing_is_feasible():
    part = SPACE.fixed({"layer0.rank": 4, "layer0.bits": 2})
    for method in ("linear", "random"):
        assert search(part, SearchSettings(method=method, trials=30), formula) == []


def test_equal_seeds_search_alike():
    def candidates(seed):
        return [
            each.candidate
            for each in search(SPACE, SearchSettings(method="tpe", trials=15, seed=seed), formula)
        ]

    assert candidates(1) == candidates(1) != candidates(2)


def test_a_space_without_what_is_settled():
    part = only(SPACE, SPACE.smallest, "bits")
    assert part.choices == SPACE.choices | {"layer0.rank": (4,), "layer0.density": (0.25,)}


def test_of_equal_points_the_first_is_on_the_front():
    narrow, pruned, whole = tried(
        SPACE.largest | {"layer0.bits": 4}, SPACE.largest | {"layer0.density": 0.5}, SPACE.largest
    )
    assert front_of([narrow, pruned, whole]) == [narrow, whole]


def test_hypervolume_counts_octaves():
    reference = found({})
    half = tried(SPACE.largest | {"layer0.density": 0.5})
    assert half[0].found.quality == reference.quality - 1
    assert log_hypervolume(half, reference, 10.0) == pytest.approx((10 - 1) * 1 * 1)
    assert log_hypervolume(half, reference, 1.0) == 0
    assert log_hypervolume(tried(SPACE.largest), reference, 10.0) == 0
