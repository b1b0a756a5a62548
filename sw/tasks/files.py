"""Sequences of a user, from one ``.npz``."""

from pathlib import Path

import numpy as np

from gatewright.errors import DataError
from gatewright.storage import read_arrays
from gatewright.sw.tasks.task import SMALLEST_CLASS, Task, stratify


def load_file(path: str | Path, seed: int) -> Task:
    """Load a ``.npz`` of sequences, split by `seed`.

    The file holds three plain arrays, as ``numpy.savez(path, X=..., y=..., lengths=...)`` writes them:

    - ``X``: finite numbers [all steps, features], the sequences one after the other;
    - ``lengths``: integers [sequences], steps of each sequence, at least 1, with sum ``len(X)``;
    - ``y``: integers or strings [sequences], the class of each sequence; at least 2 classes with
      at least 3 sequences each.

    Raises
    ------
    DataError
        The file is missing, truncated or foreign, or its arrays are malformed; the text says
        which array, where and what is legal.
    """
    path = Path(path)
    sequences, y = read_sequences(path)
    labels, classes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(labels) < 2:
        raise DataError(f"{path}: y holds {len(labels)} class; a task needs at least 2 different classes")
    if counts.min() < SMALLEST_CLASS:
        label = labels[counts.argmin()]
        raise DataError(
            f"{path}: class {label} has {counts.min()} sequences; train, validation and test need at least "
            f"{SMALLEST_CLASS} of every class: add recordings or leave the class out"
        )
    parts = stratify(sequences, classes.astype(np.int64), seed)
    return Task(path.stem, tuple(str(label) for label in labels), *parts)


def load_samples(path: str | Path) -> list[np.ndarray]:
    """Load sequences without classes from a ``.npz``: its ``X`` and ``lengths`` are those of `load_file`.

    Raises
    ------
    DataError
        As `load_file`.
    """
    path = Path(path)
    X, lengths = _read_arrays(path, "X", "lengths")
    return _sequences(path, X, lengths)


def read_sequences(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Read and check the three arrays: sequences as float32 [steps, features], and y.

    Raises
    ------
    DataError
        As `load_file`.
    """
    X, y, lengths = _read_arrays(path, "X", "y", "lengths")
    sequences = _sequences(path, X, lengths)
    if y.shape != lengths.shape or not (np.issubdtype(y.dtype, np.integer) or y.dtype.kind == "U"):
        raise DataError(
            f"{path}: y must be integers or strings, one for each of the {len(lengths)} lengths, "
            f"not {y.dtype} of shape {y.shape}"
        )
    return sequences, y


def _sequences(path: Path, X: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    if X.ndim != 2 or X.shape[1] == 0 or not _is_real(X):
        raise DataError(f"{path}: X must be numbers [steps, features], not {X.dtype} of shape {X.shape}")
    if lengths.ndim != 1 or not np.issubdtype(lengths.dtype, np.integer):
        raise DataError(
            f"{path}: lengths must be integers [sequences], not {lengths.dtype} of shape {lengths.shape}"
        )
    if lengths.size == 0:
        raise DataError(f"{path}: lengths is empty; at least one sequence is needed")
    if lengths.min() < 1:
        index = int(lengths.argmin())
        raise DataError(f"{path}: lengths[{index}] is {lengths[index]}; a sequence has at least 1 step")
    if lengths.sum(dtype=np.int64) != len(X):
        raise DataError(
            f"{path}: lengths add up to {lengths.sum(dtype=np.int64)} steps, but X has {len(X)}; "
            "X must hold every sequence exactly once, in order"
        )
    with np.errstate(over="ignore"):
        values = X.astype(np.float32)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{path}: X[{row}, {column}] is {X[row, column]}; all values must be finite in float32: "
            "clean or drop that sequence"
        )
    return np.split(values, np.cumsum(lengths)[:-1])


def _read_arrays(path: Path, *names: str) -> list[np.ndarray]:
    stored = read_arrays(path, "a whole .npz of plain arrays", DataError)
    missing = [name for name in names if name not in stored]
    if missing:
        raise DataError(
            f"{path}: array {missing[0]} is missing; the file must hold {', '.join(names)}, "
            f"not {', '.join(stored) or 'nothing'}"
        )
    return [stored[name] for name in names]


def _is_real(array: np.ndarray) -> bool:
    return np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)
