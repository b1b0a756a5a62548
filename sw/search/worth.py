"""The worth of candidate values: every hyper-parameter learns by itself which of its values are good.

Source: CN108764455A (2018) gives each hyper-parameter a range and a number of samples, and repeats: update the worths,
sample values, train, evaluate; the optimum of a hyper-parameter is its candidate with the largest worth. The cost is
linear in the hyper-parameters. Ours: a worth is the sample average of the rewards, values are sampled by an upper
confidence bound (P. Auer et al., Finite-time analysis of the multiarmed bandit problem, 2002), by soft-max or
ε-greedily, and the search begins with balanced random values.
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
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from gatewright.errors import ConfigError

REWARD = "reward"
"""User attribute of a trial that holds its reward (more is better), where a study has several objectives."""

Rule = Literal["ucb", "softmax", "greedy"]
"""How values are sampled: upper confidence bound, soft-max of the worths, or ε-greedily."""


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
    rule : "ucb", "softmax" or "greedy"
    exploration : float
        Of ``ucb``, the factor c in ``Q + c·sqrt(ln t / N)``, at least 0.
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
        rule: Rule = "ucb",
        exploration: float = 2.0,
        temperature: float = 0.4,
        epsilon: float = 0.1,
        startup: int = 12,
    ):
        if rule not in get_args(Rule):
            raise ConfigError(f"rule must be one of {', '.join(get_args(Rule))}, not {rule!r}")
        for name, value, legal, text in (
            ("samples_per_hp", samples_per_hp, samples_per_hp >= 1, "at least 1"),
            ("exploration", exploration, exploration >= 0, "at least 0"),
            ("temperature", temperature, temperature > 0, "above 0"),
            ("epsilon", epsilon, 0 <= epsilon <= 1, "from 0 to 1"),
            ("startup", startup, startup >= 0, "at least 0"),
        ):
            if not legal:
                raise ConfigError(f"{name} must be {text}, not {value}")
        self._seed, self._samples, self._rule = seed, samples_per_hp, rule
        self._exploration, self._temperature = exploration, temperature
        self._epsilon, self._startup = epsilon, startup

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Give nothing: all parameters are independent."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give nothing: all parameters are independent."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Give the value of a parameter."""
        values = self._candidates(param_name, param_distribution)
        finished = _rewarded(study)
        running = [
            each
            for each in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if each.number != trial.number
        ]
        before = len(finished) + len(running)
        random = np.random.default_rng([self._seed, crc32(param_name.encode()), before])
        counts = np.zeros(len(values))
        totals = np.zeros(len(values))
        rewarded = np.zeros(len(values))
        for each in (*(each for each, _ in finished), *running):
            if (k := _index(values, each, param_name)) is not None:
                counts[k] += 1
        for each, reward in finished:
            if (k := _index(values, each, param_name)) is not None:
                totals[k] += reward
                rewarded[k] += 1
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
