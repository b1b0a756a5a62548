"""Tasks from arrays: the keys that an ``.npz`` and the Python face share; ``docs/data.md`` documents them."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.archives import read_arrays
from gatewright.errors import ConfigError, DataError
from gatewright.limits import whole
from gatewright.storage import write_arrays
from gatewright.sw.metrics import BY_MODEL, IGNORED, METRICS, metric_of
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.tasks import splits
from gatewright.sw.tasks.reading import Part, is_values, joined, read_names, read_part
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.task import SPLITS, Split, Targets, Task
from gatewright.texts import parse_json

KEYS = ("X", "y", "lengths", "stream")
"""What a split is made of; with ``_train``, ``_validation`` and ``_test`` behind them where splits are given."""

SPLIT_KEYS = ("split", "group")
"""What splits sequences that are given together."""

MORE_KEYS = ("labels", "task")

_VALUES = TrainSettings(dropout=0.0, noise=0.0, offset=0.0, smoothing=0.0)
"""How values are learnt unless told otherwise: what disturbs classes would blur them."""


def task_from(
    arrays: Mapping[str, Any],
    name: str = "data",
    *,
    metric: str = "",
    seed: int = 0,
    every_step: bool | None = None,
    where: str = "the data",
    source: DataSettings | None = None,
) -> Task:
    """Make a task of arrays.

    Parameters
    ----------
    arrays : mapping
        ``X`` and, if there are targets, ``y``, with the other keys of ``docs/data.md``; arrays, or lists of one array
        for each sequence.
    name : str
    metric : str
        A name of `METRICS`, or ``module:name``; empty for accuracy of classes, the mean squared error of values, and
        agreement or signal-to-noise without targets.
    seed : int
        Of the splits, where the arrays do not give them.
    every_step : bool, optional
        As `DataSettings` has it.
    where : str
        What errors call the data.
    source : DataSettings, optional
        What loads the same arrays again.

    Raises
    ------
    DataError
        An array is missing or malformed; the text says which, where, and what is legal.
    ConfigError
        There is no such metric, or it does not go with the targets.
    """
    given = any(f"X_{split}" in arrays for split in SPLITS)
    _check_keys(arrays, given, where)
    if given:
        parts = [joined(read_part(arrays, f"_{split}", where), where) for split in SPLITS]
    else:
        whole = read_part(arrays, "", where)
        parts = [joined(whole.take(indices), where) for indices in _split(whole, arrays, seed, where)]
    kinds = {(each.targets is None or is_values(each.targets), each.sequences[0].shape[1]) for each in parts}
    if len(kinds) > 1:
        raise DataError(
            f"{where}: train, validation and test must have as many features, and targets of one kind"
        )
    if (
        every_step is not None
        and parts[0].targets is not None
        and every_step != isinstance(parts[0].targets, list)
    ):
        raise ConfigError(
            f"{where}: every_step is for data without targets; these have targets of "
            f"{'every step' if isinstance(parts[0].targets, list) else 'whole sequences'}"
        )
    task = _task(parts, arrays, name, metric, where, source)
    return (
        dataclasses.replace(task, at_end=not every_step) if task.taught and every_step is not None else task
    )


def save_task(task: Task, path: Path) -> None:
    """Write a task, with its splits, as one ``.npz`` that `load_task` reads back.

    Raises
    ------
    ConfigError
        The metric cannot be found again by its name.
    """
    if task.metric != BY_MODEL:
        metric_of(task.metric.name)
    told = {
        "name": task.name,
        "caveat": task.caveat,
        "scaled": task.scaled,
        "metric": "" if task.metric == BY_MODEL else task.metric.name,
        "training": dataclasses.asdict(task.training),
        "compression": dataclasses.asdict(task.compression),
        "pieces": {name: getattr(task, name).pieces for name in SPLITS},
        "at_end": not task.every_step and task.taught,
    }
    arrays: dict[str, Any] = {
        "task": np.array(json.dumps(told)),
        "labels": np.array(task.labels, dtype=np.str_),
    }
    for name in SPLITS:
        split: Split = getattr(task, name)
        arrays[f"X_{name}"] = np.concatenate(split.sequences)
        arrays[f"lengths_{name}"] = np.array([len(each) for each in split.sequences], dtype=np.int64)
        if split.targets is not None and not task.taught:
            arrays[f"y_{name}"] = np.concatenate(split.targets) if split.every_step else split.targets
    write_arrays(path, arrays)


def load_npz(path: Path, settings: DataSettings) -> Task:
    """Load a task from an ``.npz`` of arrays; never unpickles.

    Raises
    ------
    DataError
        The file is missing, truncated or foreign, or its arrays are malformed.
    """
    arrays = read_arrays(path, "a whole .npz of plain arrays", DataError)
    return task_from(
        arrays,
        path.stem,
        metric=settings.metric,
        seed=settings.seed,
        every_step=settings.every_step,
        where=str(path),
        source=settings,
    )


def _task(
    parts: list[Part],
    arrays: Mapping[str, Any],
    name: str,
    metric: str,
    where: str,
    source: DataSettings | None,
) -> Task:
    told = _told(arrays, where)
    wanted = metric or told.pop("metric", "")
    for split, pieces in told.pop("pieces", {}).items():
        k = SPLITS.index(split)
        parts[k] = dataclasses.replace(parts[k], pieces=pieces)
    if parts[0].targets is None:
        chosen = metric_of(wanted, "values", "teacher") if wanted else BY_MODEL
        train, validation, test = (Split(each.sequences, None, each.pieces) for each in parts)
        return Task(
            told.pop("name", name),
            (),
            train,
            validation,
            test,
            metric=chosen,
            source=source,
            taught=True,
            **told,
        )
    labels, targets = _numbered([each.targets for each in parts], arrays.get("labels"), where)
    values = is_values(targets[0])
    suited = metric_of(wanted, "values" if values else "classes") if wanted else None
    chosen = suited or METRICS["mse" if values else "accuracy"]
    train, validation, test = (
        Split(each.sequences, wanted_targets, each.pieces)
        for each, wanted_targets in zip(parts, targets, strict=True)
    )
    if values:
        told.setdefault("training", _VALUES)
    return Task(told.pop("name", name), labels, train, validation, test, metric=chosen, source=source, **told)


def _told(arrays: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return what `save_task` noted beside the arrays."""
    if "task" not in arrays:
        return {}
    with whole(Path(where), "written by Gatewright: its entry task", DataError):
        told = parse_json(str(arrays["task"]))
        told["training"] = TrainSettings(**told["training"])
        told["compression"] = CompressSettings(**told["compression"])
        return {
            key: told[key]
            for key in ("name", "caveat", "scaled", "metric", "training", "compression", "pieces", "at_end")
        }


