"""A linear bandit: the worths of a combination's values add up, and are learnt from all trials together.

Ours, grown out of the worth of single values (`worth`): the plain mean of the trials that had a value also holds what
the other values did to them. Here the parts of a reward are told apart, and each is the sum of one worth for each
value, by ridge regression; the bound on it is that of L. Li et al., A contextual-bandit approach to personalized news
article recommendation, 2010. No combination is tried twice, by whatever name.
"""

import heapq
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from gatewright.errors import ConfigError
from gatewright.sw.search.bandit import (
    PARTS,
    STARTUP,
    BanditSampler,
    check_values,
    place_of,
    reward_of,
    rewarded,
    running,
)

Places = tuple[int, ...]
"""A combination: for every parameter, the place of its value among the candidates."""

Combine = Callable[..., float]
"""Gives the reward of its parts."""

Tell = Callable[[dict[str, Any]], Hashable]
"""Gives what tells combinations apart, from their values by the names of parameters."""

_RIDGE = 0.2
_LEAST_WEIGHT = 0.02
"""Of the worst trial, where the best has 1: what is bad stays known."""

_STARTS = 3
"""Best trials that the next combination is looked for from."""

_FEWEST = 2
"""Trials with a reward that worths can add up from."""


class LinearBanditSampler(BanditSampler):
    """Samples the untried combination with the best bound on its reward.

    It begins as every bandit, until each value was tried.

    Parameters
    ----------
    seed, samples_per_hp, startup
        As `BanditSampler` has them.
    exploration : float
        Factor of the bound's width, at least 0.
    sharpness : float
        A trial weighs as the share of the others with a smaller reward to this power, at least 1. The larger, the more
        the best decide.
    combine : callable, optional
        Gives the reward of a trial's `PARTS`, of which the first counts as it is, the others, that must be above 0, by
        their logarithms; it may not fall with the first or rise with another. If left out, the reward is learnt as a
        whole.
    key : callable, optional
        Equal for combinations that are the same; if left out, all are different.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    def __init__(
        self,
        seed: int = 0,
        samples_per_hp: int = 5,
        *,
        exploration: float = 1.0,
        sharpness: float = 4.0,
        startup: int = STARTUP,
        combine: Combine | None = None,
        key: Tell | None = None,
    ):
        super().__init__(seed, samples_per_hp, startup)
        check_values(
            ("exploration", exploration, exploration >= 0, "at least 0"),
            ("sharpness", sharpness, sharpness >= 1, "at least 1"),
        )
        self._exploration, self._sharpness, self._combine = exploration, sharpness, combine
        self._key = key

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the parameters of all trials."""
        return IntersectionSearchSpace(include_pruned=True).calculate(study)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the untried combination with the best bound; nothing in the beginning."""
        candidates = {name: self.candidates(name, each) for name, each in search_space.items()}
        sizes = tuple(len(values) for values in candidates.values())

        def combination(chosen: Places) -> dict[str, Any]:
            return {name: values[k] for (name, values), k in zip(candidates.items(), chosen, strict=True)}

        def key(chosen: Places) -> Hashable:
            return chosen if self._key is None else self._key(combination(chosen))

        def places(each: FrozenTrial) -> Places | None:
            found = [place_of(values, each, name) for name, values in candidates.items()]
            return None if None in found else tuple(k for k in found if k is not None)

        finished = [(at, each) for each, _ in rewarded(study) if (at := places(each)) is not None]
        beside = [at for each in running(study, trial) if (at := places(each)) is not None]
        tried = [*(at for at, _ in finished), *beside]
        complete = [each for _, each in finished if each.state == TrialState.COMPLETE]
        if not search_space or len(tried) < self._startup or len(complete) < _FEWEST:
            return {}
        if any(len(set(taken)) < size for taken, size in zip(zip(*tried, strict=True), sizes, strict=True)):
            return {}
        parts = {each.number: self._parts(study, each) for each in complete}
        nothing = np.full(len(parts[complete[0].number]), np.nan)
        trials = Trials(
            sizes,
            [at for at, _ in finished],
            np.array([parts.get(each.number, nothing) for _, each in finished]),
            beside,
        )
        return combination(propose(trials, self._combine or float, self._exploration, self._sharpness, key))

    def _parts(self, study: Study, trial: FrozenTrial) -> list[float]:
        """Return what a complete trial's reward is made of: without `combine`, the reward."""
        if self._combine is None:
            return [reward_of(study, trial)]
        parts = trial.user_attrs.get(PARTS)
        if not parts or not all(value > 0 for value in parts[1:]):
            raise ConfigError(
                f"trial {trial.number} has no user attribute {PARTS!r} that can be combined, a list of numbers of "
                f"which all but the first are above 0: it is {parts!r}"
            )
        return parts


@dataclass(frozen=True)
class Trials:
    """What is known of a study.

    Parameters
    ----------
    sizes : tuple of int
        Candidate values of each parameter.
    places : list of Places
        Of the finished trials.
    parts : float array [trials, parts]
        What each trial's reward is made of; the first part counts as it is, the others by their logarithms. NaN in
        trials that gave nothing: their first part counts as worse than all by the range of the others.
    running : list of Places
        Of the trials that have not ended.
    """

    sizes: tuple[int, ...]
    places: list[Places]
    parts: np.ndarray
    running: list[Places]


