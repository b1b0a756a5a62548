"""Tasks: sequences in three splits with targets of any kind, or none, behind one small interface."""

from pathlib import Path

from gatewright.errors import DataError
from gatewright.sw.tasks.arrays import load_npz, save_task, task_from
from gatewright.sw.tasks.baseline import baseline
from gatewright.sw.tasks.digits import load_digits
from gatewright.sw.tasks.files import load_folder, load_python
from gatewright.sw.tasks.images import holds_images, load_fashion, load_images
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.splits import stratify
from gatewright.sw.tasks.task import Split, Task, for_model, moments, scaling, target_moments
from gatewright.sw.tasks.text import load_text

__all__ = [
    "DataSettings",
    "Split",
    "Task",
    "baseline",
    "for_model",
    "load_task",
    "moments",
    "save_task",
    "scaling",
    "stratify",
    "target_moments",
    "task_from",
]

_NAMED = {"digits": load_digits, "fashion-mnist": load_fashion}


def load_task(source: DataSettings | str, *, metric: str = "", seed: int = 0) -> Task:
    """Load a task.

    Parameters
    ----------
    source : DataSettings or str
        Its description; or ``digits``, ``fashion-mnist``, the path of an ``.npz``, of a folder or of a ``.txt``, or
        ``module:name`` of a Python object. ``docs/data.md`` says what each must hold.
    metric : str
        A name of `METRICS`, or ``module:name``; empty for what suits the data.
    seed : int
        Of the splits, where the data do not give them.

    Raises
    ------
    DataError
        The source is unknown, or malformed.
    ConfigError
        There is no such metric, or it does not go with the targets.
    """
    settings = source if isinstance(source, DataSettings) else DataSettings(str(source), metric, seed)
    name = settings.source
    if name in _NAMED:
        return _NAMED[name](settings)
    path = Path(name)
    if path.suffix == ".npz":
        return load_npz(path, settings)
    if path.suffix == ".txt":
        return load_text(path, settings)
    if path.is_dir():
        return load_images(path, settings) if holds_images(path) else load_folder(path, settings)
    if ":" in name and path.suffix == "":
        return load_python(settings)
    raise DataError(
        f"no data named {name!r}; known are {', '.join(sorted(_NAMED))}, paths of an .npz, of a folder and of a .txt, "
        "and module:name"
    )
