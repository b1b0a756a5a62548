"""The worth of candidate values: every hyper-parameter learns by itself which of its values are good.

Source: CN108764455A (2018) gives each hyper-parameter a range and a number of samples, and repeats: update the worths,
sample values, train, evaluate; the optimum of a hyper-parameter is its candidate with the largest worth. The cost is
linear in the hyper-parameters. Ours: a worth is the sample average of the rewards, values are sampled by an upper
confidence bound (P. Auer et al., Finite-time analysis of the multiarmed bandit problem, 2002), by soft-max or
ε-greedily, and the search begins with balanced random values. The default rule, ``additive``, is ours as well: the
worths of a combination's values add up (`additive`), and no combination is tried twice.
"""

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
from optuna.trial import FrozenTrial, Trial, TrialState

from gatewright.errors import ConfigError
from gatewright.sw.search.additive import Combine, Places, Trials, propose

REWARD = "reward"
"""User attribute of a trial that holds its reward (more is better), where a study has several objectives."""

PARTS = "parts"
"""User attribute of a trial that lists what its reward is made of, where that is to be learnt part by part."""

Rule = Literal["additive", "ucb", "softmax", "greedy"]
"""How values are sampled: the untried combination with the best bound on a sum of worths; or each value by itself, by
upper confidence bound, by soft-max of the worths, or ε-greedily."""

EXPLORATION = {"additive": 0.5, "ucb": 2.0}
"""The factor c of the rules that have one, unless told otherwise."""

_FEWEST = 2
"""Trials with a reward that worths can add up from."""


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
    rule : "additive", "ucb", "softmax" or "greedy"
    exploration : float, optional
        Of ``additive`` and ``ucb``, the factor of the bound's width, at least 0; of the latter c in
        ``Q + c·sqrt(ln t / N)``. `EXPLORATION` if left out.
    sharpness : float
        Of ``additive``: a trial weighs as the share of the others with a smaller reward to this power, at least 1. The
        larger, the more the best decide.
    temperature : float
        Of ``softmax``, above 0.
    epsilon : float
        Of ``greedy``, the share of random values, 0 to 1.
    startup : int
        Trials that take a random one of the values with the fewest samples, at least 0. Without them, parameters with
        as many candidates would stay in step for ever, as they share every reward. With ``additive`` it goes on until
        each value was tried.
    combine : callable, optional
        Of ``additive``: gives the reward of a trial's `PARTS`, of which the first counts as it is, the others, that
        must be above 0, by their logarithms; it may not fall with the first or rise with another. If left out, the
        reward is learnt as a whole.

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
        rule: Rule = "additive",
        exploration: float | None = None,
        sharpness: float = 2.0,
        temperature: float = 0.4,
        epsilon: float = 0.1,
        startup: int = 8,
        combine: Combine | None = None,
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
        self._epsilon, self._startup, self._combine = epsilon, startup, combine

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Give the parameters of all trials for ``additive``; nothing for the others, as they sample independently."""
        if self._rule != "additive":
            return {}
        return IntersectionSearchSpace(include_pruned=True).calculate(study)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the untried combination with the best bound, behind the random beginning."""
        candidates = {name: self._candidates(name, each) for name, each in search_space.items()}
        sizes = tuple(len(values) for values in candidates.values())

        def places(each: FrozenTrial) -> Places | None:
            found = [_index(values, each, name) for name, values in candidates.items()]
            return None if None in found else tuple(k for k in found if k is not None)

        finished = [(at, each) for each, _ in _rewarded(study) if (at := places(each)) is not None]
        running = [at for each in _running(study, trial) if (at := places(each)) is not None]
        tried = [*(at for at, _ in finished), *running]
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
            running,
        )
        chosen = propose(trials, self._combine or float, self._exploration, self._sharpness)
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
        unknown = before < self._startup or not counts.all() or not rewarded.all()
        if self._rule == "additive" or unknown:
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

    def _parts(self, study: Study, trial: FrozenTrial) -> list[float]:
        """Give what a finished trial's reward is made of: without `combine`, the reward."""
        if self._combine is None:
            return [_reward(study, trial)]
        parts = trial.user_attrs.get(PARTS)
        if not parts or not all(value > 0 for value in parts[1:]):
            raise ConfigError(
                f"trial {trial.number} has no user attribute {PARTS!r} that can be combined, a list of numbers of "
                f"which all but the first are above 0: it is {parts!r}"
            )
        return parts

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


def note(trial: Trial, reward: float, parts: Sequence[float]) -> None:
    """Note on a trial what the sampler learns from it, whatever the study's objectives are."""
    trial.set_user_attr(REWARD, reward)
    trial.set_user_attr(PARTS, list(parts))


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
