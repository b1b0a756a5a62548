"""A failing case on disk: a folder with ``case.json`` and the sequences in ``sequences.npz``."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.archives import read_arrays
from gatewright.cosim.fuzz.case import Case, Job, settled
from gatewright.cosim.fuzz.models import Recipe
from gatewright.cosim.fuzz.targets import Target
from gatewright.errors import DataError, GatewrightError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.skipping import WHOLE
from gatewright.origin import commit, versions
from gatewright.storage import make_folder, write_arrays, write_json
from gatewright.texts import read_object

_CASE, _SEQUENCES = "case.json", "sequences.npz"
_VERSION = 1


def save(case: Case, differences: tuple[str, ...], folder: Path) -> None:
    """Write a case and what differs in it to a folder, which is made."""
    make_folder(folder)
    named: dict[str, Any] = {f"{number}": job.x for number, job in enumerate(case.jobs)}
    write_arrays(folder / _SEQUENCES, named)
    baked = case.target.baked
    values = {
        "version": _VERSION,
        "case": case.name,
        "differences": list(differences),
        "found_with": {"commit": commit(), "versions": versions()},
        "config": case.target.config.to_json(),
        "axi": case.target.axi,
        "baked": baked is not None,
        "models": [asdict(recipe) for recipe in case.models],
        "jobs": [job.to_json() for job in case.jobs],
    }
    write_json(folder / _CASE, values)


def load(folder: Path) -> Case:
    """Read a case back.

    Raises
    ------
    DataError
        The folder is not what `save` wrote, or its case does not hold together.
    """
    path = Path(folder) / _CASE
    if not path.exists():
        raise DataError(f"{path}: no such file; give a folder that `fuzz` wrote")
    values = read_object(path, "a case of `fuzz`", DataError)
    found = values.get("version")
    if found != _VERSION:
        raise DataError(f"{path}: a case of version {found}; this release reads version {_VERSION}")
    arrays = read_arrays(Path(folder) / _SEQUENCES, "the sequences of a case", DataError)
    try:
        models = tuple(Recipe(**each) for each in values["models"])
        config = AcceleratorConfig.from_json(values["config"])
        target = Target(config, bool(values["axi"]), models[0] if values["baked"] else None)
        jobs = [Job.from_json(each, arrays[f"{number}"]) for number, each in enumerate(values["jobs"])]
        case = Case(target, models, settled(jobs), str(values["case"]))
        _check(case)
    except GatewrightError as error:
        raise DataError(f"{path}: not a sound case ({error})") from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not a whole case (missing or wrong entry {error!r})") from error
    return case


def _check(case: Case) -> None:
    """Refuse a case that cannot be played: its models must fit, and its sequences be theirs."""
    built = [recipe.build(case.target.config)[1] for recipe in case.models]
    if not case.jobs:
        raise DataError("it has no jobs")
    for number, job in enumerate(case.jobs):
        size, format = built[job.model].input_size, built[job.model].input_format
        if job.x.ndim != 2 or job.x.shape[1] != size or not len(job.x) or job.x.dtype != np.int64:
            raise DataError(
                f"job {number}: its sequence must be int64 [steps, {size}], not of shape {job.x.shape}"
            )
        if not format.min <= job.x.min() <= job.x.max() <= format.max:
            raise DataError(f"job {number}: its elements must be from {format.min} to {format.max}")
        case.target.config.check_skip(job.skip)
        if min(job.model, job.place, job.reset, job.threshold) < 0 or job.threshold >= WHOLE:
            raise DataError(
                f"job {number}: model, place and reset must be at least 0, threshold from 0 to {WHOLE - 1}"
            )
