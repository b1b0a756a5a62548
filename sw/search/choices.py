"""Candidate values that a user sets: in a file, in a mapping, or in a line each, such as ``rank=8,16,none``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gatewright.errors import ConfigError
from gatewright.sw.search.parameters import Value
from gatewright.texts import read_object, read_toml

WHOLE = "none"
"""How a file and a line write the rank of a matrix that stays whole."""

_FORM = "rank=8,16,none or layer0.hidden=32,64"


def read_choices(source: Path | Mapping[str, Any] | Iterable[str]) -> dict[str, tuple[Value, ...]]:
    """Read candidate values by the names of parameters; `SearchSpace.changed` says which names there are.

    Parameters
    ----------
    source : Path, mapping, or iterable of str
        A TOML or JSON file; or what it holds: a value or a list of values by name, where tables stand for scopes, so
        that ``rank`` in the table ``layer0.recurrent`` is ``layer0.recurrent.rank``; or lines, each a name, an equals
        sign and values with commas. `WHOLE` is the rank of a matrix that is not factorised.

    Raises
    ------
    ConfigError
        The file cannot be read, a line has another form, or a name comes twice.
    """
    if isinstance(source, Path):
        return _flat(_file(source))
    if isinstance(source, Mapping):
        return _flat(source)
    choices: dict[str, tuple[Value, ...]] = {}
    for line in source:
        name, equals, values = (part.strip() for part in line.partition("="))
        if not (name and equals and values):
            raise ConfigError(f"a choice must be written as {_FORM}, not {line!r}")
        if name in choices:
            raise ConfigError(f"{name} is chosen twice: write all of its values in one line")
        choices[name] = tuple(_value(text.strip()) for text in values.split(","))
    return choices


def _file(path: Path) -> Mapping[str, Any]:
    readers = {".toml": read_toml, ".json": read_object}
    if path.suffix not in readers:
        raise ConfigError(f"{path}: a space must be a file ending in .toml or .json")
    return readers[path.suffix](path, "a readable file of choices", ConfigError)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Value, ...]]:
    choices: dict[str, tuple[Value, ...]] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            choices |= _flat(value, f"{prefix}{name}.")
            continue
        listed = value if isinstance(value, list | tuple) else [value]
        for each in listed:
            if not isinstance(each, int | float | str | None):
                raise ConfigError(f"a value of {prefix}{name} must be a number or a text, not {each!r}")
        choices[f"{prefix}{name}"] = tuple(None if each == WHOLE else each for each in listed)
    return choices


def _value(text: str) -> Value:
    if text == WHOLE:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
