"""Result rows with checked access."""

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeGuard

from gatewright.errors import RunFolderError
from gatewright.results import read_rows

Kind = Literal["number", "share", "flag", "object"]
"""What a parameter is, if no text: a finite number; one above 0 and at most 1; true or false; or values by name."""

_RUN: dict[str, Kind] = {"density": "share", "epoch": "number", "available": "number"}


class Table:
    """Rows of one file; every access checks what it gives.

    Parameters
    ----------
    path : Path
        A file of rows.
    kinds : dict of Kind
        Parameters that are no text; unless given, those of a run folder.

    Raises
    ------
    RunFolderError
        The file, or later an entry that is asked for, is malformed; the text names file and entry.
    """

    def __init__(self, path: Path, kinds: Mapping[str, Kind] = _RUN):
        self.path = path
        self.rows = read_rows(path)
        self._kinds = kinds
        for k, row in enumerate(self.rows):
            if not isinstance(row.name, str) or not isinstance(row.unit, str):
                raise self.error(k, "name and unit must be strings")
            if not isinstance(row.parameters, dict) or not isinstance(row.versions, dict):
                raise self.error(k, "parameters and versions must be objects")

    def error(self, entry: int, problem: str) -> RunFolderError:
        """Give the error that names the file and an entry."""
        return RunFolderError(f"{self.path}: entry {entry} ({self.rows[entry].name!r}): {problem}")

    def figures(
        self, name: str, *wanted: str, optional: tuple[str, ...] = (), signed: bool = False
    ) -> Iterator[tuple]:
        """Give (value, parameter, ...) of each row of that name.

        Parameters
        ----------
        name : str
        *wanted : str
            Parameters that a row must have; ``seed`` is the row's own.
        optional : tuple of str
            Further ones, None where a row lacks them.
        signed : bool
            Values may be below 0.
        """
        for k, row in enumerate(self.rows):
            if row.name == name:
                known = [self._parameter(k, key) for key in wanted]
                extra = [self._parameter(k, key) if key in row.parameters else None for key in optional]
                yield (self._value(k, signed), *known, *extra)

    def figure(self, name: str, **wanted) -> float | None:
        """Give the value of the first row that fits; a parameter that a row does not name fits all."""
        for k, row in enumerate(self.rows):
            if row.name == name and all(row.parameters.get(key, v) == v for key, v in wanted.items()):
                return self._value(k)
        return None

    def collect(
        self, names: Collection[str], *keys: str, signed: bool = False
    ) -> dict[tuple, dict[str, float]]:
        """Give values by name for each combination of parameters; rows that lack one of these are left out.

        Raises
        ------
        RunFolderError
            A value comes twice.
        """
        found: dict[tuple, dict[str, float]] = {}
        for k, row in enumerate(self.rows):
            if row.name in names and all(key in row.parameters for key in keys):
                values = found.setdefault(tuple(self._parameter(k, key) for key in keys), {})
                if row.name in values:
                    raise self.error(k, f"comes twice for the same {', '.join(keys)}")
                values[row.name] = self._value(k, signed)
        return found

    def texts(self, name: str) -> list[str]:
        """Give the texts of all rows of that name."""
        found = [(k, row.value) for k, row in enumerate(self.rows) if row.name == name]
        for k, value in found:
            if not isinstance(value, str):
                raise self.error(k, f"value must be a string, not {value!r}")
        return [str(value) for _, value in found]

    def _value(self, entry: int, signed: bool = False) -> Any:
        row = self.rows[entry]
        if not _is_number(row.value) or (row.value < 0 and not signed):
            least = "" if signed else ", at least 0"
            raise self.error(entry, f"value must be a finite number{least}, not {row.value!r}")
        if row.unit == "integers" and row.value != int(row.value):
            raise self.error(entry, f"value must be a whole number, not {row.value!r}")
        return row.value

    def _parameter(self, entry: int, key: str) -> Any:
        if key == "seed":
            return self.rows[entry].seed
        parameters = self.rows[entry].parameters
        if key not in parameters:
            raise self.error(entry, f"parameter {key!r} is missing; there are {sorted(parameters)}")
        value = parameters[key]
        match self._kinds.get(key):
            case None:
                if not isinstance(value, str):
                    raise self.error(entry, f"parameter {key!r} must be a string, not {value!r}")
                return value
            case "flag":
                if not isinstance(value, bool):
                    raise self.error(entry, f"parameter {key!r} must be true or false, not {value!r}")
                return value
            case "object":
                if not isinstance(value, dict):
                    raise self.error(entry, f"parameter {key!r} must be an object, not {value!r}")
                return value
            case kind:
                if not _is_number(value):
                    raise self.error(entry, f"parameter {key!r} must be a finite number, not {value!r}")
                if kind == "share" and not 0 < value <= 1:
                    problem = f"parameter {key!r} must be above 0 and at most 1, not {value!r}"
                    raise self.error(entry, problem)
                return float(value)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
