"""The methods that train models of their own while they search: simplifying, widths with beacons, and by gradient."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np

from gatewright.benchmarks.compare import Ask, Tried
from gatewright.benchmarks.opponents.arena import Arena, widths_alone
from gatewright.benchmarks.opponents.problem import Problem
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.settings import SearchSettings
from gatewright.errors import DivergenceError
from gatewright.flow.size import stored_bits
from gatewright.progress import Progress, silent
from gatewright.sw.compress import Requirement, SimplifySettings, compress_to
from gatewright.sw.compress.quantise import QuantisedNetwork, train_quantised
from gatewright.sw.determinism import seeded
from gatewright.sw.search.differentiable import entropy_search, starts
from gatewright.sw.search.distinct import Key
from gatewright.sw.search.settings import EntropySettings
from gatewright.sw.search.space import Candidate
from gatewright.sw.search.supernet import SuperNetwork

LOSSES = (0.05, 0.15, 0.4)
"""What a simplified model may lose, as shares of `Scale.below`: each gives one point."""

REACH = 1.0
"""Octaves of widths, over all matrices, that a beacon lends its weights over; beyond, candidates get their own."""


def simplified(problem: Problem, progress: Progress = silent) -> Iterator[tuple[Evaluation, int, float]]:
    """Simplify the float model, retrain it and narrow its weights as far as each of `LOSSES` lets it; no search.

    Yields
    ------
    point : Evaluation
        Its score on the test split.
    rounds : int
        Models that were trained and judged on the way.
    seconds : float
    """
    task, scale = problem.task, problem.scale
    sign = 1 if task.metric.more_is_better else -1
    how = SimplifySettings(lanes=scale.lanes, round_epochs=max(1, scale.quantise_epochs))
    for loss in LOSSES:
        begin = time.process_time()
        wanted = problem.notes["float_score"]["validation"] - sign * loss * scale.below
        outcome = compress_to(
            task,
            problem.dense,
            Requirement(wanted, 1),
            lambda bundle: stored_bits(bundle, how.lanes),
            problem.tune,
            how,
            progress,
        )
        found = problem.judged(outcome.bundle, outcome.bundle.notes["scores"]["test"], begin)
        yield found, len(outcome.rounds), time.process_time() - begin


class Beacons:
    """Scores candidates of other widths with the weights of the nearest model that was retrained.

    Source: MOHAQ (arXiv 2108.01192) searches the precision of recurrent networks by NSGA-II; retrained models, the
    beacons, lend their weights to candidates near them. Ours: the distance, and that a beacon begins with the super
    network's weights.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem):
        self._problem = problem
        self._beacons: list[tuple[np.ndarray, SuperNetwork]] = []
        self.seconds = 0.0

    def __len__(self) -> int:
        return len(self._beacons)

    def __call__(self, candidate: Candidate) -> Evaluation | Infeasible:
        """Score a candidate, after a beacon of its own was trained where none is near."""
        octaves = self._octaves(candidate)
        nearest = min(self._beacons, key=lambda each: self._distance(each[0], octaves), default=None)
        if nearest is None or self._distance(nearest[0], octaves) > REACH:
            nearest = octaves, self._trained(candidate)
            self._beacons.append(nearest)
        return self._problem.cut(nearest[1], candidate)

    def _octaves(self, candidate: Candidate) -> np.ndarray:
        products = self._problem.space.spec(candidate).products.values()
        return np.log2([product.bits for product in products])

    def _distance(self, one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one - other).sum())

    def _trained(self, candidate: Candidate) -> SuperNetwork:
        begin = time.process_time()
        problem = self._problem
        spec = problem.space.spec(candidate)
        with seeded(problem.seed):
            network = problem.supernet.subnetwork(spec)
            student = QuantisedNetwork(network, spec, problem.sample)
            train_quantised(problem.task, problem.dense, student, problem.tune, "beacon")
        self.seconds += time.process_time() - begin
        return SuperNetwork.of(replace(problem.dense, network=student.masters.requires_grad_(False).eval()))


def widths_with_beacons(problem: Problem, settings: SearchSettings) -> tuple[list[Tried], Beacons]:
    """Search widths alone by NSGA-II; everything else stays whole (MOHAQ)."""
    beacons = Beacons(problem)
    return widths_alone(Arena(problem.space, settings, beacons)), beacons


def by_gradient(problem: Problem, ask: Ask, seconds: float, progress: Progress = silent) -> list[Tried]:
    """Search by gradient, from one beginning after the other, for some seconds of CPU.

    Each training counts as well as the evaluation of what it chose; what was chosen before is not given again.
    """
    settings = replace(
        EntropySettings.of(problem.tune), epochs=problem.scale.gradient_epochs, seed=problem.seed
    )
    tried: dict[Key, Tried] = {}
    spent = 0.0
    for place in count():
        if spent >= seconds:
            break
        begin = time.process_time()
        base, each = starts(problem.space, settings, problem.seed, place)
        try:
            chosen = entropy_search(
                problem.task, problem.dense, problem.space, base, each, progress
            ).candidate
            found = ask(chosen)
        except DivergenceError:
            found = Infeasible("it diverged")
        spent += time.process_time() - begin
        if isinstance(found, Evaluation):
            tried.setdefault(problem.space.key(chosen), Tried(chosen, found, spent))
    return [*tried.values()]
