"""Data of a user's in files and folders, or behind the name of a Python object."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.errors import DataError
from gatewright.sw.metrics import load_object
from gatewright.sw.tasks.arrays import task_from
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.task import SPLITS, Task

_SEQUENCES = (".npy", ".csv")
_TARGETS = ".y"
"""What the name of a file with the targets of steps has before its ending."""


def load_folder(folder: Path, settings: DataSettings) -> Task:
    """Load a folder of sequences, one ``.npy`` or ``.csv`` [steps, features] each.

    Folders in it are the classes; without any, the sequences have no targets, or those of their steps in ``NAME.y.npy``
    beside ``NAME.npy``. Folders ``train``, ``validation`` and ``test`` are given splits, each laid out like that.

    Raises
    ------
    DataError
        A file or the layout is malformed; the text names it.
    """
    if any((folder / split).is_dir() for split in SPLITS):
        arrays: dict[str, Any] = {}
        for split in SPLITS:
            if not (folder / split).is_dir():
                raise DataError(f"{folder}: there is no folder {split}; given splits are {', '.join(SPLITS)}")
            arrays |= {f"{key}_{split}": values for key, values in _read(folder / split).items()}
    else:
        arrays = _read(folder)
    return task_from(
        arrays, folder.name, metric=settings.metric, seed=settings.seed, where=str(folder), source=settings
    )


def load_python(settings: DataSettings) -> Task:
    """Load what ``module:name`` names: a `Task`, arrays by key, ``(X, y)``, or a function that returns one of these.

    Raises
    ------
    ConfigError
        The module or the name is not there.
    DataError
        It is something else, or malformed.
    """
    found = load_object(settings.source, "data")
    if callable(found):
        found = found()
    if isinstance(found, Task):
        return replace(found, source=settings)
    if isinstance(found, tuple) and len(found) == 2:
        found = {"X": found[0], "y": found[1]}
    if not isinstance(found, Mapping):
        raise DataError(
            f"{settings.source} is a {type(found).__name__}; it must be a Task, a dict of arrays, (X, y), or a "
            "function that returns one"
        )
    name = settings.source.partition(":")[2]
    return task_from(
        found, name, metric=settings.metric, seed=settings.seed, where=settings.source, source=settings
    )


def _read(folder: Path) -> dict[str, Any]:
    """Return the arrays of a folder: of its classes, or of the files in it."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    if classes:
        named = [(path.name, each) for path in classes for each in _files(path)]
        return {"X": [_load(path) for _, path in named], "y": np.array([name for name, _ in named])}
    files = _files(folder)
    if not files:
        raise DataError(
            f"{folder}: no sequences; it must hold .npy or .csv files, or folders of them, one a class"
        )
    arrays: dict[str, Any] = {"X": [_load(path) for path in files]}
    beside = [path.with_name(path.stem + _TARGETS + ".npy") for path in files]
    there = [path.is_file() for path in beside]
    if any(there):
        if not all(there):
            raise DataError(
                f"{beside[there.index(False)]} is missing; other sequences have targets of their steps"
            )
        arrays["y"] = [_load(path) for path in beside]
    return arrays


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix in _SEQUENCES)
    return [path for path in found if not path.stem.endswith(_TARGETS)]


def _load(path: Path) -> np.ndarray:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return np.loadtxt(path, delimiter=",", ndmin=2)
    except Exception as error:
        # A damaged file makes numpy raise what no list could name in full.
        raise DataError(f"{path}: not a whole file of numbers ({error})") from error
