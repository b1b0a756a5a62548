"""A study's folder read back: rows on disk become checked, typed figures."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gatewright.errors import RunFolderError
from gatewright.reports import candidates, comparisons, thresholds
from gatewright.reports.candidates import FOUND, UNCOMPRESSED, Point, Target, Trial
from gatewright.reports.comparisons import Discretisation, Method, Proxy, Spread
from gatewright.reports.metrics import Metric, metric_of
from gatewright.reports.table import Kind, Table
from gatewright.reports.thresholds import Thresholds
from gatewright.results import Row

Part = TypeVar("Part")

FILES = ("trials", "front", "methods", "spaces", "proxies", "discretisation", "thresholds")
"""Files of rows that a study's folder may hold, without their suffix."""

_KINDS: dict[str, Kind] = candidates.KINDS | comparisons.KINDS


@dataclass(frozen=True)
class Study:
    """All that a study's folder tells; what has not been run is None or empty.

    Parameters
    ----------
    folder, settings, rows
        Where it lies; ``settings.json``; rows by file.
    metric : Metric
        Of the task.
    trials, targets, points : lists
        In order; points from few to many cycles.
    stopped : str or None
        Why the search ended.
    refused : dict of int
        Trials whose hardware does not fit the device, by what it lacks.
    complaints : list of str
        Differences between predicted and measured counters of points.
    methods, spaces, proxies, discretisation, thresholds
        As `comparisons` and `thresholds` read them.
    """

    folder: Path
    settings: dict
    rows: dict[str, list[Row]]
    metric: Metric
    trials: list[Trial]
    targets: list[Target]
    stopped: str | None
    refused: dict[str, int]
    points: list[Point]
    complaints: list[str]
    methods: dict[str, Method]
    spaces: dict[str, dict[str, Spread]]
    proxies: dict[str, Proxy]
    discretisation: Discretisation | None
    thresholds: Thresholds | None

    def of_kind(self, kind: str) -> list[Point]:
        """Give the points of a kind, from few to many cycles."""
        return [point for point in self.points if point.kind == kind]

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
    def seed(self) -> int | None:
        """Of the search."""
        search = self.settings.get("search")
        return search.get("seed") if isinstance(search, dict) else None

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
        """The found point with the largest gain, of those no worse than the uncompressed model in validation.

        The gain is the product of how many times smaller and faster it is.
        """
        if self.reference is None:
            return None
        least = self.metric.quality(self.reference.validation)
        able = [point for point in self.of_kind(FOUND) if self.metric.quality(point.validation) >= least]
        return min(able, key=lambda point: point.stored_bits * point.measured, default=None)


def read_study(folder: Path) -> Study:
    """Read a study's folder.

    Raises
    ------
    RunFolderError
        The folder is missing, holds no rows, or an entry is malformed; the text names file and entry.
    """
    folder = Path(folder)
    paths = {name: folder / f"{name}.json" for name in FILES}
    tables = {
        name: Table(path, thresholds.KINDS if name == "thresholds" else _KINDS)
        for name, path in paths.items()
        if path.exists()
    }
    if not tables:
        raise RunFolderError(
            f"{folder}: no rows of a study ({', '.join(path.name for path in paths.values())}); "
            "run `gatewright search` first"
        )
    metric = metric_of(tables.values(), ("trial", "point", "super", "proxy_point"))

    def part(name: str, read: Callable[[Table], Part], empty: Part) -> Part:
        return read(tables[name]) if name in tables else empty

    trials = tables.get("trials")
    return Study(
        folder,
        _settings(folder / "settings.json"),
        {name: table.rows for name, table in tables.items()},
        metric,
        candidates.read_trials(trials, metric) if trials else [],
        candidates.read_targets(trials) if trials else [],
        next(iter(trials.texts("stopped")), None) if trials else None,
        dict(Counter(trials.texts("trial_infeasible"))) if trials else {},
        part("front", lambda table: candidates.read_points(table, metric), []),
        part("front", lambda table: table.texts("point_difference"), []),
        part("methods", comparisons.read_methods, {}),
        part("spaces", comparisons.read_spaces, {}),
        part("proxies", lambda table: comparisons.read_proxies(table, metric.name), {}),
        part("discretisation", lambda table: comparisons.read_discretisation(table, metric.name), None),
        part("thresholds", thresholds.read_thresholds, None),
    )


def _settings(path: Path) -> dict:
    if not path.exists():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: not readable JSON ({error})") from error
    if not isinstance(settings, dict):
        raise RunFolderError(f"{path}: must be an object")
    return settings
