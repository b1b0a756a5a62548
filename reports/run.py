"""A run folder read back: rows on disk become checked, typed figures."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from gatewright.errors import RunFolderError
from gatewright.reports.metrics import Metric, metric_of
from gatewright.reports.table import Table
from gatewright.results import Row
from gatewright.run import RunFolder

Part = TypeVar("Part")

STEPS = ("train", "compress", "patterns", "compile", "cosim", "synth")
"""Steps that leave rows in a run folder; ``gatewright STEP`` runs them."""

PAIRS = ("pytorch = golden", "golden = RTL", "dense = sparse")
"""What the proof of equality compares; all three make it complete."""

RESOURCES = ("multipliers", "block_ram", "luts", "flip_flops")
"""Resources of an FPGA that rows count."""

Key = tuple[float, str]
"""Density (share of weights kept) and mode of one compiled model."""


@dataclass(frozen=True)
class Training:
    """Scores on the test split, and (epoch, validation score) in order, in the task's metric."""

    float_score: float | None
    baseline_score: float | None
    progress: list[tuple[float, float]]


@dataclass(frozen=True)
class MatrixPattern:
    """Share of weights that one matrix keeps."""

    density: float
    matrix: str
    kept: float


@dataclass(frozen=True)
class Compression:
    """Score of the quantised models on the test split, in the task's metric by density; patterns of their matrices."""

    scores: dict[float, float]
    patterns: list[MatrixPattern]


@dataclass(frozen=True)
class Execution:
    """One compiled model on the RTL; per-step figures are means over all steps simulated.

    Parameters
    ----------
    cycles_per_step : float
        Clock cycles.
    busy : float or None
        Useful multiply-accumulates of all that the lanes could have done, in percent.
    counters : dict of float
        Per step, by performance counter; that of all cycles is left out.
    steps, recordings : float or None
        How much was simulated.
    """

    cycles_per_step: float
    busy: float | None
    counters: dict[str, float]
    steps: float | None
    recordings: float | None

    @property
    def ideal(self) -> float | None:
        """Cycles per step if every lane did a useful multiply-accumulate in every cycle: non-zeros / lanes."""
        return None if self.busy is None else self.cycles_per_step * self.busy / 100


@dataclass(frozen=True)
class Comparison:
    """Integers of two implementations held against each other."""

    pair: str
    density: float | None
    mode: str | None
    compared: int
    mismatches: int | None


@dataclass(frozen=True)
class Simulation:
    """What co-simulation measured and compared; `speed` is in simulated clock cycles per second of wall time."""

    executions: dict[Key, Execution]
    comparisons: list[Comparison]
    speed: float | None = None

    @property
    def compared(self) -> int:
        """Integers compared in all."""
        return sum(entry.compared for entry in self.comparisons)

    @property
    def mismatches(self) -> int:
        """Integers that differ in all."""
        return sum(entry.mismatches or 0 for entry in self.comparisons)

    @property
    def verdict(self) -> str:
        """``FAIL`` on any mismatch, ``PASS`` when every pair was compared without one, else ``INCOMPLETE``."""
        if self.mismatches:
            return "FAIL"
        proven = {entry.pair for entry in self.comparisons if entry.compared and entry.mismatches == 0}
        whole = all(entry.compared and entry.mismatches == 0 for entry in self.comparisons)
        return "PASS" if whole and proven >= set(PAIRS) else "INCOMPLETE"


@dataclass(frozen=True)
class Placement:
    """The design placed and routed on one device, once for each seed.

    Parameters
    ----------
    device : str
        Device, package and speed grade.
    megahertz : list of float
        Clock frequency of each seed.
    used, available : dict of float
        Resources by name: the median over the seeds, and those of the device.
    """

    device: str
    megahertz: list[float]
    used: dict[str, float]
    available: dict[str, float]

    @property
    def median(self) -> float:
        """Median clock frequency in MHz."""
        return median(self.megahertz)


@dataclass(frozen=True)
class Synthesis:
    """Estimated resources: sums by name, cells by type, and placements."""

    sums: dict[str, float]
    cells: dict[str, float]
    placements: list[Placement]


