"""Methods and spaces side by side, on candidates whose worth is a formula."""

import math
from dataclasses import replace

import pytest

from gatewright.benchmarks.compare import (
    SPACES,
    Memory,
    Tried,
    best_so_far,
    by_cycles,
    by_macs,
    front_of,
    log_hypervolume,
    only,
    search,
)
from gatewright.cosim.search.evaluate import Evaluation, Infeasible
from gatewright.cosim.search.settings import SearchSettings
from gatewright.sw.search.space import SearchSpace

SHAPES = {"layer0.input": (64, 40), "layer0.recurrent": (64, 16), "head": (3, 16)}
SPACE = SearchSpace(
    SHAPES,
    {"layer0.rank": (4, 8, None), "layer0.bits": (2, 4, 8), "layer0.density": (0.25, 0.5, 1.0)},
)
SECONDS = 2.0


class Formula:
    """Quality falls with the logarithm of what a candidate saves; counts how often each is evaluated."""

    def __init__(self):
        self.asked = []

    def prepare(self, round, targets, progress):
        raise AssertionError("a search in memory has one round, prepared before")

    def __call__(self, candidate, round):
        self.asked.append(tuple(candidate.items()))
        if candidate["layer0.rank"] == 4 and candidate["layer0.bits"] == 2:
            return Infeasible("too small to be true")
        share = {4: 0.25, 8: 0.5, None: 1.0}[candidate["layer0.rank"]] * candidate["layer0.density"]
        bits = candidate["layer0.bits"]
        # Low rank costs the most quality, narrow weights the least.
        quality = 100 - 8 * (candidate["layer0.rank"] is not None) + math.log2(share * bits / 8)
        return Evaluation(
            score=quality,
            quality=quality,
            stored_bits=int(1000 * share * bits),
            cycles_predicted=100 * share * bits / 8,
            cycles_measured=None,
            macs=int(1000 * share),
            reward=quality,
            seconds=SECONDS,
            integers_compared=0,
        )


def found(candidate):
    return Formula()(SPACE.largest | candidate, 0)


def tried(*candidates):
    return [Tried(each, found(each), 0.0) for each in candidates]


@pytest.fixture
def memory():
    return Memory(Formula(), lambda quality, cycles, bits: quality - cycles / 10)


def test_a_candidate_is_evaluated_once_and_rewarded_by_the_given_rule(memory):
    first, again = memory(SPACE.largest), memory(dict(reversed(SPACE.largest.items())))
    assert first == again
    assert len(memory._evaluate.asked) == 1
    assert first.reward == first.quality - first.cycles / 10


@pytest.mark.parametrize("method", ["linear", "tpe", "nsga2", "random"])
def test_searches_end_at_their_limits(memory, method):
    settings = SearchSettings(method=method, trials=30, seed=1)
    found = search(SPACE, settings, memory, seconds=9 * SECONDS)
    assert len({tuple(each.candidate.values()) for each in found}) == len(found) == 9
    assert found[-1].seconds == 9 * SECONDS
    assert len(search(SPACE, replace(settings, trials=5), memory)) <= 5
    small = SPACE.fixed({"layer0.bits": 8, "layer0.density": 1.0})
    assert {each.candidate["layer0.rank"] for each in search(small, settings, memory)} <= {4, 8, None}


def test_searches_end_where_nothing_is_feasible(memory):
    part = SPACE.fixed({"layer0.rank": 4, "layer0.bits": 2})
    for method in ("linear", "random"):
        assert search(part, SearchSettings(method=method, trials=30), memory) == []


def test_equal_seeds_search_alike(memory):
    def candidates(seed):
        return [
            each.candidate
            for each in search(SPACE, SearchSettings(method="tpe", trials=15, seed=seed), memory)
        ]

    assert candidates(1) == candidates(1) != candidates(2)


def test_spaces_choose_what_they_are_named_for(memory):
    settings = SearchSettings(method="random", trials=200)
    for name in ("rank", "bits", "density"):
        for each in SPACES[name](SPACE, settings, memory, by_cycles, 1e6):
            differing = {key for key, value in each.candidate.items() if value != SPACE.largest[key]}
            assert differing <= {f"layer0.{name}"}
    joint = SPACES["joint"](SPACE, settings, memory, by_cycles, 1e6)
    assert len({tuple(each.candidate.values()) for each in joint}) == 27 - 3


def test_one_kind_after_the_other_settles_the_best(memory):
    settings = SearchSettings(method="random", trials=100)
    everything = SPACES["sequential"](SPACE, settings, memory, by_cycles, 1e6)
    assert [each.seconds for each in everything] == sorted(each.seconds for each in everything)
    first = [
        each
        for each in everything
        if each.candidate == SPACE.largest | {"layer0.density": each.candidate["layer0.density"]}
    ]
    best = max(first, key=lambda each: each.found.reward).candidate["layer0.density"]
    later = everything[len(first) :]
    assert later
    assert {each.candidate["layer0.density"] for each in later if each.candidate["layer0.bits"] != 8} == {
        best
    }


def test_a_space_without_what_is_settled():
    part = only(SPACE, SPACE.smallest, "bits")
    assert part.choices == SPACE.choices | {"layer0.rank": (4,), "layer0.density": (0.25,)}


def test_fronts_depend_on_what_counts():
    narrow, pruned, whole = tried(
        SPACE.largest | {"layer0.bits": 4}, SPACE.largest | {"layer0.density": 0.5}, SPACE.largest
    )
    # Both halve cycles and bits; only one halves the multiply-accumulates.
    assert front_of([narrow, pruned, whole]) == [narrow, whole]
    assert pruned in front_of([narrow, pruned, whole], by_macs)


def test_hypervolume_counts_octaves():
    reference = found({})
    half = tried(SPACE.largest | {"layer0.density": 0.5})
    assert half[0].found.quality == reference.quality - 1
    assert log_hypervolume(half, reference, 10.0) == pytest.approx((10 - 1) * 1 * 1)
    assert log_hypervolume(half, reference, 1.0) == 0
    assert log_hypervolume(tried(SPACE.largest), reference, 10.0) == 0


def test_the_best_so_far_never_falls():
    rewards = [3.0, 1.0, 5.0, 2.0]
    each = found({})
    sequence = [Tried({}, replace(each, reward=reward), 0.0) for reward in rewards]
    assert list(best_so_far(sequence)) == [3.0, 3.0, 5.0, 5.0]
