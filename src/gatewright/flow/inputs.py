"""What users hand in, as what the rooms work with: models, data and bundles, given as objects or as files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatewright.errors import BundleError, ConfigError, shell_word
from gatewright.sw.bundle import Bundle
from gatewright.sw.metrics import Metric, metric_of
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks import DataSettings, Task, load_task, task_from

Model = Any
"""A float model: as an object, as what an import gave, as a PyTorch module, or as a file of `FloatModel.save`."""

Data = Task | DataSettings | Mapping[str, Any] | tuple | str | Path
"""Data: a task, its description, arrays by the keys of ``docs/data.md``, (X, y), or a source of `load_task`."""

_INTEGER = ".npz"


def as_model(model: Model) -> FloatModel:
    """Return a float model.

    Raises
    ------
    BundleError
        The file is no float model of ours; the text says what to type.
    ModelImportError
        A PyTorch module cannot be imported.
    """
    if isinstance(model, FloatModel):
        return model
    if isinstance(model, str | Path):
        return _load(Path(model))
    from gatewright.sw.importers import Imported, import_model

    return model.model if isinstance(model, Imported) else import_model(model).model


def as_task(data: Data, *, metric: str | Metric = "", seed: int = 0) -> Task:
    """Return a task.

    Parameters
    ----------
    data : Task, DataSettings, dict of arrays, (X, y), or a source
    metric : str or Metric
        In place of what suits the data: a name of `METRICS`, ``module:name``, or a metric itself, whose task only this
        process knows.
    seed : int
        Of the splits, where the data do not give them.

    Raises
    ------
    DataError
        The data are malformed.
    ConfigError
        There is no such metric.
    """
    if isinstance(metric, Metric):
        return replace(as_task(data, seed=seed), metric=metric, source=None)
    if isinstance(data, Task):
        return replace(data, metric=metric_of(metric)) if metric else data
    if isinstance(data, DataSettings):
        return load_task(data)
    if isinstance(data, tuple):
        if len(data) != 2:
            raise ConfigError(f"data as a tuple must be (X, y), not {len(data)} values")
        data = {"X": data[0]} | ({} if data[1] is None else {"y": data[1]})
    if isinstance(data, Mapping):
        return task_from(data, metric=metric, seed=seed)
    return load_task(DataSettings(str(data), metric, seed))


def as_bundle(bundle: Any) -> Bundle:
    """Return an integer model: as it is, of a result that has one, or from its file.

    Raises
    ------
    BundleError
        It is none; the text says what to type.
    """
    if isinstance(bundle, Bundle):
        return bundle
    if isinstance(bundle, str | Path):
        path = Path(bundle)
        if path.suffix != _INTEGER:
            raise BundleError(
                f"{path}: not an integer model by its name (.npz); "
                f"`gatewright quantise {shell_word(path)} --data DATA` makes one"
            )
        return Bundle.load(path)
    found = getattr(bundle, "bundle", None)
    if isinstance(found, Bundle):
        return found
    raise BundleError(f"{type(bundle).__name__} is no integer model; gatewright.quantise makes one")


def _load(path: Path) -> FloatModel:
    if path.suffix == _INTEGER:
        raise BundleError(
            f"{path}: an integer model by its name (.npz), where a float model is needed; "
            f"`gatewright build {shell_word(path)}` takes it to hardware"
        )
    try:
        return FloatModel.load(path)
    except BundleError as error:
        if not path.is_file():
            raise
        raise BundleError(
            f"{error}; if it was trained elsewhere, "
            f"`gatewright import {shell_word(path)} -o model.pt` takes it over first"
        ) from error