@dataclass(frozen=True)
class Run:
    """All that a run folder tells; a step that has not been run is None.

    `patterns` has the test scores of each kind of pattern by density.
    """

    folder: Path
    summary: dict
    rows: dict[str, list[Row]]
    metric: Metric
    training: Training | None
    compression: Compression | None
    patterns: dict[str, dict[float, float]] | None
    storage: dict[Key, dict[str, float]] | None
    simulation: Simulation | None
    synthesis: Synthesis | None


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises
    ------
    RunFolderError
        The folder is missing, holds no step's rows, or an entry is malformed; the text names file and entry.
    """
    folder = Path(folder)
    files = RunFolder(folder)
    tables = {step: Table(files.rows(step)) for step in STEPS if files.rows(step).exists()}
    if not tables:
        raise RunFolderError(
            f"{folder}: no rows of any step ({', '.join(files.rows(step).name for step in STEPS)}); "
            f"run `gatewright {STEPS[0]}` first"
        )

    metric = metric_of(tables.values(), ("float", "quantised", "pattern"))

    def part(step: str, read: Callable[[Table], Part]) -> Part | None:
        return read(tables[step]) if step in tables else None

    return Run(
        folder,
        _summary(files.summary),
        {step: table.rows for step, table in tables.items()},
        metric=metric,
        training=part("train", lambda table: _training(table, metric.name)),
        compression=part("compress", lambda table: _compression(table, metric.name)),
        patterns=part("patterns", lambda table: _patterns(table, metric.name)),
        storage=part("compile", _storage),
        simulation=part("cosim", _simulation),
        synthesis=part("synth", _synthesis),
    )


def _summary(path: Path) -> dict:
    if not path.exists():
        return {}
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: not readable JSON ({error})") from error
    if not isinstance(summary, dict) or not isinstance(summary.get("config", {}), dict):
        raise RunFolderError(f"{path}: must be an object whose `config` is an object")
    return summary


def _training(table: Table, metric: str) -> Training:
    progress = sorted((epoch, score) for score, epoch in table.figures("training_progress", "epoch"))
    return Training(
        table.figure(f"float_{metric}", split="test"),
        table.figure(f"baseline_{metric}", split="test"),
        progress,
    )


def _compression(table: Table, metric: str) -> Compression:
    scores = {
        density: value
        for value, density, split in table.figures(f"quantised_{metric}", "density", "split")
        if split == "test"
    }
    patterns = [
        MatrixPattern(density, matrix, kept)
        for kept, density, matrix in table.figures("weight_density", "density", "matrix")
    ]
    return Compression(dict(sorted(scores.items(), reverse=True)), patterns)


def _patterns(table: Table, metric: str) -> dict[str, dict[float, float]]:
    found: dict[str, dict[float, float]] = {}
    for value, columns, density, split in table.figures(f"pattern_{metric}", "columns", "density", "split"):
        if split == "test":
            found.setdefault(columns, {})[density] = value
    return found


def _storage(table: Table) -> dict[Key, dict[str, float]]:
    bits: dict[Key, dict[str, float]] = {}
    for value, density, mode, memory in table.figures("stored_bits", "density", "mode", "memory"):
        bits.setdefault((density, mode), {})[memory] = value
    return _ordered(bits)


def _simulation(table: Table) -> Simulation:
    executions = {}
    for cycles, density, mode in table.figures("cycles_per_step", "density", "mode"):
        key = {"density": density, "mode": mode}
        steps = table.figure("steps", **key)
        per_step = {
            name: value / steps
            for value, name, *place in table.figures("counter", "counter", "density", "mode")
            if steps and name != "cycles" and place == [density, mode]
        }
        executions[density, mode] = Execution(
            cycles_per_step=cycles,
            busy=table.figure("busy_on_nonzeros", **key),
            counters=per_step,
            steps=steps,
            recordings=table.figure("recordings", **key),
        )
    speed = table.figure("simulated_cycles_per_second")
    return Simulation(_ordered(executions), _comparisons(table), speed)


def _comparisons(table: Table) -> list[Comparison]:
    """Join the two rows of each comparison; one row without the other is kept as a gap."""
    found: dict[tuple, dict[str, int]] = {}
    for name in ("integers_compared", "mismatches"):
        for value, *place in table.figures(name, "pair", optional=("density", "mode")):
            counts = found.setdefault(tuple(place), {})
            counts[name] = counts.get(name, 0) + int(value)
    return [
        Comparison(pair, density, mode, counts.get("integers_compared", 0), counts.get("mismatches"))
        for (pair, density, mode), counts in found.items()
    ]


def _synthesis(table: Table) -> Synthesis:
    sums = {name: table.figure(name) for name in RESOURCES}
    cells = {kind: count for count, kind in table.figures("cells", "type")}
    return Synthesis(
        {name: value for name, value in sums.items() if value is not None}, cells, _placements(table)
    )


def _placements(table: Table) -> list[Placement]:
    where = ("device", "package", "speed")
    megahertz: dict[tuple, list[float]] = {}
    for value, *place in table.figures("placed_frequency", *where):
        megahertz.setdefault(tuple(place), []).append(value)
    found = []
    for device, frequencies in megahertz.items():
        used, available = {}, {}
        for name in RESOURCES:
            entries = [
                (value, most)
                for value, most, *place in table.figures(f"placed_{name}", "available", *where)
                if tuple(place) == device
            ]
            if entries:
                used[name] = median(value for value, _ in entries)
                available[name] = entries[0][1]
        name, package, speed = device
        found.append(Placement(f"{name}, {package}, speed {speed}", frequencies, used, available))
    return found


def _ordered(by_key: dict[Key, Part]) -> dict[Key, Part]:
    """Order by density, densest first, then by mode."""
    return {key: by_key[key] for key in sorted(by_key, key=lambda key: (-key[0], key[1]))}
