"""The worth of candidate values: every hyper-parameter learns by itself which of its values are good.

Source: CN108764455A (2018) gives each hyper-parameter a range and a number of samples, and repeats: update the worths,
sample values, train, evaluate; the optimum of a hyper-parameter is its candidate with the largest worth. The cost is
linear in the hyper-parameters. Ours: one bandit for each hyper-parameter, with a shared reward; a worth is the sample
average of the rewards; values are sampled by an upper confidence bound (P. Auer et al., Finite-time analysis of the
multiarmed bandit problem, 2002), by soft-max, or ε-greedily; the search begins with balanced random values. The
combination of the separate optima may never have been trained: who searches evaluates it once, and shows it beside the
best trial.
"""

import math
from typing import Any, Literal, get_args

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial

from gatewright.errors import ConfigError
from gatewright.sw.search.bandit import (
    STARTUP,
    BanditSampler,
    check_values,
    place_of,
    places,
    rewarded,
    running,
)

Rule = Literal["ucb", "softmax", "greedy"]
"""How a value is sampled: by upper confidence bound, by soft-max of the worths, or ε-greedily."""


class WorthSampler(BanditSampler):
    """Samples every parameter by the worths of its candidate values, independently of the others.

    A worth counts in units of what the best reward is above the median one.

    Parameters
    ----------
    seed, samples_per_hp, startup
        As `BanditSampler` has them.
    rule : "ucb", "softmax" or "greedy"
    exploration : float
        Of ``ucb``: c in ``Q + c·sqrt(ln t / N)``, at least 0.
    temperature : float
        Of ``softmax``, above 0.
    epsilon : float
        Of ``greedy``, the share of random values, 0 to 1.

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
        startup: int = STARTUP,
    ):
        super().__init__(seed, samples_per_hp, startup)
        if rule not in get_args(Rule):
            raise ConfigError(f"rule must be one of {', '.join(get_args(Rule))}, not {rule!r}")
        check_values(
            ("exploration", exploration, exploration >= 0, "at least 0"),
            ("temperature", temperature, temperature > 0, "above 0"),
            ("epsilon", epsilon, 0 <= epsilon <= 1, "from 0 to 1"),
        )
        self._rule, self._exploration = rule, exploration
        self._temperature, self._epsilon = temperature, epsilon

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the value of a parameter; one that has no reward yet comes first."""
        values = self.candidates(param_name, param_distribution)
        finished = rewarded(study)
        beside = running(study, trial)
        before = len(finished) + len(beside)
        counts, totals = np.zeros((2, len(values)))
        for each, reward in finished:
            if (k := place_of(values, each, param_name)) is not None:
                counts[k] += 1
                totals[k] += reward
        if before < self._startup or not counts.all():
            return super().sample_independent(study, trial, param_name, param_distribution)
        # Equal rewards count once, else the unit would shrink as the search settles.
        rewards = sorted({reward for _, reward in finished})
        unit = (rewards[-1] - float(np.median(rewards))) or 1.0
        tried = counts + np.bincount(places(values, beside, param_name), minlength=len(values))
        return values[self._choose(totals / counts / unit, tried, before, self.random(param_name, before))]

    def _choose(
        self, worths: np.ndarray, counts: np.ndarray, before: int, random: np.random.Generator
    ) -> int:
        """Return the place of the value to take; of equal ones the first."""
        if self._rule == "softmax":
            weights = np.exp((worths - worths.max()) / self._temperature)
            return int(random.choice(len(worths), p=weights / weights.sum()))
        if self._rule == "greedy":
            if random.random() < self._epsilon:
                return int(random.integers(len(worths)))
            return int(worths.argmax())
        return int((worths + self._exploration * np.sqrt(math.log(before) / counts)).argmax())


def worths(study: Study) -> dict[str, dict[Any, float]]:
    """Return the worth of every value that was tried, by parameter: the mean reward of the trials that had it."""
    rewards: dict[str, dict[Any, list[float]]] = {}
    for trial, reward in rewarded(study):
        for name, value in trial.params.items():
            rewards.setdefault(name, {}).setdefault(value, []).append(reward)
    return {
        name: {value: sum(each) / len(each) for value, each in by_value.items()}
        for name, by_value in rewards.items()
    }


def separate_optima(study: Study) -> dict[str, Any]:
    """Return each parameter's value with the largest worth, of equal ones the first tried.

    The combination may never have been tried together.
    """
    return {name: max(by_value, key=by_value.__getitem__) for name, by_value in worths(study).items()}
