"""A run folder read back: rows on disk become checked, typed figures."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gatewright.clock import Clock
from gatewright.errors import RunFolderError
from gatewright.reports.confusion import read_confusion
from gatewright.reports.intervals import Interval, stored_intervals
from gatewright.reports.metrics import Metric, metric_of
from gatewright.reports.proof import Proven, read_proof
from gatewright.reports.resources import Synthesis, read_resources, read_synthesis, read_utilisation
from gatewright.reports.work import LayerWork, read_clock, read_layers
from gatewright.results import Rows, read_rows
from gatewright.run import STEPS, RunFolder
from gatewright.texts import read_object

Part = TypeVar("Part")

Key = tuple[str, str]
"""Name and mode of one compiled model."""


@dataclass(frozen=True)
class Training:
    """Scores of the float model and of the baseline, and (epoch, validation score) in order.

    `intervals` are those of the float model's scores, by split, where rows have them.
    """

    float_score: float | None
    baseline_score: float | None
    progress: list[tuple[float, float]]
    intervals: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """One integer model, whatever made it.

    Parameters
    ----------
    name : str
    scores : dict of float
        By split, in the run's metric.
    density : float or None
        Share of weights that the patterns keep, before they are rounded, if rows tell.
    matrices : dict of dict
        ``rank``, ``bits``, ``density_asked`` and ``product_kept`` (percent) of each product, and ``weight_density``
        (percent kept) of each matrix of one, where rows have it.
    snr : dict of float
        Signal-to-noise ratio of each output in dB.
    layer_snr : dict of float
        The same of each layer.
    confusion : dict of float
        Test positions by (class of the target, class that is predicted); pairs that do not occur are left out.
    kept : float or None
        Percent of its weights that are not zero; None in older rows.
    intervals : dict of Interval
        95 % intervals of its scores, by split, where rows have them.
    """

    name: str
    scores: dict[str, float] = field(default_factory=dict)
    density: float | None = None
    matrices: dict[str, dict[str, float]] = field(default_factory=dict)
    snr: dict[str, float] = field(default_factory=dict)
    layer_snr: dict[str, float] = field(default_factory=dict)
    confusion: dict[tuple[str, str], float] = field(default_factory=dict)
    kept: float | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)

    @property
    def told(self) -> bool:
        """Whether rows tell more than its name."""
        return bool(self.scores or self.density or self.matrices or self.snr)

    @property
    def score(self) -> float | None:
        """On the test split."""
        return self.scores.get("test")


@dataclass(frozen=True)
class Round:
    """A round of simplifying.

    Parameters
    ----------
    number : int
    score : float
        On the validation split, after it.
    stage, what : str
        What was done, and to what.
    weights : float
        Weights that are not zero after it.
    volume : float or None
        Bits of the emitted image, where the model is in integers.
    passed : bool
        Whether the model was kept; else the one before was restored.
    """

    number: int
    score: float
    stage: str
    what: str
    weights: float
    volume: float | None
    passed: bool


@dataclass(frozen=True)
class Simplified:
    """How a model was made as small as a requirement asks; `met` is None where no row tells."""

    rounds: list[Round]
    met: bool | None
    reason: str


@dataclass(frozen=True)
class Execution:
    """One compiled model on the RTL; per-step figures are means over all steps simulated.

    Parameters
    ----------
    cycles_per_step : float
        Clock cycles.
    predicted : float or None
        The same by the cycle model.
    busy : float or None
        Useful multiply-accumulates, skipped ones left out, of all that the lanes could have done, in percent.
    counters : dict of float
        Per step, by performance counter; that of all cycles is left out.
    steps, recordings : float or None
        How much was simulated.
    """

    cycles_per_step: float
    predicted: float | None
    busy: float | None
    counters: dict[str, float]
    steps: float | None
    recordings: float | None

    @property
    def ideal(self) -> float | None:
        """Cycles per step if the lanes did useful multiply-accumulates all the time; no execution takes fewer."""
        return None if self.busy is None else self.cycles_per_step * self.busy / 100


@dataclass(frozen=True)
class Simulation:
    """What was measured on the RTL; `speed` is in simulated clock cycles per second of wall time."""

    executions: dict[Key, Execution]
    speed: float | None = None


@dataclass(frozen=True)
class Skipping:
    """When an image's jobs skip zero activations, and how its matrices are stored.

    Parameters
    ----------
    policy, skip : str
        Which thresholds count; ``never``, ``always`` or ``auto``.
    threshold : float
        Share of zeros among activations.
    matrices : list of (str, str, float)
        Name, form, and share of zeros of each matrix.
    """

    policy: str
    skip: str
    threshold: float
    matrices: list[tuple[str, str, float]]


@dataclass(frozen=True)
class Build:
    """What was compiled: stored bits by memory, estimated cycles per step, modes, and estimated resources.

    `layers` is what each layer of each model does in a steady step; `utilisation` is in percent of a device, by device
    and resource. Both are empty in older rows.
    """

    storage: dict[Key, dict[str, float]]
    cycles: dict[Key, float]
    modes: dict[Key, Skipping]
    resources: dict[str, float]
    layers: dict[Key, list[LayerWork]]
    utilisation: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Run:
    """All that a run folder tells; a step that has not been run is None.

    `scored` are the positions that scores are taken over, by split; it is empty in older rows.
    """

    files: RunFolder
    summary: dict
    rows: dict[str, Rows]
    metric: Metric
    models: list[Model]
    training: Training | None
    simplified: Simplified | None
    build: Build | None
    simulation: Simulation | None
    proof: Proven
    synthesis: Synthesis | None
    clock: Clock | None
    scored: dict[str, float]


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises
    ------
    RunFolderError
        The folder is missing, holds no step's rows, or an entry is malformed; the text names file and entry.
    """
    files = RunFolder(Path(folder))
    tables = {step: read_rows(files.rows(step)) for step in STEPS if files.rows(step).exists()}
    if not tables:
        raise RunFolderError(
            f"{folder}: no rows of any step ({', '.join(STEPS)}); `{files.command('build')}` makes some"
        )
    metric = metric_of(row for table in tables.values() for row in table)

    def part(step: str, read: Callable[[Rows], Part]) -> Part | None:
        return read(tables[step]) if step in tables else None

    synthesis = part("synth", read_synthesis)
    return Run(
        files,
        _summary(files.summary),
        tables,
        metric,
        _models((table for step, table in tables.items() if step != "train"), metric),
        part("train", lambda rows: _training(rows, metric)),
        part("simplify", _simplified),
        part("build", _build),
        part("verify", _simulation),
        read_proof(files.root),
        synthesis,
        read_clock(tables.get("build", Rows()), synthesis),
        Rows(row for table in tables.values() for row in table).values("scored", "split"),
    )