def propose(
    trials: Trials,
    combine: Combine,
    exploration: float,
    sharpness: float,
    key: Callable[[Places], Hashable],
) -> Places:
    """Give the untried combination with the best bound that is found; if all were tried, the best.

    Parameters
    ----------
    trials : Trials
        At least two have parts.
    combine : Combine
        Must not fall where the first part rises, nor rise where another does.
    exploration : float
        Factor of the bound's width.
    sharpness : float
        A trial weighs as the share of others whose reward is smaller, to this power.
    key : callable
        Equal for combinations that are the same.
    """
    known = ~np.isnan(trials.parts[:, 0])
    rewards = np.array([combine(*each) for each in trials.parts[known]])
    bound = _bounds(trials, known, rewards, combine, exploration, sharpness)
    tried = {key(each) for each in (*trials.places, *trials.running)}
    order = np.flatnonzero(known)[np.argsort(-rewards, kind="stable")][:_STARTS]
    starts = (_climb(trials.places[k], trials.sizes, bound) for k in order)
    found = [_untried(start, trials.sizes, bound, lambda each: key(each) in tried) for start in starts]
    return max(found, key=lambda pair: pair[0])[1]


def _bounds(
    trials: Trials,
    known: np.ndarray,
    rewards: np.ndarray,
    combine: Combine,
    exploration: float,
    sharpness: float,
) -> Callable[[Sequence[Places]], np.ndarray]:
    """Fit the worths to the trials that are known; gives what tells the bounds on the rewards of combinations."""
    first = trials.parts[:, 0].copy()
    first[~known] = 2 * np.min(first[known]) - np.max(first[known])
    weights = np.ones(len(known))
    share = (rewards[:, None] > rewards).sum(axis=1) / max(1, len(rewards) - 1)
    weights[known] = share**sharpness * (1 - _LEAST_WEIGHT) + _LEAST_WEIGHT
    x = _indicators(trials.places, trials.sizes)
    quality = _Fit.of(x, first, weights)
    costs = [_Fit.of(x[known], np.log2(cost), weights[known]) for cost in trials.parts[known, 1:].T]
    deviation = np.std(first - quality.of_all(x))
    # A running trial will tell something, so that what it tries is less worth trying.
    every = np.concatenate([x, _indicators(trials.running, trials.sizes)])
    spread = np.linalg.inv(_gram(every, np.concatenate([weights, np.ones(len(trials.running))])))

    def bounds(combinations: Sequence[Places]) -> np.ndarray:
        rows = _indicators(combinations, trials.sizes)
        parts = [quality.of_all(rows), *(2 ** cost.of_all(rows) for cost in costs)]
        width = np.sqrt(np.einsum("ij,jk,ik->i", rows, spread, rows))
        expected = np.array([combine(*each) for each in zip(*parts, strict=True)])
        return expected + exploration * deviation * width

    return bounds


@dataclass(frozen=True)
class _Fit:
    """A mean, and what each value adds to it."""

    mean: float
    worths: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> "_Fit":
        mean = float(weights @ y / weights.sum())
        return cls(mean, np.linalg.solve(_gram(x, weights), (x * weights[:, None]).T @ (y - mean)))

    def of_all(self, x: np.ndarray) -> np.ndarray:
        return self.mean + x @ self.worths


def _gram(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (x * weights[:, None]).T @ x + _RIDGE * np.eye(x.shape[1])


def _indicators(combinations: Sequence[Places], sizes: Sequence[int]) -> np.ndarray:
    """Give a row for each combination: 1 at its values, and at the last, that all have."""
    rows = np.zeros((len(combinations), sum(sizes) + 1))
    rows[:, -1] = 1
    begins = np.cumsum([0, *sizes[:-1]])
    for row, each in zip(rows, combinations, strict=True):
        row[begins + each] = 1
    return rows


def _neighbours(places: Places, sizes: Sequence[int]) -> list[Places]:
    """Give the combinations that differ in one value."""
    return [
        (*places[:p], k, *places[p + 1 :])
        for p, size in enumerate(sizes)
        for k in range(size)
        if k != places[p]
    ]


def _climb(start: Places, sizes: Sequence[int], bound: Callable[[Sequence[Places]], np.ndarray]) -> Places:
    """Go from neighbour to better neighbour while there is one."""
    top, height = start, bound([start])[0]
    while around := _neighbours(top, sizes):
        heights = bound(around)
        k = int(heights.argmax())
        if heights[k] <= height:
            break
        top, height = around[k], heights[k]
    return top


def _untried(
    start: Places,
    sizes: Sequence[int],
    bound: Callable[[Sequence[Places]], np.ndarray],
    tried: Callable[[Places], bool],
) -> tuple[float, Places]:
    """Give the first combination that was not tried, with its bound, the best of those reached so far coming first."""
    first = float(bound([start])[0])
    heap, seen = [(-first, start)], {start}
    while heap:
        cost, places = heapq.heappop(heap)
        if not tried(places):
            return -cost, places
        around = [each for each in _neighbours(places, sizes) if each not in seen]
        seen.update(around)
        if around:
            for height, each in zip(bound(around), around, strict=True):
                heapq.heappush(heap, (-float(height), each))
    return first, start
