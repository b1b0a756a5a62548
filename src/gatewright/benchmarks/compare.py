"""Searches in memory beside each other, on the same candidates and at equal budget."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.pareto import hypervolume, pareto
from gatewright.cosim.search.records import DIRECTIONS
from gatewright.cosim.search.samplers import distributions, sampler
from gatewright.cosim.search.settings import SearchSettings
from gatewright.sw.search.bandit import note
from gatewright.sw.search.distinct import Key
from gatewright.sw.search.space import Candidate, SearchSpace

STALE = 50
"""Known proposals in a row after which a search ends: they cost no budget, and a sampler may never leave them."""


@dataclass(frozen=True)
class Tried:
    """A candidate that a search tried.

    Parameters
    ----------
    candidate : Candidate
    found : Evaluation
    seconds : float
        Budget that was spent behind it.
    """

    candidate: Candidate
    found: Evaluation
    seconds: float


Ask = Callable[[Candidate], Evaluation | Infeasible]
"""Evaluates a candidate."""

Samplers = Callable[[SearchSettings, SearchSpace, int], BaseSampler]
"""Gives the sampler of the trial at a place of the order, as `samplers.sampler` does by the method of the settings."""

Objective = Callable[[Evaluation], list[float]]
"""What a study is told; as many values as it has directions."""


def by_reward(found: Evaluation) -> list[float]:
    """One objective: the reward."""
    return [found.reward]


def by_cycles(found: Evaluation) -> list[float]:
    """Quality, cycles per step and stored bits."""
    return found.parts


def search(
    space: SearchSpace,
    settings: SearchSettings,
    evaluate: Ask,
    objective: Objective = by_reward,
    samplers: Samplers = sampler,
) -> list[Tried]:
    """Search a space in this process, in memory, to the limit of trials; gives each model once.

    What is proposed again, by whatever name, costs no trial, so that all methods evaluate as many candidates.

    Parameters
    ----------
    space : SearchSpace
    settings : SearchSettings
        Gives the method, the trials and the seed; its rounds are not looked at.
    evaluate : Ask
    objective : Objective
    samplers : Samplers
    """
    directions = DIRECTIONS if objective is not by_reward else DIRECTIONS[:1]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=directions)
    parameters: dict[str, BaseDistribution] = {**distributions(space)}
    tried: list[Tried] = []
    known: set[Key] = set()
    spent, stale = 0.0, 0
    for place in count():
        if len(known) == min(settings.trials, space.size) or stale == STALE:
            break
        study.sampler = samplers(settings, space, place)
        trial = study.ask(parameters)
        key = space.key(trial.params)
        new = key not in known
        known.add(key)
        stale = 0 if new else stale + 1
        found = evaluate(trial.params)
        if isinstance(found, Infeasible):
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        note(trial, found.reward, found.parts)
        study.tell(trial, objective(found))
        if new:
            spent += found.seconds
            tried.append(Tried(dict(trial.params), found, spent))
    return tried


def every(space: SearchSpace) -> Iterator[Candidate]:
    """Yield every candidate of a space, those of the last parameter's values in a row."""
    for values in product(*space.choices.values()):
        yield dict(zip(space.choices, values, strict=True))


def only(space: SearchSpace, settled: Candidate, *kinds: str) -> SearchSpace:
    """Give the space in which nothing but these kinds is chosen, and all else is settled."""
    return space.fixed(
        {name: value for name, value in settled.items() if name.rpartition(".")[2] not in kinds}
    )


def front_of(tried: Sequence[Tried]) -> list[Tried]:
    """Give what no other dominates in quality, cycles and stored bits."""
    return [tried[k] for k in pareto([each.found.point for each in tried])]


def log_hypervolume(tried: Sequence[Tried], reference: Evaluation, points_below: float) -> float:
    """Give the hypervolume of quality, cycles and stored bits, in points times octaves squared.

    Cycles and bits count by their logarithms, as what is gained by compression is a factor. The reference point has the
    cycles and bits of `reference`, and a quality of `points_below` less.
    """
    limit = (points_below - reference.quality, *octaves(*reference.parts)[1:])
    return hypervolume([octaves(*each.found.parts) for each in tried], limit)


def octaves(quality: float, cycles: float, stored_bits: float) -> tuple[float, float, float]:
    """Return what a hypervolume is measured of: quality with its sign turned, octaves of cycles and of bits."""
    return -quality, math.log2(cycles), math.log2(stored_bits)
