"""Tasks from arrays: the keys that an ``.npz`` and the Python face share; ``docs/data.md`` documents them."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.errors import DataError
from gatewright.storage import read_arrays, whole_file
from gatewright.sw.metrics import BY_MODEL, IGNORED, METRICS, metric_of
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.tasks import splits
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.task import SPLITS, Split, Targets, Task

KEYS = ("X", "y", "lengths")
"""What a split is made of; with ``_train``, ``_validation`` and ``_test`` behind them where splits are given."""

MORE_KEYS = ("labels", "split", "group", "stream", "task")

_VALUES = TrainSettings(dropout=0.0, noise=0.0, offset=0.0, smoothing=0.0)
"""How values are learnt unless told otherwise: what disturbs classes would blur them."""


@dataclass(frozen=True)
class Part:
    """Sequences and their targets, before classes are numbered.

    Parameters
    ----------
    sequences : list of float32 arrays [steps, features]
    targets : Targets
        Classes by any integers or strings.
    pieces : list of lists of int, optional
        As `Split` has them.
    """

    sequences: list[np.ndarray]
    targets: Any
    pieces: list[list[int]] | None = None

    def take(self, indices: np.ndarray) -> "Part":
        """Return some of the sequences."""

        def chosen(values: Any) -> Any:
            return [values[k] for k in indices] if isinstance(values, list) else values[indices]

        return Part(
            chosen(self.sequences),
            None if self.targets is None else chosen(self.targets),
            None if self.pieces is None else chosen(self.pieces),
        )


def task_from(
    arrays: Mapping[str, Any],
    name: str = "data",
    *,
    metric: str = "",
    seed: int = 0,
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
        parts = [_read(arrays, f"_{split}", where) for split in SPLITS]
    else:
        whole = _joined(_read(arrays, "", where), arrays, where)
        parts = [whole.take(indices) for indices in _split(whole, arrays, seed, where)]
    return _task(parts, arrays, name, metric, where, source)


def save_task(task: Task, path: Path) -> None:
    """Write a task, with its splits, as one ``.npz`` that `load_task` reads back."""
    told = {
        "name": task.name,
        "caveat": task.caveat,
        "scaled": task.scaled,
        "metric": "" if task.metric == BY_MODEL else task.metric.name,
        "training": dataclasses.asdict(task.training),
        "compression": dataclasses.asdict(task.compression),
        "pieces": {name: getattr(task, name).pieces for name in SPLITS},
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
    with whole_file(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def load_npz(path: Path, settings: DataSettings) -> Task:
    """Load a task from an ``.npz`` of arrays; never unpickles.

    Raises
    ------
    DataError
        The file is missing, truncated or foreign, or its arrays are malformed.
    """
    arrays = read_arrays(path, "a whole .npz of plain arrays", DataError)
    return task_from(
        arrays, path.stem, metric=settings.metric, seed=settings.seed, where=str(path), source=settings
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
        chosen = metric_of(wanted) if wanted else BY_MODEL
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
    values = _is_values(targets[0])
    chosen = metric_of(wanted) if wanted else METRICS["mse" if values else "accuracy"]
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
    try:
        told = json.loads(str(arrays["task"]))
        told["training"] = TrainSettings(**told["training"])
        told["compression"] = CompressSettings(**told["compression"])
        return {
            key: told[key]
            for key in ("name", "caveat", "scaled", "metric", "training", "compression", "pieces")
        }
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where}: the entry task is none that Gatewright wrote ({error!r})") from error


def _check_keys(arrays: Mapping[str, Any], given: bool, where: str) -> None:
    suffixes = [f"_{split}" for split in SPLITS] if given else [""]
    legal = {f"{key}{suffix}" for key in KEYS for suffix in suffixes} | set(MORE_KEYS)
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


def _read(arrays: Mapping[str, Any], suffix: str, where: str) -> Part:
    sequences, padded = _sequences(arrays[f"X{suffix}"], arrays.get(f"lengths{suffix}"), suffix, where)
    y = arrays.get(f"y{suffix}")
    if y is None:
        return Part(sequences, None)
    return Part(sequences, _targets(y, sequences, padded, f"y{suffix}", where))


def _sequences(X: Any, lengths: Any, suffix: str, where: str) -> tuple[list[np.ndarray], int]:
    """Return the sequences, and the steps that they were padded to: 0 if they were not."""
    if isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object):
        if not len(X):
            raise DataError(f"{where}: X{suffix} is empty; at least one sequence is needed")
        return [_values(np.asarray(each), f"X{suffix}[{k}]", where) for k, each in enumerate(X)], 0
    X = np.asarray(X)
    if X.ndim == 3:
        counts = np.full(len(X), X.shape[1]) if lengths is None else _lengths(lengths, suffix, where)
        if len(counts) != len(X) or (len(counts) and counts.max() > X.shape[1]):
            raise DataError(
                f"{where}: lengths{suffix} must be {len(X)} integers up to {X.shape[1]}, one for each sequence of X"
            )
        if not len(X):
            raise DataError(f"{where}: X{suffix} is empty; at least one sequence is needed")
        return [
            _values(each[:count], f"X{suffix}[{k}]", where)
            for k, (each, count) in enumerate(zip(X, counts, strict=True))
        ], X.shape[1]
    if lengths is None:
        raise DataError(
            f"{where}: array lengths{suffix} is missing, or X{suffix} must be [sequences, steps, features], not of "
            f"shape {X.shape}"
        )
    values, counts = _values(X, f"X{suffix}", where), _lengths(lengths, suffix, where)
    if counts.sum(dtype=np.int64) != len(X):
        raise DataError(
            f"{where}: lengths{suffix} add up to {counts.sum(dtype=np.int64)} steps, but X{suffix} has {len(X)}; "
            f"X{suffix} must hold every sequence exactly once, in order"
        )
    return np.split(values, np.cumsum(counts)[:-1]), 0


def _lengths(lengths: Any, suffix: str, where: str) -> np.ndarray:
    lengths = np.asarray(lengths)
    if lengths.ndim != 1 or not np.issubdtype(lengths.dtype, np.integer):
        raise DataError(
            f"{where}: lengths{suffix} must be integers [sequences], not {lengths.dtype} of shape {lengths.shape}"
        )
    if lengths.size == 0:
        raise DataError(f"{where}: lengths{suffix} is empty; at least one sequence is needed")
    if lengths.min() < 1:
        index = int(lengths.argmin())
        raise DataError(
            f"{where}: lengths{suffix}[{index}] is {lengths[index]}; a sequence has at least 1 step"
        )
    return lengths


def _values(X: np.ndarray, what: str, where: str) -> np.ndarray:
    real = np.issubdtype(X.dtype, np.integer) or np.issubdtype(X.dtype, np.floating) or X.dtype == bool
    if X.ndim != 2 or X.shape[1] == 0 or len(X) == 0 or not real:
        raise DataError(
            f"{where}: {what} must be numbers [steps, features], not {X.dtype} of shape {X.shape}"
        )
    with np.errstate(over="ignore"):
        values = X.astype(np.float32)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{where}: {what}[{row}, {column}] is {X[row, column]}; all values must be finite in float32: "
            "clean or drop that sequence"
        )
    return values


def _targets(y: Any, sequences: list[np.ndarray], padded: int, what: str, where: str) -> Any:
    """Return targets of sequences as an array, those of steps as a list; classes by whatever names them."""
    steps, count = [len(each) for each in sequences], len(sequences)
    if isinstance(y, list | tuple) and len(y) and np.ndim(y[0]) > 0:
        parts = [np.asarray(each) for each in y]
        per_step = len(parts) == count and all(len(a) == n for a, n in zip(parts, steps, strict=True))
        if per_step:
            return [_one_kind(each, what, where) for each in parts]
        y = np.asarray(parts) if len({each.shape for each in parts}) == 1 else parts
    if isinstance(y, list):
        raise DataError(
            f"{where}: {what} must have one target for each sequence, or one for each of its steps"
        )
    y = np.asarray(y)
    if padded and y.shape[:2] == (count, padded) and y.ndim <= 3:
        return [_one_kind(each[:n], what, where) for each, n in zip(y, steps, strict=True)]
    if y.ndim in (1, 2) and len(y) == count:
        return _one_kind(y, what, where)
    if y.ndim in (1, 2) and len(y) == sum(steps):
        return [_one_kind(each, what, where) for each in np.split(y, np.cumsum(steps)[:-1])]
    raise DataError(
        f"{where}: {what} has shape {y.shape}; it must have one entry for each of the {count} sequences (lengths), or "
        f"for each of the {sum(steps)} steps: integers or strings for classes, real numbers for values"
    )


def _one_kind(y: np.ndarray, what: str, where: str) -> np.ndarray:
    """Return classes as they are, and values as float32 [n, outputs]."""
    if np.issubdtype(y.dtype, np.floating):
        if np.isinf(y).any():
            raise DataError(
                f"{where}: {what} holds infinite values; all must be finite (NaN where none counts)"
            )
        return y.astype(np.float32).reshape(len(y), -1)
    if y.ndim == 1 and (np.issubdtype(y.dtype, np.integer) or y.dtype.kind in "US" or y.dtype == bool):
        return y.astype(np.int64) if y.dtype == bool else y
    raise DataError(
        f"{where}: {what} must be integers or strings for classes, or real numbers for values, not {y.dtype} of shape "
        f"{y.shape}"
    )


def _is_values(targets: Any) -> bool:
    return np.issubdtype((targets[0] if isinstance(targets, list) else targets).dtype, np.floating)


def _numbered(all_targets: list, names: Any, where: str) -> tuple[tuple[str, ...], list[Targets]]:
    """Return the labels, and the targets of all splits with classes as their numbers."""
    flat = [np.concatenate(each) if isinstance(each, list) else each for each in all_targets]
    if _is_values(flat[0]):
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
    if names is not None and numbers:
        labels = tuple(map(str, np.asarray(names).tolist()))
        if len(classes) and (classes.min() < 0 or classes.max() >= len(labels)):
            raise DataError(f"{where}: y holds class {classes.max()}, but labels names {len(labels)}")
        classes = np.arange(len(labels))
    else:
        labels = tuple(str(each) for each in classes)
    if len(labels) < 2:
        raise DataError(f"{where}: y holds {len(labels)} class; a task needs at least 2 different classes")

    def number(y: np.ndarray) -> np.ndarray:
        found = np.searchsorted(classes, y).astype(np.int64)
        if numbers and steps:
            found[y == IGNORED] = IGNORED
        return found

    return labels, [
        [number(each) for each in targets] if isinstance(targets, list) else number(targets)
        for targets in all_targets
    ]


def _joined(part: Part, arrays: Mapping[str, Any], where: str) -> Part:
    """Join the pieces of each stream, in order, into one sequence; their targets become those of steps."""
    if "stream" not in arrays:
        return part
    ids = _names(arrays["stream"], "stream", len(part.sequences), where)
    sequences, targets, pieces = [], [], []
    for indices in splits.streams(ids):
        sequences.append(np.concatenate([part.sequences[k] for k in indices]))
        pieces.append([len(part.sequences[k]) for k in indices])
        if part.targets is not None:
            targets.append(np.concatenate([_at_end(part, k) for k in indices]))
    return Part(sequences, targets if part.targets is not None else None, pieces)


def _at_end(part: Part, k: int) -> np.ndarray:
    """Return the targets of the steps of a piece; one of the whole piece counts at its last step."""
    if isinstance(part.targets, list):
        return part.targets[k]
    y = part.targets
    if y.dtype.kind in "US":
        raise DataError("classes of streams must be integers, with labels for their names")
    fill = np.nan if np.issubdtype(y.dtype, np.floating) else IGNORED
    steps = np.full((len(part.sequences[k]), *y.shape[1:]), fill, y.dtype)
    steps[-1] = y[k]
    return steps


def _split(part: Part, arrays: Mapping[str, Any], seed: int, where: str) -> splits.Parts:
    count = len(part.sequences)
    try:
        for key, split in (("split", splits.as_given), ("group", lambda names: splits.by_group(names, seed))):
            if key in arrays:
                names = _names(arrays[key], key, None, where)
                if part.pieces is not None and len(names) != count:
                    names = _of_streams(names, arrays, key, where)
                if len(names) != count:
                    raise DataError(
                        f"{key} must have one entry for each of {count} sequences, not {len(names)}"
                    )
                return split(names)
        if part.targets is not None and not isinstance(part.targets, list) and not _is_values(part.targets):
            labels, classes = np.unique(part.targets, return_inverse=True)
            if len(labels) < 2:
                raise DataError(f"y holds {len(labels)} class; a task needs at least 2 different classes")
            return splits.by_class(classes.astype(np.int64), [str(each) for each in labels], seed)
        return splits.at_random(count, seed)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _of_streams(names: np.ndarray, arrays: Mapping[str, Any], key: str, where: str) -> np.ndarray:
    """Return the one name of each stream's pieces."""
    ids = _names(arrays["stream"], "stream", len(names), where)
    found = []
    for indices in splits.streams(ids):
        if len(set(names[indices].tolist())) > 1:
            raise DataError(f"the pieces of stream {ids[indices[0]]} have different entries of {key}")
        found.append(names[indices[0]])
    return np.array(found)


def _names(values: Any, key: str, count: int | None, where: str) -> np.ndarray:
    names = np.asarray(values)
    if names.ndim != 1 or (count is not None and len(names) != count) or names.dtype.kind not in "iuUS":
        expected = "sequence" if count is None else f"of {count} sequences"
        raise DataError(
            f"{where}: {key} must be integers or strings, one for each {expected}, not {names.dtype} of shape "
            f"{names.shape}"
        )
    return names.astype(np.str_) if names.dtype.kind in "US" else names
