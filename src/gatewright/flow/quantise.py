"""Make an integer model of a float model: factorised, pruned and quantised, on any data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatewright.executors import run_all
from gatewright.flow.inputs import Data, as_model, as_task, suited
from gatewright.flow.settings import CompressChoice, Shape, WorkerSettings, override
from gatewright.flow.size import check_size, spec_of, stored_bits
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.quantise_model import quantise_model
from gatewright.sw.models import FloatModel
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task


@dataclass(frozen=True)
class Quantised:
    """An integer model, how good it is, and what a user should know of it.

    Parameters
    ----------
    bundle : Bundle
    rows : list of Row
        Scores, signal-to-noise of every output, ranks, widths, densities and stored bits.
    warnings : tuple of str
        Features and matrices that the integers hold badly, with the remedy.
    """

    bundle: Bundle
    rows: list[Row]
    warnings: tuple[str, ...]


def quantise(
    model,
    data: Data,
    shape: Shape | CompressionSpec | None = None,
    choice: CompressChoice | None = None,
    *,
    name: str = "model",
    progress: Progress = silent,
) -> Quantised:
    """Quantise a float model on data.

    Parameters
    ----------
    model : as `as_model` takes it
    data : as `as_task` takes it
        With targets, or without: then the float model teaches, and is what the score is measured against.
    shape : Shape or CompressionSpec, optional
        What it becomes: the same for all matrices, or each its own; all weights in 8 bits unless told otherwise.
    choice : CompressChoice, optional
        How it is trained.
    name : str
        Of the model, in its rows.
    progress : Progress

    Raises
    ------
    CapacityError
        No accelerator holds the model; said before anything is trained.
    ConfigError, DataError, DivergenceError, AccumulatorOverflowError
        As `quantise_model` has them.
    """
    task, dense = suited(as_task(data), as_model(model))
    spec = shape if isinstance(shape, CompressionSpec) else spec_of(dense.network, shape or Shape())
    check_size(dense.network, spec)
    choice = choice or CompressChoice()
    return _quantise(name, task, dense, spec, settings_of(task, choice), choice.scale, progress)


def quantise_all(
    model,
    data: Data,
    shapes: dict[str, Shape],
    choice: CompressChoice | None = None,
    *,
    workers: WorkerSettings | None = None,
    progress: Progress = silent,
) -> dict[str, Quantised]:
    """Quantise a float model to several shapes, side by side; returns them by the names of the shapes."""
    task, dense = suited(as_task(data), as_model(model))
    choice = choice or CompressChoice()
    settings = settings_of(task, choice)
    specs = {name: spec_of(dense.network, shape) for name, shape in shapes.items()}
    work = [(name, task, dense, spec, settings, choice.scale) for name, spec in specs.items()]
    made: Sequence[Quantised] = run_all(
        _quantise, work, (workers or WorkerSettings()).count, "quantise", progress
    )
    return dict(zip(specs, made, strict=True))


def settings_of(task: Task, choice: CompressChoice) -> CompressSettings:
    """Return how a task's compressed models are trained.

    Without targets nothing trains in integers unless it is asked for: what the float model computes is known already.
    """
    epochs = 0 if task.taught and choice.quantise_epochs is None else choice.quantise_epochs
    return override(
        task.compression, prune_epochs=choice.prune_epochs, quantise_epochs=epochs, seed=choice.seed
    )


def _quantise(
    name: str,
    task: Task,
    dense: FloatModel,
    spec: CompressionSpec,
    settings: CompressSettings,
    scale: bool,
    progress: Progress,
) -> Quantised:
    found = quantise_model(dense, task, spec, settings, scale=scale, progress=progress)
    at = {"model": name}
    rows = [replace(row, parameters=at | row.parameters) for row in found.rows]
    rows.append(Row("stored_bits", "bits", stored_bits(found.bundle, spec.lanes), at, settings.seed))
    return Quantised(found.bundle, rows, found.warnings)
