"""The worth of candidate values: every hyper-parameter learns by itself which of its values are good.

Source: CN108764455A (2018) gives each hyper-parameter a range and a number of samples, and repeats: update the worths,
sample values, train, evaluate; the optimum of a hyper-parameter is its candidate with the largest worth. The cost is
linear in the hyper-parameters. Ours: a worth is the sample average of the rewards, values are sampled by an upper
confidence bound (P. Auer et al., Finite-time analysis of the multiarmed bandit problem, 2002), by soft-max or
ε-greedily, and the search begins with balanced random values. The default rule, ``ranked``, is ours as well: rewards
count by their rank, as few bad combinations would else decide all averages, and no combination is tried twice.
"""

import heapq
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args
from zlib import crc32

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from gatewright.errors import ConfigError

REWARD = "reward"
"""User attribute of a trial that holds its reward (more is better), where a study has several objectives."""

Rule = Literal["ranked", "ucb", "softmax", "greedy"]
"""How values are sampled: the untried combination with the largest sum of bounds on ranked worths; or each value by
itself, by upper confidence bound, by soft-max of the worths, or ε-greedily."""

EXPLORATION = {"ranked": 0.1, "ucb": 2.0}
"""The factor c of the rules that have one, unless told otherwise."""

_UNTRIED = 1e3
"""Bound of a value without a reward: above all others."""


class WorthSampler(BaseSampler):
    """Samples every parameter by the worths of its candidate values, independently of the others.

    It keeps nothing: all follows from the seed and the study's trials, so that a resumed study goes on the same way.
    A value is preferred by its worth, in units of what the best reward is above the median one. Trials that still run
    count as samples of their values, so that parallel trials spread.

    Parameters
    ----------
    seed : int
    samples_per_hp : int
        Candidates that are drawn from a range of numbers, at least 1; log-uniformly where its scale is logarithmic. A
        categorical parameter's candidates are its choices.
    rule : "ranked", "ucb", "softmax" or "greedy"
    exploration : float, optional
        Of ``ranked`` and ``ucb``, the factor c in ``Q + c·sqrt(ln t / N)``, at least 0; `EXPLORATION` if left out.
    sharpness : float
        Of ``ranked``: a reward counts as the share of the others below it to this power, at least 1. The larger, the
        more the best decide.
    temperature : float
        Of ``softmax``, above 0.
    epsilon : float
        Of ``greedy``, the share of random values, 0 to 1.
    startup : int
        Trials that take a random one of the values with the fewest samples, at least 0. Without them, parameters with
        as many candidates would stay in step for ever, as they share every reward.

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
        rule: Rule = "ranked",
        exploration: float | None = None,
        sharpness: float = 8.0,
        temperature: float = 0.4,
        epsilon: float = 0.1,
        startup: int = 8,
    ):
        if rule not in get_args(Rule):
            raise ConfigError(f"rule must be one of {', '.join(get_args(Rule))}, not {rule!r}")
        if exploration is None:
            exploration = EXPLORATION.get(rule, 0.0)
        for name, value, legal, text in (
            ("samples_per_hp", samples_per_hp, samples_per_hp >= 1, "at least 1"),
            ("exploration", exploration, exploration >= 0, "at least 0"),
            ("sharpness", sharpness, sharpness >= 1, "at least 1"),
            ("temperature", temperature, temperature > 0, "above 0"),
            ("epsilon", epsilon, 0 <= epsilon <= 1, "from 0 to 1"),
            ("startup", startup, startup >= 0, "at least 0"),
        ):
            if not legal:
                raise ConfigError(f"{name} must be {text}, not {value}")
        self._seed, self._samples, self._rule = seed, samples_per_hp, rule
        self._exploration, self._sharpness, self._temperature = exploration, sharpness, temperature
        self._epsilon, self._startup = epsilon, startup

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Give the parameters of all trials for ``ranked``; nothing for the others, as they sample independently."""
        if self._rule != "ranked":
            return {}
        return IntersectionSearchSpace(include_pruned=True).calculate(study)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the untried combination with the largest sum of bounds, behind the random beginning."""
        finished, running = _rewarded(study), _running(study, trial)
        before = len(finished) + len(running)
        if not search_space or before < max(self._startup, 2) or len(finished) < 2:
            return {}
        rewards = np.array([reward for _, reward in finished])
        # A combination counts once, else the best would lose rank by being tried again.
        distinct = np.array(list({str(each.params): reward for each, reward in finished}.values()))
        below = (rewards[:, None] > distinct).sum(axis=1)
        weights = (below / max(1, len(distinct) - 1)) ** self._sharpness
        candidates = {name: self._candidates(name, each) for name, each in search_space.items()}
        bounds = []
        for name, values in candidates.items():
            weighted = [(each, weight) for (each, _), weight in zip(finished, weights, strict=True)]
            counts, totals, rewarded = _tally(values, name, weighted, running)
            known = totals / np.maximum(rewarded, 1)
            bonus = self._exploration * np.sqrt(math.log(before) / np.maximum(counts, 1))
            bounds.append(np.where(counts > 0, known + bonus, _UNTRIED))
        tried = {
            tuple(_index(values, each, name) for name, values in candidates.items())
            for each in (*(each for each, _ in finished), *running)
        }
        chosen = _best_new(bounds, tried)
        return {name: values[k] for (name, values), k in zip(candidates.items(), chosen, strict=True)}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Give the value of a parameter."""
        values = self._candidates(param_name, param_distribution)
        finished, running = _rewarded(study), _running(study, trial)
        before = len(finished) + len(running)
        random = np.random.default_rng([self._seed, crc32(param_name.encode()), before])
        counts, totals, rewarded = _tally(values, param_name, finished, running)
        if before < self._startup or not counts.all() or not rewarded.all():
            return values[random.choice(np.flatnonzero(counts == counts.min()))]
        # Equal rewards count once, else the unit would shrink as the search settles.
        rewards = sorted({reward for _, reward in finished})
        unit = (rewards[-1] - float(np.median(rewards))) or 1.0
        return values[self._choose(totals / rewarded / unit, counts, before, random)]

    def _choose(
        self, worths: np.ndarray, counts: np.ndarray, before: int, random: np.random.Generator
    ) -> int:
        """Give the place of the value to take; of equal ones the first."""
        if self._rule == "softmax":
            weights = np.exp((worths - worths.max()) / self._temperature)
            return int(random.choice(len(worths), p=weights / weights.sum()))
        if self._rule == "greedy":
            if random.random() < self._epsilon:
                return int(random.integers(len(worths)))
            return int(worths.argmax())
        return int((worths + self._exploration * np.sqrt(math.log(before) / counts)).argmax())

    def _candidates(self, name: str, distribution: BaseDistribution) -> Sequence[Any]:
        """Give a parameter's candidate values, the same in every trial."""
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices
        if not isinstance(distribution, IntDistribution | FloatDistribution):
            raise ConfigError(f"{name} must be categorical or a range of numbers, not {distribution}")
        low, high = float(distribution.low), float(distribution.high)
        draws = np.random.default_rng([self._seed, crc32(name.encode())]).random(self._samples)
        drawn = low * (high / low) ** draws if distribution.log else low + (high - low) * draws
        if step := distribution.step:
            drawn = low + np.round((drawn - low) / step) * step
        kind = int if isinstance(distribution, IntDistribution) else float
        return sorted({kind(min(max(value, low), high)) for value in drawn.tolist()})