def _summary(path: Path) -> dict:
    if not path.exists():
        return {}
    summary = read_object(path, "a summary", RunFolderError)
    if not isinstance(summary.get("config", {}), dict):
        raise RunFolderError(f"{path}: its `config` must be an object")
    return summary


def _training(rows: Rows, metric: Metric) -> Training:
    progress = sorted((epoch, score) for score, epoch in rows.lines("training_progress", "epoch"))
    return Training(
        rows.value("float_score", split="test"),
        rows.value("baseline_score", split="test"),
        progress,
        stored_intervals(rows, "float_score", metric),
    )


def _models(tables: Iterable[Rows], metric: Metric) -> list[Model]:
    """Gather what rows tell of each integer model, in their order; a claim about all models names none."""
    found: dict[str, Model] = {}
    for rows in tables:
        for name in filter(None, rows.distinct("model")):
            mine = rows.where(model=name)
            about = mine.distinct("density")
            old = found.get(name, Model(name))
            matrices: dict[str, dict[str, float]] = {key: dict(each) for key, each in old.matrices.items()}
            kept = mine.value("weights_kept")
            for quantity, place in (
                ("weight_density", "matrix"),
                *((each, "product") for each in ("rank", "bits", "density_asked", "product_kept")),
            ):
                for key, value in mine.values(quantity, place).items():
                    matrices.setdefault(key, {})[quantity] = value
            found[name] = Model(
                name,
                old.scores | mine.values("score", "split", metric=metric.name),
                about[0] if about else old.density,
                matrices,
                old.snr | {str(output): value for output, value in mine.values("snr", "output").items()},
                old.layer_snr | mine.values("layer_snr", "layer"),
                old.confusion | read_confusion(mine),
                old.kept if kept is None else kept,
                old.intervals | stored_intervals(mine, "score", metric),
            )
    return list(found.values())


def _simplified(rows: Rows) -> Simplified:
    rounds = [
        Round(int(number), score, stage, what, weights, volume, passed)
        for score, number, stage, what, weights, passed, volume in rows.lines(
            "round_score", "round", "stage", "what", "weights", "passed", optional=("volume",)
        )
    ]
    met = rows.value("requirement_met")
    reasons = rows.where("requirement_met").distinct("reason")
    return Simplified(rounds, None if met is None else bool(met), "; ".join(reasons))


def _build(rows: Rows) -> Build:
    storage: dict[Key, dict[str, float]] = {}
    for bits, model, mode, memory in rows.lines("stored_bits", "model", "mode", "memory"):
        storage.setdefault((model, mode), {})[memory] = bits
    cycles = {
        (model, mode): value
        for value, model, mode in rows.lines("estimated_cycles_per_step", "model", "mode")
    }
    modes = {
        (model, mode): Skipping(
            policy,
            skip,
            threshold,
            [
                (matrix, form, zeros)
                for zeros, matrix, form in rows.where(model=model, mode=mode).lines(
                    "zero_weights", "matrix", "form"
                )
            ],
        )
        for threshold, model, mode, policy, skip in rows.lines(
            "input_threshold", "model", "mode", "policy", "skip"
        )
    }
    return Build(storage, cycles, modes, read_resources(rows), read_layers(rows), read_utilisation(rows))


def _simulation(rows: Rows) -> Simulation:
    executions = {}
    for cycles, model, mode in rows.lines("cycles_per_step", "model", "mode"):
        mine = rows.where(model=model, mode=mode)
        steps = mine.value("steps")
        counters = mine.values("counter", "counter")
        executions[model, mode] = Execution(
            cycles_per_step=cycles,
            predicted=mine.value("cycles_predicted_per_step"),
            busy=mine.value("busy_on_nonzeros"),
            counters={name: value / steps for name, value in counters.items() if steps and name != "cycles"},
            steps=steps,
            recordings=mine.value("recordings"),
        )
    return Simulation(executions, rows.value("simulated_cycles_per_second"))
