"""Texts in files: JSON and TOML whose values are plain, finite and not deep."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

from gatewright.errors import GatewrightError
from gatewright.limits import MOST_DEPTH, MOST_DOTS, MOST_JSON, MOST_OBJECTS, MOST_TOML, file_size, whole

_LARGEST = 2**64
"""Above every integer that the package writes; larger ones are no number of a figure, a seed or a size."""


def read_text(path: Path, what: str, error: type[GatewrightError], most: int = MOST_JSON) -> str:
    """Read a text in UTF-8 of at most so many bytes; `error` if there is none."""
    file_size(path, error, most)
    with whole(path, what, error):
        return Path(path).read_text(encoding="utf-8")


def read_json(path: Path, what: str, error: type[GatewrightError], *, finite: bool = True) -> Any:
    """Read a JSON file as `parse_json` does; `error` if it is none."""
    text = read_text(path, what, error)
    with whole(path, what, error):
        return parse_json(text, finite=finite)


def read_object(
    path: Path, what: str, error: type[GatewrightError], *, finite: bool = True
) -> dict[str, Any]:
    """Read a JSON file that holds an object; `error` if it is none."""
    value = read_json(path, what, error, finite=finite)
    if not isinstance(value, dict):
        raise error(f"{path}: not {what}: must be a JSON object")
    return value


def read_toml(path: Path, what: str, error: type[GatewrightError]) -> dict[str, Any]:
    """Read a TOML file; `error` if it is none."""
    text = read_text(path, what, error, MOST_TOML)
    with whole(path, what, error):
        if text.count(".") > MOST_DOTS:
            raise ValueError(f"more than {MOST_DOTS} dots")
        values = tomllib.loads(text)
        _check(values, finite=True)
        return values


def parse_json(text: str, *, finite: bool = True) -> Any:
    """Give the value of a JSON text.

    Parameters
    ----------
    text : str
    finite : bool
        Refuse NaN and infinities; rows and notes have some, as the scores of splits where nothing counts.

    Raises
    ------
    ValueError
        It is none, too long or nested too deeply, a name comes twice in an object, or a value is not finite, too large
        or no text in Unicode.
    """
    if len(text) > MOST_JSON:
        raise ValueError(f"{len(text)} characters; at most {MOST_JSON} are read as JSON")
    objects = text.count("{") + text.count("[")
    if objects > MOST_OBJECTS:
        raise ValueError(f"{objects} objects and lists; at most {MOST_OBJECTS} are read")
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError as cause:
        raise ValueError(f"nested more than {MOST_DEPTH} deep") from cause
    _check(value, finite=finite)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"{twice!r} comes twice")
    return found


def _check(value: Any, *, finite: bool) -> None:
    level, depth = [value], 0
    while level:
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict | list) and depth >= MOST_DEPTH:
                raise ValueError(f"nested more than {MOST_DEPTH} deep")
            if isinstance(each, dict):
                inner += each
                inner += each.values()
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, str):
                if not each.isascii():
                    each.encode()
            elif finite and isinstance(each, float) and not math.isfinite(each):
                raise ValueError(f"{each} is no finite number")
            elif isinstance(each, int) and abs(each) > _LARGEST:
                raise ValueError(f"an integer above {_LARGEST}")
        level, depth = inner, depth + 1
