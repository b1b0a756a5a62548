"""How sequences are split into train, validation and test: by class, by group, at random, or as the data say."""

from collections.abc import Iterator, Sequence

import numpy as np

from gatewright.errors import DataError
from gatewright.sw.tasks.task import SPLITS, Split

SHARES = (0.15, 0.15)
"""Shares that validate and test; the rest trains."""

SMALLEST_CLASS = 3
"""Fewest sequences of a class that give each split at least one."""

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Indices of the sequences of train, validation and test."""


def by_class(classes: np.ndarray, names: Sequence[str], seed: int) -> Parts:
    """Split with the same share of every class, at least one sequence each.

    Parameters
    ----------
    classes : int64 array [sequences]
    names : sequence of str
        Of the classes, for errors.
    seed : int

    Raises
    ------
    DataError
        A class has fewer than `SMALLEST_CLASS` sequences.
    """
    generator = np.random.default_rng(seed)
    parts: tuple[list, list, list] = ([], [], [])
    for label, name in enumerate(names):
        members = generator.permutation(np.flatnonzero(classes == label))
        if len(members) < SMALLEST_CLASS:
            raise DataError(
                f"class {name} has {len(members)} sequences; train, validation and test need at least "
                f"{SMALLEST_CLASS} of every class: add recordings or leave the class out"
            )
        for part, indices in zip(parts, _cut(members), strict=True):
            part.append(indices)
    train, validation, test = (np.concatenate(part) for part in parts)
    return train, validation, test


def stratify(sequences: list[np.ndarray], classes: np.ndarray, seed: int) -> tuple[Split, Split, Split]:
    """Return three splits with the same share of every class; raises what `by_class` does."""
    names = [str(label) for label in range(int(classes.max()) + 1)]
    train, validation, test = (
        Split([sequences[i] for i in part], classes[part]) for part in by_class(classes, names, seed)
    )
    return train, validation, test


def at_random(count: int, seed: int) -> Parts:
    """Split so many sequences at random.

    Raises
    ------
    DataError
        There are fewer than three.
    """
    if count < len(SPLITS):
        raise DataError(
            f"{count} sequences: train, validation and test need at least one each; cut long recordings into pieces, "
            "or add some"
        )
    return _cut(np.random.default_rng(seed).permutation(count))


def by_group(groups: np.ndarray, seed: int) -> Parts:
    """Split whole groups, such as speakers or subjects, so that no split knows another's.

    Raises
    ------
    DataError
        There are fewer than three groups.
    """
    names = np.unique(groups)
    if len(names) < len(SPLITS):
        raise DataError(f"{len(names)} groups: train, validation and test need at least one each")
    chosen = at_random(len(names), seed)
    train, validation, test = (np.flatnonzero(np.isin(groups, names[part])) for part in chosen)
    return train, validation, test


def as_given(split: np.ndarray) -> Parts:
    """Split as names say: ``train``, ``validation`` and ``test``.

    Raises
    ------
    DataError
        A name is another one, or a split has no sequences.
    """
    if unknown := sorted(set(split.tolist()) - set(SPLITS)):
        raise DataError(f"split must be one of {', '.join(SPLITS)}, not {unknown[0]!r}")
    for name in SPLITS:
        if not (split == name).any():
            raise DataError(
                f"split has no sequence of {name!r}; each of {', '.join(SPLITS)} needs at least one"
            )
    train, validation, test = (np.flatnonzero(split == name) for name in SPLITS)
    return train, validation, test


def _cut(members: np.ndarray) -> Parts:
    validation, test = (max(1, round(share * len(members))) for share in SHARES)
    train, validate, held = np.split(members, [len(members) - validation - test, len(members) - test])
    return train, validate, held


def streams(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the indices of each stream's pieces, in order."""
    for name in dict.fromkeys(ids.tolist()):
        yield np.flatnonzero(ids == name)
