"""A study's folder read back: rows on disk become checked, typed figures."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from gatewright.clock import Clock
from gatewright.errors import RunFolderError
from gatewright.reports import candidates, comparisons
from gatewright.reports.candidates import FOUND, UNCOMPRESSED, Point, Target, Trial
from gatewright.reports.comparisons import Discretisation
from gatewright.reports.metrics import Metric, metric_of
from gatewright.results import Rows, read_rows
from gatewright.run import StudyFiles
from gatewright.texts import read_object

Part = TypeVar("Part")

METHODS = {
    "linear": "linear bandit",
    "ucb": "worth of values, upper confidence bound",
    "softmax": "worth of values, soft-max",
    "greedy": "worth of values, ε-greedy",
    "entropy": "gradient search with entropy losses",
    "tpe": "tree-structured Parzen estimator (Optuna)",
    "nsga2": "NSGA-II (Optuna)",
    "random": "random candidates (Optuna)",
}
"""Methods of search by the name that commands take."""

BENCHMARKS = ("discretisation",)
"""Benchmarks whose rows a study's report shows where they lie beside it."""


@dataclass(frozen=True)
class Goal:
    """What a search aims at, was asked for, or must keep to.

    Parameters
    ----------
    what : str
        ``score``, ``cycles`` or ``bits``, or a resource.
    value : float
    kind : "aim", "target" or "limit"
        An aim is the search's own, where nobody asked for a target; no recommended point passes a limit.
    """

    what: str
    value: float
    kind: Literal["aim", "target", "limit"]


@dataclass(frozen=True)
class Study:
    """All that a study's folder tells; what has not been run is None or empty.

    Parameters
    ----------
    files, settings, rows
        Where it lies; what was decided when it was made; rows by what they are of.
    metric : Metric
        Of the task.
    goals : list of Goal
        Aims and targets, then limits.
    trials, targets, points : lists
        In order; points from few to many cycles.
    stopped : str or None
        Why the search ended.
    refused : dict of int
        Trials whose hardware does not fit the device, by what it lacks.
    recommended : str or None
        The name of the point that the search recommends.
    missed : list of str
        Targets that this point misses.
    floor : str
        What more cell lanes would save it, where they would; else empty.
    complaints : list of str
        Differences between predicted and measured counters of points.
    discretisation
        As `comparisons` reads it.
    scored : dict of float
        Positions that scores are taken over, by split; empty in older rows.
    """

    files: StudyFiles
    settings: dict
    rows: dict[str, Rows]
    metric: Metric
    goals: list[Goal]
    trials: list[Trial]
    targets: list[Target]
    stopped: str | None
    refused: dict[str, int]
    points: list[Point]
    recommended: str | None
    missed: list[str]
    floor: str
    complaints: list[str]
    discretisation: Discretisation | None
    scored: dict[str, float] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Point]:
        """Return the points of a kind, from few to many cycles."""
        return [point for point in self.points if point.kind == kind]

    def beaten_by(self, point: Point) -> list[str]:
        """Return the found points that are nowhere worse than a point, by validation score and costs, but better."""

        def costs(each: Point) -> tuple[float, float, float]:
            return -self.metric.quality(each.validation), each.measured, each.stored_bits

        mine = costs(point)
        others = {each.name: costs(each) for each in self.of_kind(FOUND) if costs(each) != mine}
        return [
            name for name, theirs in others.items() if all(a <= b for a, b in zip(theirs, mine, strict=True))
        ]

    @property
    def differences(self) -> list[float]:
        """Measured less predicted cycles per step, of all that was measured."""
        trials = [trial.measured - trial.predicted for trial in self.trials if trial.measured is not None]
        return trials + [point.measured - point.predicted for point in self.points]

    @property
    def compared(self) -> int:
        """Integers of the front that were compared."""
        return sum(point.compared for point in self.points)

    @property
    def mismatches(self) -> int:
        """Integers of the front that differ."""
        return sum(point.mismatches for point in self.points)

    @property
    def title(self) -> str:
        """What was searched on: the name of the data."""
        data = self.settings.get("data")
        source = data.get("source") if isinstance(data, dict) else None
        return Path(source).name if isinstance(source, str) else self.files.root.name

    @property
    def seed(self) -> int | None:
        """Of the search."""
        return _search(self.settings).get("seed")

    @property
    def method(self) -> str | None:
        """The name of the method that proposed the candidates."""
        return _search(self.settings).get("method")

    @property
    def clock(self) -> Clock | None:
        """What cycles are turned into time with; None in older studies."""
        asked = _search(self.settings).get("megahertz")
        return Clock(asked) if isinstance(asked, int | float) and asked > 0 else None

    @property
    def verdict(self) -> str:
        """``FAIL`` on any difference, ``PASS`` when every point of the front was proven, else ``INCOMPLETE``."""
        if self.mismatches or self.complaints or any(self.differences):
            return "FAIL"
        return "PASS" if self.points and all(point.proven for point in self.points) else "INCOMPLETE"

    @property
    def reference(self) -> Point | None:
        """The uncompressed model."""
        return next(iter(self.of_kind(UNCOMPRESSED)), None)

    @property
    def best(self) -> Point | None:
        """The recommended point."""
        return next((point for point in self.of_kind(FOUND) if point.name == self.recommended), None)


def read_study(folder: Path) -> Study:
    """Read a study's folder.

    Raises
    ------
    RunFolderError
        The folder is missing, holds no rows, or an entry is malformed; the text names file and entry.
    """
    files = StudyFiles(Path(folder))
    paths = {"trials": files.trials, "front": files.front}
    paths |= {name: files.benchmark(name) for name in BENCHMARKS}
    tables = {name: read_rows(path) for name, path in paths.items() if path.exists()}
    if not tables:
        raise RunFolderError(
            f"{folder}: no rows of a study ({', '.join(path.name for path in paths.values())}); "
            f"`{files.command('search')}` makes them"
        )
    settings = _settings(files.settings)

    def part(name: str, read: Callable[[Rows], Part], empty: Part) -> Part:
        return read(tables[name]) if name in tables else empty

    trials, front = tables.get("trials", Rows()), tables.get("front", Rows())
    best = next(iter(front.texts("recommended")), None)
    return Study(
        files,
        settings,
        tables,
        metric_of(row for table in tables.values() for row in table),
        read_goals(settings),
        candidates.read_trials(trials),
        candidates.read_targets(trials),
        next(iter(trials.texts("stopped")), None),
        dict(Counter(trials.texts("trial_infeasible"))),
        candidates.read_points(front),
        best,
        front.texts("target_missed"),
        next(iter(front.texts("point_floor", model=best)), "") if best else "",
        front.texts("point_difference"),
        part("discretisation", comparisons.read_discretisation, None),
        front.values("scored", "split"),
    )


def read_goals(settings: dict) -> list[Goal]:
    """Take aims, targets and limits out of a study's settings."""
    search, assumed = _search(settings), settings.get("assumed")
    own = assumed if isinstance(assumed, list) else []
    targets = [
        Goal(what, search[f"target_{what}"], "aim" if what in own else "target")
        for what in ("score", "cycles", "bits")
        if search.get(f"target_{what}") is not None
    ]
    limits = search.get("limits") or {}
    return targets + [Goal(what, value, "limit") for what, value in limits.items() if value is not None]


def _search(settings: dict) -> dict:
    search = settings.get("search")
    return search if isinstance(search, dict) else {}


def _settings(path: Path) -> dict:
    if not path.exists():
        return {}
    return read_object(path, "settings of a study", RunFolderError)
