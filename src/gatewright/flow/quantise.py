"""Make an integer model of a float model: factorised, pruned and quantised, on any data."""

from collections.abc import Sequence
from dataclasses import replace

from gatewright.executors import run_all
from gatewright.flow.inputs import Data, Model, as_model, as_task
from gatewright.flow.settings import CompressChoice, Shape, WorkerSettings
from gatewright.flow.size import spec_of, stored_bits
from gatewright.flow.uncertainty import interval_rows, with_intervals
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.quantise_model import Quantised, quantise_model, settings_for
from gatewright.sw.models import FloatModel
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task


def quantise(
    model: Model,
    data: Data,
    shape: Shape | CompressionSpec | None = None,
    choice: CompressChoice | None = None,
    *,
    name: str = "model",
    intervals: bool = True,
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
    intervals : bool
        Take the 95 % intervals of scores that are no accuracies. This takes time; what only compares needs none.
    progress : Progress

    Raises
    ------
    CapacityError
        No accelerator holds the model; said before anything is trained.
    ConfigError, DataError, DivergenceError, AccumulatorOverflowError
        As `quantise_model` has them.
    """
    task, dense = as_task(data), as_model(model)
    spec = shape if isinstance(shape, CompressionSpec) else spec_of(dense.network, shape or Shape())
    choice = choice or CompressChoice()
    return _quantise(name, task, dense, spec, choice, progress, intervals=intervals)


def quantise_all(
    model: Model,
    data: Data,
    shapes: dict[str, Shape],
    choice: CompressChoice | None = None,
    *,
    workers: WorkerSettings | None = None,
    progress: Progress = silent,
) -> dict[str, Quantised]:
    """Quantise a float model to several shapes, side by side; returns them by the names of the shapes."""
    task, dense = as_task(data), as_model(model)
    choice = choice or CompressChoice()
    specs = {name: spec_of(dense.network, shape) for name, shape in shapes.items()}
    work = [(name, task, dense, spec, choice) for name, spec in specs.items()]
    made: Sequence[Quantised] = run_all(
        _quantise, work, (workers or WorkerSettings()).count, "quantise", progress
    )
    return dict(zip(specs, made, strict=True))


def _quantise(
    name: str,
    task: Task,
    dense: FloatModel,
    spec: CompressionSpec,
    choice: CompressChoice,
    progress: Progress,
    *,
    intervals: bool = True,
) -> Quantised:
    settings = choice.compression(settings_for(task, spec))

    def fits(bundle: Bundle) -> None:
        stored_bits(bundle, spec.lanes)

    found = quantise_model(
        choice.taught(dense),
        task,
        spec,
        settings,
        name=name,
        scale=choice.scale,
        fits=fits,
        progress=progress,
    )
    bundle = with_intervals(found.bundle, dense, task) if intervals else found.bundle
    bits = stored_bits(bundle, spec.lanes)
    rows = [
        *found.rows,
        *interval_rows(bundle, name),
        Row("stored_bits", "bits", bits, {"model": name}, settings.seed),
    ]
    return replace(found, bundle=bundle, rows=rows)
