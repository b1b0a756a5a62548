"""Reading arrays: sequences and their targets, checked, whatever form they come in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatewright.errors import DataError
from gatewright.sw.metrics import IGNORED
from gatewright.sw.tasks import splits


@dataclass(frozen=True)
class Part:
    """Sequences and their targets, before classes are numbered.

    Parameters
    ----------
    sequences : list of float32 arrays [steps, features]
    targets : Targets
        Classes by any integers or strings.
    streams : array [sequences], optional
        To which stream each sequence belongs.
    pieces : list of lists of int, optional
        As `Split` has them.
    """

    sequences: list[np.ndarray]
    targets: Any
    streams: np.ndarray | None = None
    pieces: list[list[int]] | None = None

    def take(self, indices: np.ndarray) -> "Part":
        """Return some of the sequences."""

        def chosen(values: Any) -> Any:
            return [values[k] for k in indices] if isinstance(values, list) else values[indices]

        return Part(
            chosen(self.sequences),
            None if self.targets is None else chosen(self.targets),
            None if self.streams is None else self.streams[indices],
        )


def read_part(arrays: Mapping[str, Any], suffix: str, where: str) -> Part:
    """Read ``X``, ``lengths``, ``y`` and ``stream``, each with a split's suffix; a malformed one raises DataError."""
    sequences, padded = _sequences(arrays[f"X{suffix}"], arrays.get(f"lengths{suffix}"), suffix, where)
    if len({each.shape[1] for each in sequences}) > 1:
        raise DataError(f"{where}: all sequences of X{suffix} must have as many features")
    y, streams = arrays.get(f"y{suffix}"), arrays.get(f"stream{suffix}")
    return Part(
        sequences,
        None if y is None else _targets(y, sequences, padded, f"y{suffix}", where),
        None if streams is None else read_names(streams, f"stream{suffix}", len(sequences), where),
    )


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
        if len({each.shape for each in parts}) > 1:
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


def is_values(targets: Any) -> bool:
    """Tell whether targets are values; else they are classes."""
    return np.issubdtype((targets[0] if isinstance(targets, list) else targets).dtype, np.floating)


def joined(part: Part, where: str) -> Part:
    """Join the pieces of each stream, in order, into one sequence; their targets become those of steps."""
    if part.streams is None:
        return part
    sequences, targets, pieces = [], [], []
    for indices in splits.streams(part.streams):
        sequences.append(np.concatenate([part.sequences[k] for k in indices]))
        pieces.append([len(part.sequences[k]) for k in indices])
        if part.targets is not None:
            targets.append(np.concatenate([_at_end(part, k, where) for k in indices]))
    return Part(sequences, targets if part.targets is not None else None, None, pieces)


def _at_end(part: Part, k: int, where: str) -> np.ndarray:
    """Return the targets of the steps of a piece; one of the whole piece counts at its last step."""
    if isinstance(part.targets, list):
        return part.targets[k]
    y = part.targets
    if y.dtype.kind in "US":
        raise DataError(f"{where}: classes of streams must be integers, with labels for their names")
    fill = np.nan if np.issubdtype(y.dtype, np.floating) else IGNORED
    steps = np.full((len(part.sequences[k]), *y.shape[1:]), fill, y.dtype)
    steps[-1] = y[k]
    return steps


def read_names(values: Any, key: str, count: int, where: str) -> np.ndarray:
    """Check integers or strings, one for each sequence."""
    names = np.asarray(values)
    if names.shape != (count,) or names.dtype.kind not in "iuUS":
        raise DataError(
            f"{where}: {key} must be integers or strings, one for each of the {count} sequences, not {names.dtype} of "
            f"shape {names.shape}"
        )
    return names.astype(np.str_) if names.dtype.kind in "US" else names