def worths(study: Study) -> dict[str, dict[Any, float]]:
    """Give the worth of every value that was tried, by parameter: the mean reward of the trials that had it."""
    rewards: dict[str, dict[Any, list[float]]] = {}
    for trial, reward in _rewarded(study):
        for name, value in trial.params.items():
            rewards.setdefault(name, {}).setdefault(value, []).append(reward)
    return {
        name: {value: sum(each) / len(each) for value, each in by_value.items()}
        for name, by_value in rewards.items()
    }


def separate_optima(study: Study) -> dict[str, Any]:
    """Give each parameter's value with the largest worth, of equal ones the first tried.

    The combination may never have been tried together.
    """
    return {name: max(by_value, key=by_value.__getitem__) for name, by_value in worths(study).items()}


def _rewarded(study: Study) -> list[tuple[FrozenTrial, float]]:
    """Give the finished trials with their rewards: a pruned one has the least reward of all, as it gave nothing."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = study.get_trials(deepcopy=False, states=states)
    rewards = [_reward(study, trial) for trial in trials if trial.state == TrialState.COMPLETE]
    least = min(rewards, default=0.0)
    return [
        (trial, _reward(study, trial) if trial.state == TrialState.COMPLETE else least) for trial in trials
    ]


def _tally(
    values: Sequence[Any],
    name: str,
    finished: Sequence[tuple[FrozenTrial, float]],
    running: Sequence[FrozenTrial],
) -> np.ndarray:
    """Give for each value of a parameter the trials that have it, the sum of their rewards, and how many have one."""
    counts, totals, rewarded = tally = np.zeros((3, len(values)))
    for each, reward in finished:
        if (k := _index(values, each, name)) is not None:
            counts[k] += 1
            totals[k] += reward
            rewarded[k] += 1
    for each in running:
        if (k := _index(values, each, name)) is not None:
            counts[k] += 1
    return tally


def _running(study: Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """Give the trials that run beside this one."""
    states = (TrialState.RUNNING,)
    return [each for each in study.get_trials(deepcopy=False, states=states) if each.number != trial.number]


def _best_new(bounds: Sequence[np.ndarray], tried: set[tuple]) -> tuple[int, ...]:
    """Give the places of the combination with the largest sum of bounds that was not tried; if all were, the largest.

    Combinations come in the order of their sums: a worse one is reached from a better one by one step to the next
    best value of one parameter.
    """
    orders = [np.argsort(-each, kind="stable") for each in bounds]

    def places(steps: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(int(order[step]) for order, step in zip(orders, steps, strict=True))

    def cost(steps: tuple[int, ...]) -> float:
        return -sum(float(each[k]) for each, k in zip(bounds, places(steps), strict=True))

    first = (0,) * len(bounds)
    heap, seen = [(cost(first), first)], {first}
    while heap:
        _, steps = heapq.heappop(heap)
        if places(steps) not in tried:
            return places(steps)
        for k, order in enumerate(orders):
            following = (*steps[:k], steps[k] + 1, *steps[k + 1 :])
            if steps[k] + 1 < len(order) and following not in seen:
                seen.add(following)
                heapq.heappush(heap, (cost(following), following))
    return places(first)


def _reward(study: Study, trial: FrozenTrial) -> float:
    if len(study.directions) > 1:
        if REWARD not in trial.user_attrs:
            raise ConfigError(
                f"trial {trial.number} has no user attribute {REWARD!r}: in a study of several objectives it is what "
                "values are worth"
            )
        return float(trial.user_attrs[REWARD])
    assert trial.value is not None
    return trial.value if study.direction == StudyDirection.MAXIMIZE else -trial.value


def _index(values: Sequence[Any], trial: FrozenTrial, name: str) -> int | None:
    """Give the place of a trial's value among the candidates, if it has one of them."""
    value = trial.params.get(name, _MISSING)
    return next((k for k, each in enumerate(values) if each == value), None)


_MISSING = object()
