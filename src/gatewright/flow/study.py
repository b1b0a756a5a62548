"""Studies as folders of named models."""

from pathlib import Path

from gatewright.cosim.search.folder import StudyFolder
from gatewright.errors import RunFolderError
from gatewright.sw.bundle import Bundle


def is_study(folder: Path) -> bool:
    """Tell whether a folder holds a study."""
    return StudyFolder(folder).settings.is_file()


def point_of(folder: Path, name: str) -> Bundle:
    """Return the model of a point of a study by its name.

    Raises
    ------
    RunFolderError
        The study has no such point; the text names those that it has.
    """
    points = StudyFolder.open(folder).points()
    if not points:
        raise RunFolderError(f"{folder}: the study has no points yet; let `gatewright search` finish it")
    if name not in points:
        raise RunFolderError(f"{folder}: no point {name!r}; there are {', '.join(points)}")
    return Bundle.load(points[name])
