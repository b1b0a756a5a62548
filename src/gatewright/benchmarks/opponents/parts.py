"""The parts of a comparison: each method on each task with each seed, stored when it is done."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewright.benchmarks.compare import Tried, front_of, octaves
from gatewright.benchmarks.opponents.arena import OURS, SEARCHES, Arena
from gatewright.benchmarks.opponents.problem import Problem, check_aim, uncompressed
from gatewright.benchmarks.opponents.trained import by_gradient, simplified, widths_with_beacons
from gatewright.cosim.search.evaluation import Evaluation
from gatewright.cosim.search.pareto import choose, hypervolume
from gatewright.errors import RunFolderError
from gatewright.progress import Progress, silent
from gatewright.storage import write_json

SIMPLIFY, BEACONS, ENTROPY = "simplify alone", "widths with beacons", "entropy"
KNOWN = (*SEARCHES, SIMPLIFY, BEACONS, ENTROPY)
"""All methods: the searches by candidates, and those that train models of their own."""

METHODS = (
    OURS,
    "grid by hand",
    "one after the other",
    SIMPLIFY,
    "random",
    "tpe",
    "tpe, multivariate",
    "nsga2",
    "nsga2 on surrogate",
    BEACONS,
    ENTROPY,
)
"""Those that are compared: the default method and its strongest opponents. `regret` has the other searches too."""


@dataclass(frozen=True)
class Part:
    """What a method found with one seed.

    Parameters
    ----------
    method : str
    candidates : int
        Distinct ones that it tried.
    seconds : float
        CPU seconds of evaluating these, each as if no other method had asked, and of what it trained to do so.
    training_seconds : float
        CPU seconds of training its points in full.
    quick_volume : float, optional
        Hypervolume of its candidates by their quick scores, down to `Scale.quick_below`; None of `SIMPLIFY`, which has
        none.
    volume : float
        That of its points by their scores on the test split, down to `Scale.below`.
    points : list of dict
        ``score``, ``quality``, ``cycles`` and ``stored_bits`` of each point, and its ``candidate`` where it was one;
        the point with the largest reward comes first.
    """

    method: str
    candidates: int
    seconds: float
    training_seconds: float
    quick_volume: float | None
    volume: float
    points: list[dict]


class Contest:
    """One problem on which methods search: its judges, and the folder of what they found.

    Parameters
    ----------
    problem : Problem
    folder : Path
        Holds what `Problem.prepare` made.
    progress : Progress
    """

    def __init__(self, problem: Problem, folder: Path, progress: Progress = silent):
        self._problem, self._folder, self._progress = problem, folder, progress
        self._quick, self._full = problem.quick(folder), problem.full(folder, progress)
        self._reference = uncompressed(problem.space, self._quick)
        self._settings = problem.settings(self._reference, problem.seed)
        check_aim(problem.space, self._quick, self._settings)

    def has(self, method: str) -> bool:
        """Tell whether a method's part is done."""
        return self._path(method).exists()

    def part(self, method: str) -> Part:
        """Return what a method found, from the folder where its part is done."""
        if not self.has(method):
            write_json(self._path(method), vars(self._run(method)))
        return read_part(self._path(method))

    def pooled(self, parts: Sequence[Part]) -> float:
        """Return the hypervolume of the points of several methods together: no choice among them reaches more."""
        points = [point for part in parts for point in part.points]
        costs = [octaves(point["quality"], point["cycles"], point["stored_bits"]) for point in points]
        return hypervolume(costs, self._test_limit)

    def _path(self, method: str) -> Path:
        return self._folder / f"{method.replace(',', '').replace(' ', '-')}.json"

    def _run(self, method: str) -> Part:
        if method == SIMPLIFY:
            return self._simplified()
        spent = 0.0
        if method == BEACONS:
            tried, beacons = widths_with_beacons(self._problem, self._settings)
            spent = beacons.seconds
        elif method == ENTROPY:
            tried = by_gradient(self._problem, self._quick, self._equal_seconds, self._progress)
        else:
            tried = SEARCHES[method](Arena(self._problem.space, self._settings, self._quick))
        candidates = [each.candidate for each in self._chosen(tried)]
        found = [(candidate, self._full(candidate)) for candidate in candidates]
        points = [(candidate, each) for candidate, each in found if isinstance(each, Evaluation)]
        return Part(
            method,
            len(tried),
            spent + (tried[-1].seconds if tried else 0.0),
            sum(each.seconds for _, each in points),
            _volume([each.found for each in tried], self._quick_limit),
            _volume([each for _, each in points], self._test_limit),
            [_point(each) | {"candidate": candidate} for candidate, each in points],
        )

    def _simplified(self) -> Part:
        found = list(simplified(self._problem, self._progress))
        points = [each for each, _, _ in found]
        best = sorted(points, key=lambda each: -self._settings.reward(*each.parts))
        return Part(
            SIMPLIFY,
            sum(rounds for _, rounds, _ in found),
            0.0,
            sum(seconds for _, _, seconds in found),
            None,
            _volume(points, self._test_limit),
            [_point(each) for each in best],
        )

    @property
    def _equal_seconds(self) -> float:
        """Seconds that training the super network takes, and all the candidates of a method."""
        return self._problem.notes["super_seconds"] + self._problem.scale.trials * self._reference.seconds

    def _chosen(self, tried: Sequence[Tried]) -> list[Tried]:
        """Return the points that are trained in full: that of the largest reward, and those that add most volume."""
        front = front_of(tried)
        if not front:
            return []
        rewards = [self._settings.reward(*each.found.parts) for each in front]
        first = [rewards.index(max(rewards))]
        points = [octaves(*each.found.parts) for each in front]
        return [front[k] for k in choose(points, self._quick_limit, self._problem.scale.points, first)]

    @property
    def _quick_limit(self) -> tuple[float, float, float]:
        """The point that volumes by quick scores are measured from: below the uncompressed model."""
        return self._limit(self._reference.quality, self._problem.scale.quick_below)

    @property
    def _test_limit(self) -> tuple[float, float, float]:
        """The point that volumes on the test split are measured from: below the float model that trained as long."""
        score = self._problem.notes["longer_float_score"]["test"]
        return self._limit(self._problem.task.metric.quality(score), self._problem.scale.below)

    def _limit(self, quality: float, below: float) -> tuple[float, float, float]:
        """Return a quality, with cycles and bits of the uncompressed 8-bit model."""
        _, cycles, bits = octaves(*self._reference.parts)
        return below - quality, cycles, bits


def read_part(path: Path) -> Part:
    """Read a part.

    Raises
    ------
    RunFolderError
        It is malformed.
    """
    try:
        return Part(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(
            f"{path}: no part of a comparison ({error!r}); delete it to run it again"
        ) from error


def _volume(found: Sequence[Evaluation], limit: tuple[float, float, float]) -> float:
    return hypervolume([octaves(*each.parts) for each in found], limit)


def _point(found: Evaluation) -> dict:
    return {
        "score": found.score,
        "quality": found.quality,
        "cycles": found.cycles,
        "stored_bits": found.stored_bits,
    }
