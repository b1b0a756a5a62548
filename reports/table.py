"""Result rows with checked access."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

from gatewright.errors import RunFolderError
from gatewright.results import read_rows

_NUMERIC = ("density", "epoch", "available")


class Table:
    """Rows of one file; every access checks what it gives.

    Parameters
    ----------
    path : Path
        A file of rows.

    Raises
    ------
    RunFolderError
        The file, or later an entry that is asked for, is malformed; the text names file and entry.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows = read_rows(path)
        for k, row in enumerate(self.rows):
            if not isinstance(row.name, str) or not isinstance(row.unit, str):
                raise self.error(k, "name and unit must be strings")
            if not isinstance(row.parameters, dict) or not isinstance(row.versions, dict):
                raise self.error(k, "parameters and versions must be objects")

    def error(self, entry: int, problem: str) -> RunFolderError:
        """Give the error that names the file and an entry."""
        return RunFolderError(f"{self.path}: entry {entry} ({self.rows[entry].name!r}): {problem}")

    def figures(self, name: str, *wanted: str, optional: tuple[str, ...] = ()) -> Iterator[tuple]:
        """Give (value, parameter, ...) of each row of that name, None for an optional parameter it lacks."""
        for k, row in enumerate(self.rows):
            if row.name == name:
                known = [self._parameter(k, key) for key in wanted]
                extra = [self._parameter(k, key) if key in row.parameters else None for key in optional]
                yield (self._value(k), *known, *extra)

    def figure(self, name: str, **wanted) -> float | None:
        """Give the value of the first row that fits; a parameter that a row does not name fits all."""
        for k, row in enumerate(self.rows):
            if row.name == name and all(row.parameters.get(key, v) == v for key, v in wanted.items()):
                return self._value(k)
        return None

    def _value(self, entry: int) -> Any:
        row = self.rows[entry]
        if not _is_number(row.value) or row.value < 0:
            raise self.error(entry, f"value must be a finite number, at least 0, not {row.value!r}")
        if row.unit == "integers" and row.value != int(row.value):
            raise self.error(entry, f"value must be a whole number, not {row.value!r}")
        return row.value

    def _parameter(self, entry: int, key: str) -> Any:
        parameters = self.rows[entry].parameters
        if key not in parameters:
            raise self.error(entry, f"parameter {key!r} is missing; there are {sorted(parameters)}")
        value = parameters[key]
        if key in _NUMERIC:
            if not _is_number(value):
                raise self.error(entry, f"parameter {key!r} must be a finite number, not {value!r}")
            if key == "density" and not 0 < value <= 1:
                raise self.error(entry, f"parameter 'density' must be above 0 and at most 1, not {value!r}")
            return float(value)
        if not isinstance(value, str):
            raise self.error(entry, f"parameter {key!r} must be a string, not {value!r}")
        return value


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
