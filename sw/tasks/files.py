"""Data of a user's in files and folders, or behind the name of a Python object."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.archives import read_array
from gatewright.errors import DataError
from gatewright.limits import MOST_CSV, whole
from gatewright.sw.metrics import Kind, Reference, load_object, metric_of
from gatewright.sw.tasks.arrays import task_from
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.task import SPLITS, Task
from gatewright.texts import read_text

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
        arrays,
        folder.resolve().name,
        metric=settings.metric,
        seed=settings.seed,
        every_step=settings.every_step,
        where=str(folder),
        source=settings,
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
        kind: Kind = "classes" if found.classifies else "values"
        reference: Reference = "teacher" if found.taught else "targets"
        metric = metric_of(settings.metric, kind, reference) if settings.metric else found.metric
        return replace(found, source=settings, metric=metric)
    if isinstance(found, tuple) and len(found) == 2:
        found = {"X": found[0], "y": found[1]}
    if not isinstance(found, Mapping):
        raise DataError(
            f"{settings.source} is a {type(found).__name__}; it must be a Task, a dict of arrays, (X, y), or a "
            "function that returns one"
        )
    name = settings.source.partition(":")[2]
    return task_from(
        found,
        name,
        metric=settings.metric,
        seed=settings.seed,
        every_step=settings.every_step,
        where=settings.source,
        source=settings,
    )


def _read(folder: Path) -> dict[str, Any]:
    """Return the arrays of a folder: of its classes, or of the files in it."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    if classes:
        if beside := _files(folder):
            raise DataError(
                f"{folder}: {beside[0].name} is beside folders of classes; put it into one of them"
            )
        named = [(path.name, each) for path in classes for each in _files(path)]
        if not named:
            raise DataError(f"{folder}: its folders hold no .npy and no .csv files")
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
    what = "a whole file of numbers"
    if path.suffix == ".npy":
        return read_array(path, what, DataError)
    text = read_text(path, what, DataError, MOST_CSV)
    with whole(path, what, DataError):
        return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
