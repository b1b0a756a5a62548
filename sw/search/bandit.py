"""What bandits share: what they learn from a study, the candidate values of ranges, and a balanced beginning."""

from collections.abc import Sequence
from typing import Any
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
from optuna.trial import FrozenTrial, Trial, TrialState

from gatewright.errors import ConfigError

REWARD = "reward"
"""User attribute of a trial that holds its reward (more is better), where a study has several objectives."""

PARTS = "parts"
"""User attribute of a trial that lists what its reward is made of, where that is to be learnt part by part."""

STARTUP = 8
"""Trials of a balanced beginning, unless told otherwise."""

_MISSING = object()


class BanditSampler(BaseSampler):
    """Samples the values with the fewest trials at random: how every bandit begins.

    It keeps nothing: all follows from the seed and the study's trials, so that a resumed study goes on the same way.
    Trials that still run count as samples of their values, so that parallel trials spread.

    Parameters
    ----------
    seed : int
    samples_per_hp : int
        Candidates that are drawn from a range of numbers, at least 1; log-uniformly where its scale is logarithmic. A
        categorical parameter's candidates are its choices.
    startup : int
        Trials of the beginning, at least 0. Without them, parameters with as many candidates would stay in step for
        ever, as they share every reward.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    def __init__(self, seed: int, samples_per_hp: int, startup: int):
        check_values(
            ("samples_per_hp", samples_per_hp, samples_per_hp >= 1, "at least 1"),
            ("startup", startup, startup >= 0, "at least 0"),
        )
        self._seed, self._samples, self._startup = seed, samples_per_hp, startup

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: each parameter is sampled by itself."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return one of the values with the fewest samples."""
        values = self.candidates(param_name, param_distribution)
        before = [*(each for each, _ in rewarded(study)), *running(study, trial)]
        counts = np.bincount(places(values, before, param_name), minlength=len(values))
        random = self.random(param_name, len(before))
        return values[random.choice(np.flatnonzero(counts == counts.min()))]

    def random(self, name: str, before: int) -> np.random.Generator:
        """Return the random numbers of a parameter behind so many trials."""
        return np.random.default_rng([self._seed, crc32(name.encode()), before])

    def candidates(self, name: str, distribution: BaseDistribution) -> Sequence[Any]:
        """Return a parameter's candidate values, the same in every trial."""
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


def check_values(*checked: tuple[str, float, bool, str]) -> None:
    """Refuse values, each given with its name, whether it is legal, and the legal range in words."""
    for name, value, legal, text in checked:
        if not legal:
            raise ConfigError(f"{name} must be {text}, not {value}")


def note(trial: Trial, reward: float, parts: Sequence[float]) -> None:
    """Note on a trial what bandits learn from it, whatever the study's objectives are."""
    trial.set_user_attr(REWARD, reward)
    trial.set_user_attr(PARTS, list(parts))


def rewarded(study: Study) -> list[tuple[FrozenTrial, float]]:
    """Return the finished trials with their rewards: a pruned one has the least reward of all, as it gave nothing."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    rewards = {
        trial.number: reward_of(study, trial) for trial in trials if trial.state == TrialState.COMPLETE
    }
    least = min(rewards.values(), default=0.0)
    return [(trial, rewards.get(trial.number, least)) for trial in trials]


def running(study: Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """Return the trials that run beside this one."""
    states = (TrialState.RUNNING,)
    return [each for each in study.get_trials(deepcopy=False, states=states) if each.number != trial.number]


def reward_of(study: Study, trial: FrozenTrial) -> float:
    """Return the reward of a complete trial: its value, or what `note` noted where there are several objectives.

    Raises
    ------
    ConfigError
        Nothing was noted.
    """
    if len(study.directions) > 1:
        if REWARD not in trial.user_attrs:
            raise ConfigError(
                f"trial {trial.number} has no user attribute {REWARD!r}: in a study of several objectives it is what "
                "values are worth"
            )
        return float(trial.user_attrs[REWARD])
    assert trial.value is not None
    return trial.value if study.direction == StudyDirection.MAXIMIZE else -trial.value


def place_of(values: Sequence[Any], trial: FrozenTrial, name: str) -> int | None:
    """Return the place of a trial's value among the candidates, if it has one of them."""
    value = trial.params.get(name, _MISSING)
    return next((k for k, each in enumerate(values) if each == value), None)


def places(values: Sequence[Any], trials: Sequence[FrozenTrial], name: str) -> np.ndarray:
    """Return the places of the values of all trials that have one of the candidates."""
    found = [place_of(values, each, name) for each in trials]
    return np.array([k for k in found if k is not None], dtype=int)
