"""Methods, spaces and proxies beside each other, on the same candidates and at equal budget."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from gatewright.cosim.search.evaluate import Evaluate, Evaluation, Evaluator, Infeasible
from gatewright.cosim.search.pareto import hypervolume, pareto
from gatewright.cosim.search.records import DIRECTIONS
from gatewright.cosim.search.samplers import distributions, sampler
from gatewright.cosim.search.settings import SearchSettings
from gatewright.sw.search.bandit import note
from gatewright.sw.search.parameters import Kind
from gatewright.sw.search.space import Candidate, SearchSpace

Key = tuple

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


class Memory:
    """Evaluates each candidate once, however many searches ask; a search pays for what is new to itself.

    Parameters
    ----------
    evaluate : Evaluate
        Prepared for round 0.
    reward : callable
        Gives the reward of quality, cycles per step and stored bits.
    """

    def __init__(self, evaluate: Evaluate, reward: Callable[[float, float, float], float]):
        self._evaluate, self._reward = evaluate, reward
        self._found: dict[Key, Evaluation | Infeasible] = {}

    def __call__(self, candidate: Candidate) -> Evaluation | Infeasible:
        """Give the result of a candidate in round 0."""
        key = tuple(sorted(candidate.items()))
        if key not in self._found:
            found = self._evaluate(candidate, 0)
            if isinstance(found, Evaluation):
                reward = self._reward(found.quality, found.cycles, found.stored_bits)
                found = replace(found, reward=reward)
            self._found[key] = found
        return self._found[key]


Ask = Callable[[Candidate], Evaluation | Infeasible]
"""Evaluates a candidate."""

Samplers = Callable[[SearchSettings, int], BaseSampler]
"""Gives the sampler of the trial at a place of the order, as `samplers.sampler` does by the method of the settings."""

Objective = Callable[[Evaluation], list[float]]
"""What a study is told; as many values as it has directions."""


def by_reward(found: Evaluation) -> list[float]:
    """One objective: the reward."""
    return [found.reward]


def by_cycles(found: Evaluation) -> list[float]:
    """Quality, cycles per step and stored bits."""
    return found.parts


def by_macs(found: Evaluation) -> list[float]:
    """The same with multiply-accumulates in place of cycles: a proxy."""
    return [found.quality, float(found.macs), float(found.stored_bits)]


def search(
    space: SearchSpace,
    settings: SearchSettings,
    evaluate: Ask,
    objective: Objective = by_reward,
    seconds: float = math.inf,
    samplers: Samplers = sampler,
) -> list[Tried]:
    """Search a space in this process, in memory, to the limit of trials or of seconds; gives each candidate once.

    What is proposed again costs no trial, so that all methods evaluate as many candidates.

    Parameters
    ----------
    space : SearchSpace
    settings : SearchSettings
        Gives the method, the trials and the seed; its rounds are not looked at.
    evaluate : Ask
    objective : Objective
    seconds : float
        Seconds of evaluation that may be spent; those of a candidate count once.
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
        if spent >= seconds or len(known) == min(settings.trials, space.size) or stale == STALE:
            break
        study.sampler = samplers(settings, place)
        trial = study.ask(parameters)
        key = tuple(trial.params.items())
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


def gradient_search(
    evaluator: Evaluator, reward: Callable[[float, float, float], float], seconds: float
) -> list[Tried]:
    """Search by gradient (M3), from one rank of the space after the other, while there is budget.

    The training counts as well as the evaluations.
    """
    tried: list[Tried] = []
    spent = 0.0
    for place in count():
        if spent >= seconds:
            break
        begin = time.perf_counter()
        candidate, found = evaluator.by_gradient(place, 0)
        spent += time.perf_counter() - begin
        if isinstance(found, Evaluation):
            found = replace(found, reward=reward(found.quality, found.cycles, found.stored_bits))
            tried.append(Tried(candidate, found, spent))
    return tried


def sequential_search(
    space: SearchSpace, settings: SearchSettings, evaluate: Memory, objective: Objective, seconds: float
) -> list[Tried]:
    """Search one kind after the other, each for a third of the budget: density, then rank, then bits.

    What gave the largest reward is settled before the next kind is searched.
    """
    order: tuple[Kind, ...] = ("density", "rank", "bits")
    tried: list[Tried] = []
    settled = space.largest
    for number, kind in enumerate(order, 1):
        spent = tried[-1].seconds if tried else 0.0
        part = only(space, settled, kind)
        found = search(part, settings, evaluate, objective, number / len(order) * seconds - spent)
        tried += [replace(each, seconds=each.seconds + spent) for each in found]
        settled = max(tried, key=lambda each: each.found.reward).candidate
    return tried


def only(space: SearchSpace, settled: Candidate, *kinds: Kind) -> SearchSpace:
    """Give the space in which nothing but these kinds is chosen, and all else is settled."""
    return space.fixed(
        {name: value for name, value in settled.items() if name.rpartition(".")[2] not in kinds}
    )


def _whole_or_part(
    kinds: tuple[Kind, ...],
    space: SearchSpace,
    settings: SearchSettings,
    evaluate: Memory,
    objective: Objective,
    seconds: float,
) -> list[Tried]:
    return search(only(space, space.largest, *kinds), settings, evaluate, objective, seconds)


SPACES: dict[str, Callable[..., list[Tried]]] = {
    "joint": partial(_whole_or_part, ("rank", "bits", "density")),
    "bits": partial(_whole_or_part, ("bits",)),
    "rank": partial(_whole_or_part, ("rank",)),
    "density": partial(_whole_or_part, ("density",)),
    "sequential": sequential_search,
}
"""Searches of all kinds together, of one alone, and of one after the other; all take what `sequential_search` does."""


def front_of(tried: Sequence[Tried], objective: Objective = by_cycles) -> list[Tried]:
    """Give what no other dominates by an objective of `DIRECTIONS`."""
    points = [_minimised(objective(each.found)) for each in tried]
    return [tried[k] for k in pareto(points)]


def log_hypervolume(tried: Sequence[Tried], reference: Evaluation, points_below: float) -> float:
    """Give the hypervolume of quality, cycles and stored bits, in points times octaves squared.

    Cycles and bits count by their logarithms, as what is gained by compression is a factor. The reference point has the
    cycles and bits of `reference`, and a quality of `points_below` less.
    """
    limit = (points_below - reference.quality, *octaves(reference)[1:])
    return hypervolume([octaves(each.found) for each in tried], limit)


def octaves(found: Evaluation) -> tuple[float, float, float]:
    """Give what a hypervolume is measured of: quality with its sign turned, octaves of cycles and of bits."""
    return -found.quality, math.log2(found.cycles), math.log2(found.stored_bits)


def best_so_far(tried: Sequence[Tried]) -> Iterator[float]:
    """Give the largest reward behind each trial."""
    top = -math.inf
    for each in tried:
        top = max(top, each.found.reward)
        yield top


def _minimised(values: Sequence[float]) -> list[float]:
    return [-value if way == "maximize" else value for value, way in zip(values, DIRECTIONS, strict=True)]
