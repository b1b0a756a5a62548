"""Tasks: labelled sequences, split into train, validation and test, behind one small interface."""

from gatewright.errors import DataError
from gatewright.sw.tasks.baseline import baseline
from gatewright.sw.tasks.digits import load_digits
from gatewright.sw.tasks.files import load_file
from gatewright.sw.tasks.task import Split, Task, moments, scaling, stratify
from gatewright.sw.tasks.text import load_text

__all__ = ["Split", "Task", "baseline", "load_task", "moments", "scaling", "stratify"]

_NAMED = {"digits": load_digits}


def load_task(name_or_path: str, *, seed: int) -> Task:
    """Load a task by its name, a user's sequences by the path of their ``.npz``, or a text by that of its ``.txt``.

    Parameters
    ----------
    name_or_path : str
        ``"digits"``; a path that ends in ``.npz`` (see `files.load_file` for what it must hold); or one that ends in
        ``.txt`` (see `text.load_text`).
    seed : int
        Decides which sequences train, validate and test.

    Raises
    ------
    DataError
        The name is unknown, or the file is malformed.
    """
    name = str(name_or_path)
    if name in _NAMED:
        return _NAMED[name](seed)
    if name.endswith(".npz"):
        return load_file(name, seed)
    if name.endswith(".txt"):
        return load_text(name, seed)
    raise DataError(f"no task named {name!r}; known are {sorted(_NAMED)} and paths of .npz and .txt files")
