"""Adjust the hyper-parameters of training or of quantising by the worth of their values, on any data."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from gatewright.errors import ConfigError, RunFolderError
from gatewright.executors import workers as workers_of
from gatewright.flow.inputs import Data, Model, as_model, as_task
from gatewright.flow.quantise import quantise
from gatewright.flow.settings import CompressChoice, Shape, TrainChoice, WorkerSettings, plain
from gatewright.flow.size import spec_of
from gatewright.flow.train import train
from gatewright.progress import Progress, silent
from gatewright.results import Row, score_row, write_rows
from gatewright.storage import locked, make_folder, remove_made, write_text
from gatewright.sw.metrics import Metric
from gatewright.sw.models import FloatModel
from gatewright.sw.search.settings import Candidates, Number, Range, TuneSettings
from gatewright.sw.search.tuning import Train, Tuned, Values
from gatewright.sw.search.tuning import tune as run
from gatewright.sw.tasks import Task

Choice = TypeVar("Choice", bound=TrainChoice | CompressChoice)

_UPDATES: Candidates = {
    "weight_decay": Range(1e-6, 1e-1, logarithmic=True),
    "dropout": Range(0.0, 0.6),
    "clip": Range(0.1, 10.0, logarithmic=True),
}

TRAINING: Candidates = {"learning_rate": Range(5e-4, 2e-2, logarithmic=True), **_UPDATES}
"""What is adjusted of float training unless told otherwise."""

QUANTISING: Candidates = {"quantise_rate": Range(1e-4, 1e-2, logarithmic=True), **_UPDATES}
"""What is adjusted of quantising."""

PRUNING: Candidates = {
    "prune_rate": Range(1e-3, 2e-2, logarithmic=True),
    "prune_share": Range(0.2, 0.9),
    "prune_power": Range(1.0, 5.0),
}
"""What is adjusted in addition where weights are pruned or factorised: the schedule too."""

_LOGARITHMIC = ("learning_rate", "prune_rate", "quantise_rate", "weight_decay", "clip")
_UNTUNED = ("seed", "scale")

_JOURNAL, _LOCK, _ROWS = "journal.log", "lock", "trials.json"
_MADE = (_JOURNAL, f"{_JOURNAL}.lock", _LOCK, _ROWS, "train.toml", "quantise.toml", "run.toml")


@dataclass(frozen=True)
class TunedTraining:
    """Adjusted hyper-parameters, and where they are.

    Parameters
    ----------
    tuned : Tuned
        Every trial, the best one, and the combination of the separate optima.
    choice : TrainChoice or CompressChoice
        With the better of both put in.
    config : Path
        What ``--config`` of the command takes.
    command : str
        ``train`` or ``quantise``.
    rows : list of Row
    """

    tuned: Tuned
    choice: TrainChoice | CompressChoice
    config: Path
    command: str
    rows: list[Row]


def tune(
    data: Data,
    folder: str | Path,
    model: Model | None = None,
    *,
    shape: Shape | None = None,
    choice: TrainChoice | CompressChoice | None = None,
    candidates: Candidates | None = None,
    settings: TuneSettings | None = None,
    metric: str | Metric = "",
    workers: WorkerSettings | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> TunedTraining:
    """Adjust how a float model is trained, or, where there is one, how it is quantised; goes on where it was left.

    Validation scores decide; the test split has no say.

    Parameters
    ----------
    data : as `as_task` takes it
    folder : path
        Of the journal and of the result.
    model : as `as_model` takes it, optional
        Its quantising is adjusted. If left out, training is.
    shape : Shape, optional
        What the model is quantised to.
    choice : TrainChoice or CompressChoice, optional
        How it is trained otherwise; of training without a model, of compression with one.
    candidates : dict of Range or tuple, optional
        What may be adjusted: fields of the choice that are numbers; `TRAINING`, or `QUANTISING` and `PRUNING`, if left
        out.
    settings : TuneSettings, optional
    metric : str or Metric
        As `as_task` takes it.
    workers : WorkerSettings, optional
    overwrite : bool
        Begin anew.
    progress : Progress

    Raises
    ------
    ConfigError
        There is no such hyper-parameter, or a value is outside its range.
    RunFolderError
        The folder holds something else.
    DivergenceError
        All trainings diverged.
    """
    settings, workers = settings or TuneSettings(), workers or WorkerSettings()
    kind: type[TrainChoice | CompressChoice] = TrainChoice if model is None else CompressChoice
    choice = choice or kind()
    if not isinstance(choice, kind):
        raise ConfigError(f"choice must be a {kind.__name__}, not a {type(choice).__name__}")
    task = as_task(data, metric=metric, seed=choice.seed)
    training: Train
    if isinstance(choice, TrainChoice):
        command, options = "train", {}
        found = dict(candidates or TRAINING)
        training = partial(_trained, task, choice)
        asked: dict[str, Any] = {"settings": asdict(replace(task.training, **plain(choice)))}
    else:
        dense, shape = as_model(model), shape or Shape()
        pruned = shape.density < 1 or shape.rank is not None
        command, options = "quantise", plain(shape)
        if isinstance(model, str | Path):
            options = {"model": str(model), **options}
        found = dict(candidates or {**(PRUNING if pruned else {}), **QUANTISING})
        training = partial(_quantised, task, dense, spec_of(dense.network, shape), choice)
        asked = {"model": _digest(dense), "shape": asdict(shape), "settings": asdict(choice)}
    _check(choice, found, task)
    asked |= {"data": _identity(task), "metric": task.metric.name}
    root = Path(folder)
    _made(root, overwrite)
    with locked(root / _LOCK, f"tunes in {root}"), workers_of(workers.count, workers.dask) as who:
        tuned = run(training, found, task.metric, settings, root / _JOURNAL, asked, who, progress)
    choice = _with(choice, tuned.chosen.values)
    rows = list(_rows(tuned, choice.seed))
    write_rows(root / _ROWS, rows)
    config = root / f"{command}.toml"
    write_text(config, _options(command, task, options | plain(choice)))
    return TunedTraining(tuned, choice, config, command, rows)


def read_candidates(lines: Iterable[str], kind: type[TrainChoice | CompressChoice]) -> Candidates:
    """Read candidates, each a name, an equals sign, and either a range with a colon or values with commas.

    Parameters
    ----------
    lines : iterable of str
        Such as ``learning-rate=1e-3:1e-2`` or ``dropout=0,0.2,0.4``.
    kind : type
        Whose fields they are.

    Raises
    ------
    ConfigError
        A line has another form, or a name comes twice or is unknown.
    """
    read: dict[str, Range | tuple[Number, ...]] = {}
    for line in lines:
        name, _, text = (part.strip() for part in line.partition("="))
        name = name.replace("-", "_")
        if name in read:
            raise ConfigError(f"{name} is given twice: write all of its values in one line")
        number = int if name in _tunable(kind) and _tunable(kind)[name] is int else float
        try:
            if ":" in text:
                low, high = (float(part) for part in text.split(":"))
                read[name] = Range(low, high, name in _LOGARITHMIC, number is int)
            else:
                read[name] = tuple(number(part) for part in text.split(","))
        except ValueError as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(
                f"a hyper-parameter must be given as learning-rate=1e-3:1e-2 or dropout=0,0.2,0.4, not {line!r}"
            ) from None
    return read


def _tunable(kind: type[TrainChoice | CompressChoice]) -> dict[str, type]:
    """Return the hyper-parameters of a choice, and whether they are integers."""
    return {
        field.name: int if field.type == int | None else float
        for field in fields(kind)
        if field.name not in _UNTUNED
    }


def _check(choice: TrainChoice | CompressChoice, candidates: Candidates, task: Task) -> None:
    """Refuse candidates that no training takes, before the first is begun."""
    legal = _tunable(type(choice))
    for name, each in candidates.items():
        if name not in legal:
            raise ConfigError(f"{name} cannot be tuned; {', '.join(legal)} can")
        for value in (each.low, each.high) if isinstance(each, Range) else each:
            asked = _with(choice, {name: legal[name](value)})
            if isinstance(asked, CompressChoice):
                asked.compression(task.compression)
            shared = {field.name for field in fields(task.training)}
            replace(task.training, **{key: put for key, put in plain(asked).items() if key in shared})


def _with(choice: Choice, values: Mapping[str, Any]) -> Choice:
    return replace(choice, **values)


def _trained(task: Task, choice: TrainChoice, values: Values) -> float:
    found = train(task, _with(choice, values), intervals=False)
    return found.model.notes["scores"]["validation"]


def _quantised(task: Task, dense: FloatModel, spec: Any, choice: CompressChoice, values: Values) -> float:
    found = quantise(dense, task, spec, _with(choice, values), intervals=False)
    return found.bundle.notes["scores"]["validation"]


def _made(root: Path, overwrite: bool) -> None:
    """Make the folder, or take that of a tuning."""
    if overwrite and (root / _JOURNAL).is_file():
        remove_made(root, _MADE)
    if root.exists() and not (root / _JOURNAL).is_file() and (not root.is_dir() or any(root.iterdir())):
        raise RunFolderError(f"{root} exists and holds no tuning; choose another name")
    make_folder(root)


def _identity(task: Task) -> Any:
    """Return what tells data from others: where they are, or what they hold."""
    if task.source is not None:
        return task.source.to_json()
    return hashlib.sha256(b"".join(each.tobytes() for each in task.train.sequences)).hexdigest()


def _digest(model: FloatModel) -> str:
    digest = hashlib.sha256(repr(model.settings).encode())
    for name, part in model.network.state_dict().items():
        digest.update(name.encode() + part.numpy().tobytes())
    return digest.hexdigest()


def _options(command: str, task: Task, values: dict[str, Any]) -> str:
    """Return the options of a command, as ``--config`` takes them."""
    source = {} if task.source is None else {"data": task.source.source, "metric": task.source.metric}
    found = {name: value for name, value in {**source, **values}.items() if value not in (None, "")}
    return tomli_w.dumps({command: {name.replace("_", "-"): value for name, value in found.items()}})


def _rows(tuned: Tuned, seed: int) -> Iterator[Row]:
    metric = tuned.metric
    for number, each in enumerate(tuned.trials):
        at = {"trial": number, "values": each.values}
        if each.score is not None:
            yield score_row("tuning_score", metric, each.score, at, seed)
        yield Row("tuning_seconds", "seconds", each.seconds, at, seed)
    for name, by_value in tuned.worths.items():
        for value, worth in by_value.items():
            yield score_row("worth", metric, worth, {"parameter": name, "of": str(value)}, seed)
    for of, each in (("best trial", tuned.best), ("separate optima", tuned.separate)):
        if each.score is not None:
            yield score_row("tuned_score", metric, each.score, {"of": of, "values": each.values}, seed)