def _check_keys(arrays: Mapping[str, Any], given: bool, where: str) -> None:
    suffixes = [f"_{split}" for split in SPLITS] if given else [""]
    legal = {f"{key}{suffix}" for key in KEYS for suffix in suffixes} | set(MORE_KEYS)
    if not given:
        legal |= set(SPLIT_KEYS)
        if set(SPLIT_KEYS) <= set(arrays):
            raise DataError(f"{where}: split and group do not go together: each says which sequences train")
    for suffix in suffixes:
        if f"X{suffix}" not in arrays:
            raise DataError(
                f"{where}: array X{suffix} is missing; it must hold the sequences, not {', '.join(arrays) or 'nothing'}"
            )
    if unknown := sorted(set(arrays) - legal):
        raise DataError(f"{where}: unknown array {unknown[0]}; known are {', '.join(sorted(legal))}")
    targets = [f"y{suffix}" in arrays for suffix in suffixes]
    if any(targets) != all(targets):
        raise DataError(
            f"{where}: y is there for some splits only; give y_train, y_validation and y_test, or none"
        )


def _numbered(all_targets: list, names: Any, where: str) -> tuple[tuple[str, ...], list[Targets]]:
    """Return the labels, and the targets of all splits with classes as their numbers."""
    flat = [np.concatenate(each) if isinstance(each, list) else each for each in all_targets]
    if is_values(flat[0]):
        widths = {each.shape[1] for each in flat}
        if len(widths) > 1:
            raise DataError(f"{where}: y has {sorted(widths)} values in different splits")
        (width,) = widths
        labels = tuple(map(str, range(width) if names is None else np.asarray(names).tolist()))
        if len(labels) != width:
            raise DataError(f"{where}: {len(labels)} labels for {width} values of y")
        if any(np.isnan(each).all() for each in flat):
            raise DataError(f"{where}: y has a split without any value that counts")
        return labels, all_targets
    known = np.concatenate(flat)
    numbers = np.issubdtype(known.dtype, np.integer)
    steps = isinstance(all_targets[0], list)
    classes = np.unique(known[known != IGNORED] if numbers and steps else known)
    if names is None:
        labels = tuple(str(each) for each in classes)
    else:
        labels = tuple(map(str, np.asarray(names).tolist()))
        if twice := [each for each in labels if labels.count(each) > 1]:
            raise DataError(f"{where}: labels names {twice[0]} twice")
        if numbers:
            if len(classes) and (classes.min() < 0 or classes.max() >= len(labels)):
                raise DataError(f"{where}: y holds class {classes.max()}, but labels names {len(labels)}")
            classes = np.arange(len(labels))
        else:
            if strangers := sorted(set(classes.tolist()) - set(labels)):
                raise DataError(
                    f"{where}: y holds class {strangers[0]}, but labels names {', '.join(labels)}"
                )
            classes = np.array(labels)
    if len(labels) < 2:
        raise DataError(f"{where}: y holds {len(labels)} class; a task needs at least 2 different classes")

    order = np.argsort(classes)

    def number(y: np.ndarray) -> np.ndarray:
        found = order[np.searchsorted(classes, y, sorter=order)].astype(np.int64)
        if numbers and steps:
            found[y == IGNORED] = IGNORED
        return found

    return labels, [
        [number(each) for each in targets] if isinstance(targets, list) else number(targets)
        for targets in all_targets
    ]


def _split(part: Part, arrays: Mapping[str, Any], seed: int, where: str) -> splits.Parts:
    """Say which sequences train, validate and test: by split, by group, by stream, or by the seed."""
    count = len(part.sequences)
    names = {key: read_names(arrays[key], key, count, where) for key in SPLIT_KEYS if key in arrays}
    try:
        if "split" in names:
            return splits.as_given(names["split"])
        if "group" in names:
            return splits.by_group(names["group"], seed)
        if part.streams is not None:
            return splits.by_group(part.streams, seed, "streams")
        if part.targets is not None and not isinstance(part.targets, list) and not is_values(part.targets):
            labels, classes = np.unique(part.targets, return_inverse=True)
            if len(labels) < 2:
                raise DataError(f"y holds {len(labels)} class; a task needs at least 2 different classes")
            return splits.by_class(classes.astype(np.int64), [str(each) for each in labels], seed)
        return splits.at_random(count, seed)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
