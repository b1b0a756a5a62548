"""Result rows: the only form in which measured figures are kept, and the one way to ask for them."""

import json
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeGuard, overload

from gatewright.errors import RunFolderError
from gatewright.limits import whole
from gatewright.origin import UNKNOWN, commit, dirty, versions
from gatewright.quantities import PARAMETERS, QUANTITIES, Quantity
from gatewright.storage import write_text
from gatewright.texts import read_object

_UNSAID: dict[str, Any] = {"versions": {}, "commit": UNKNOWN, "dirty": None}
"""Fields that a file of rows holds once, and what they are where it does not say."""


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Parameters
    ----------
    name : str
        What was measured: a name of `quantities.QUANTITIES`.
    unit : str
        Unit of the value, one of that quantity's.
    value : int, float or str
        The figure itself.
    parameters : dict
        What it depends on: plain JSON values.
    seed : int or None
        Seed of everything random in it.
    versions : dict
        Of Gatewright and its tools.
    commit : str
        Of the code that measured it.
    dirty : bool or None
        Whether that code had changes that were not committed; None where nobody knows.

    Raises
    ------
    ValueError
        There is no such quantity, or it has another unit.
    TypeError
        Parameters or versions are no dictionaries, or `dirty` is something else.
    """

    name: str
    unit: str
    value: float | int | str
    parameters: dict = field(default_factory=dict)
    seed: int | None = None
    versions: dict = field(default_factory=versions)
    commit: str = field(default_factory=commit)
    dirty: bool | None = field(default_factory=dirty)

    def __post_init__(self) -> None:
        quantity = _quantity(self.name)
        if not isinstance(self.unit, str) or not quantity.takes(self.unit):
            raise ValueError(f"{self.name} is in {quantity.unit}, not {self.unit!r}")
        if not isinstance(self.parameters, dict) or not isinstance(self.versions, dict):
            raise TypeError(f"{self.name}: parameters and versions must be objects")
        if not isinstance(self.dirty, bool | None):
            raise TypeError(f"{self.name}: dirty must be true, false or null, not {self.dirty!r}")


class RowMetric(Protocol):
    """What a row of scores needs to know of a metric."""

    @property
    def name(self) -> str:
        """As commands and files spell it."""

    @property
    def unit(self) -> str:
        """Of its values."""

    @property
    def more_is_better(self) -> bool:
        """Whether a larger value is the better one."""


def score_row(name: str, metric: RowMetric, value: float, parameters: dict, seed: int | None = None) -> Row:
    """Make a row in the unit of a metric, which says what it is measured by and which direction is better."""
    better = "more" if metric.more_is_better else "less"
    return Row(name, metric.unit, value, {**parameters, "metric": metric.name, "better": better}, seed)


class Rows(Sequence[Row]):
    """Rows, and every way to ask for them; what is asked for is checked.

    A query takes the name of a quantity and parameters that a row must have; a parameter that is None must be missing.

    Parameters
    ----------
    rows : iterable of Row
    source : str
        Where they come from, for errors.
    """

    def __init__(self, rows: Iterable[Row] = (), source: str = "rows"):
        self._rows = tuple(rows)
        self.source = source

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> "Rows": ...

    def __getitem__(self, index: int | slice) -> "Row | Rows":
        if isinstance(index, slice):
            return Rows(self._rows[index], self.source)
        return self._rows[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Rows | list | tuple) else NotImplemented

    def where(self, name: str | Collection[str] | None = None, **parameters) -> "Rows":
        """Return the rows of a name, or of one of several, that have these parameters."""
        names = None if name is None else {name} if isinstance(name, str) else set(name)
        for each in names or ():
            _quantity(each)
        chosen = (
            row
            for row in self._rows
            if (names is None or row.name in names)
            and all(row.parameters.get(key) == value for key, value in parameters.items())
        )
        return Rows(chosen, self.source)

    def value(self, name: str, **parameters) -> float | None:
        """Return the value of the row that fits; None if there is none.

        Raises
        ------
        RunFolderError
            Several fit and differ, or the value is not what the quantity takes.
        """
        found = {self._value(row) for row in self.where(name, **parameters)}
        if len(found) > 1:
            raise RunFolderError(
                f"{self.source}: {name} with {parameters} is not one figure: {sorted(found)}"
            )
        return next(iter(found), None)

    def figure(self, name: str, **parameters) -> float:
        """Return `value`, where there must be one.

        Raises
        ------
        RunFolderError
            As for `value`, or there is none.
        """
        found = self.value(name, **parameters)
        if found is None:
            raise RunFolderError(f"{self.source}: no row of {name} with {parameters}")
        return found

    def values(self, name: str, key: str, **parameters) -> dict[Any, float]:
        """Return the values of the rows that fit by one of their parameters, in order; ``seed`` is the row's own.

        Raises
        ------
        RunFolderError
            A row lacks it, or two of one key differ.
        """
        found: dict[Any, float] = {}
        for row in self.where(name, **parameters):
            place, value = self._parameter(row, key), self._value(row)
            if found.setdefault(place, value) != value:
                raise self._error(row, f"comes twice for the same {key}")
        return found

    def all(self, name: str, **parameters) -> list[float]:
        """Return the values of all rows that fit, in order."""
        return [self._value(row) for row in self.where(name, **parameters)]

    def mean(self, name: str, **parameters) -> float:
        """Return the mean of the rows that fit, of which there must be one."""
        found = self.all(name, **parameters)
        if not found:
            raise RunFolderError(f"{self.source}: no row of {name} with {parameters}")
        return sum(found) / len(found)

    def distinct(self, key: str) -> list[Any]:
        """Return the different values of a parameter, in order; rows without it are left out."""
        return list(dict.fromkeys(self._parameter(row, key) for row in self._rows if key in row.parameters))

    def lines(self, name: str, *keys: str, optional: Collection[str] = ()) -> Iterator[tuple]:
        """Yield (value, parameter, ...) of each row of a name; None for an `optional` parameter that it lacks.

        Raises
        ------
        RunFolderError
            A row lacks one of `keys`.
        """
        for row in self.where(name):
            known = (self._parameter(row, key) for key in keys)
            extra = (self._parameter(row, key) if key in row.parameters else None for key in optional)
            yield (self._value(row), *known, *extra)

    def collect(self, names: Collection[str], *keys: str) -> dict[tuple, dict[str, float]]:
        """Return values by name for each combination of parameters; rows that lack one of these are left out.

        Raises
        ------
        RunFolderError
            A value comes twice.
        """
        found: dict[tuple, dict[str, float]] = {}
        for row in self.where(names):
            if all(key in row.parameters for key in keys):
                values = found.setdefault(tuple(self._parameter(row, key) for key in keys), {})
                if row.name in values:
                    raise self._error(row, f"comes twice for the same {', '.join(keys)}")
                values[row.name] = self._value(row)
        return found

    def texts(self, name: str, **parameters) -> list[str]:
        """Return the words of all rows that fit."""
        found = self.where(name, **parameters)
        for row in found:
            if not isinstance(row.value, str):
                raise self._error(row, f"value must be a string, not {row.value!r}")
        return [str(row.value) for row in found]

    def _error(self, row: Row, problem: str) -> RunFolderError:
        where = ", ".join(f"{key} {value}" for key, value in row.parameters.items() if key != "candidate")
        return RunFolderError(f"{self.source}: {row.name}{f' ({where})' if where else ''}: {problem}")

    def _value(self, row: Row) -> Any:
        signed = QUANTITIES[row.name].kind == "signed"
        if not _is_number(row.value) or (row.value < 0 and not signed):
            least = "" if signed else ", at least 0"
            raise self._error(row, f"value must be a finite number{least}, not {row.value!r}")
        if row.unit == "integers" and row.value != int(row.value):
            raise self._error(row, f"value must be a whole number, not {row.value!r}")
        return row.value

    def _parameter(self, row: Row, key: str) -> Any:
        if key == "seed":
            return row.seed
        if key not in row.parameters:
            raise self._error(row, f"parameter {key!r} is missing")
        value = row.parameters[key]
        wanted, right = {
            "text": ("a string", isinstance(value, str)),
            "flag": ("true or false", isinstance(value, bool)),
            "object": ("an object", isinstance(value, dict)),
            "number": ("a finite number", _is_number(value)),
            "share": ("above 0 and at most 1", _is_number(value) and 0 < value <= 1),
            "any": ("a string or a number", isinstance(value, str) or _is_number(value)),
        }[PARAMETERS.get(key, "text")]
        if not right:
            raise self._error(row, f"parameter {key!r} must be {wanted}, not {value!r}")
        return value


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON, one a line."""
    write_text(path, rows_json(list(rows)) + "\n")


