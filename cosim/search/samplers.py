"""The samplers behind one name each: bandits of ours, and Optuna's as baselines."""

from functools import partial
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from gatewright.cosim.search.settings import SearchSettings
from gatewright.sw.search.linear import LinearBanditSampler
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.search.worth import WorthSampler

_GENERATIONS = 5
"""Generations that NSGA-II gets at least; Optuna's own population of 50 would make small studies random."""

_SMALLEST_POPULATION = 4


def sampler(settings: SearchSettings, space: SearchSpace, place: int) -> BaseSampler:
    """Give a sampler for one trial.

    Each trial has a fresh one, whose random numbers follow from the seed and the trial's place in the order. What it
    knows is in the study, so that a resumed study proposes what the uninterrupted one would have.

    Parameters
    ----------
    settings : SearchSettings
    space : SearchSpace
        Tells which candidates are the same.
    place : int
        The trial's place in the order. The first ones take the candidates that are known.
    """
    if place < len(settings.known):
        return Given(settings.known[place])
    seed, aim = (int(each) for each in np.random.SeedSequence([settings.seed, place]).generate_state(2))
    match settings.method:
        # Bandits take their random numbers from the study's own count of trials.
        case "linear":
            scale = 2 ** (settings.spread * (aim / 2**31 - 1))
            reward = partial(settings.reward, scale=scale)
            return LinearBanditSampler(settings.seed, combine=reward, key=space.key)
        case "ucb" | "softmax" | "greedy":
            return WorthSampler(settings.seed, rule=settings.method)
        case "tpe":
            return TPESampler(seed=seed)
        case "nsga2":
            population = min(50, max(_SMALLEST_POPULATION, settings.trials // _GENERATIONS))
            return NSGAIISampler(population_size=population, seed=seed)
        case "random":
            return RandomSampler(seed=seed)
        case "entropy":
            # The trial begins without parameters: those that the gradient leads to are given to it when it ends.
            return Given({})


class Given(BaseSampler):
    """Takes all parameters from a candidate."""

    def __init__(self, candidate: Candidate):
        self._candidate = candidate

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Give nothing: each parameter is taken by itself."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give nothing."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Give the candidate's value."""
        return self._candidate[param_name]


def distributions(space: SearchSpace) -> dict[str, CategoricalDistribution]:
    """Give the parameters of a space as Optuna has them: all are categorical."""
    return {name: CategoricalDistribution(values) for name, values in space.choices.items()}