def rows_json(rows: Sequence[Row]) -> str:
    """Return rows as JSON text: versions, commit and dirty once; a row of other ones has its own."""
    said = {name: getattr(rows[0], name) for name in _UNSAID} if rows else {}
    origin = {name: value for name, value in said.items() if value is not None}
    entries = []
    for row in rows:
        entry = {name: value for name, value in vars(row).items() if origin.get(name) != value}
        entries.append(json.dumps(entry, ensure_ascii=False))
    head = json.dumps(origin, ensure_ascii=False)[1:-1]
    lines = ",\n".join(entries)
    return "{" + head + (", " if head else "") + '"rows": [\n' + lines + "\n]}"


def read_rows(*paths: Path) -> Rows:
    """Read the rows of one or more files, one after the other.

    Raises
    ------
    RunFolderError
        A file is missing or holds something else.
    """
    return Rows((row for path in paths for row in _read(Path(path))), ", ".join(map(str, paths)))


def _read(path: Path) -> Iterator[Row]:
    stored = read_object(path, "rows of figures", RunFolderError, finite=False)
    with whole(path, "rows of figures", RunFolderError):
        origin = _UNSAID | {name: stored[name] for name in _UNSAID if name in stored}
        found = [Row(**origin | entry) for entry in stored["rows"]]
    yield from found


def _quantity(name: str) -> Quantity:
    if not isinstance(name, str) or name not in QUANTITIES:
        raise ValueError(f"there is no quantity {name!r}; gatewright.quantities names them all")
    return QUANTITIES[name]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
