"""Files that appear whole or not at all, and hold nothing executable."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.errors import BundleError, GatewrightError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a neighbouring path to write to; it becomes `path` when the block ends without an error."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(value, indent=1) + "\n")


def write_npz(path: Path, meta: dict, arrays: dict[str, Any]) -> None:
    """Write arrays and JSON meta data (with an entry ``version``) to one ``.npz`` file."""
    text = np.frombuffer(json.dumps(meta, sort_keys=True).encode(), dtype=np.uint8)
    with whole_file(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, meta=text, **arrays)


def read_npz(path: Path, what: str, version: int) -> tuple[dict, dict[str, np.ndarray]]:
    """Read what `write_npz` wrote; never unpickles.

    Raises
    ------
    BundleError
        The file is missing, foreign, truncated, damaged or of another version.
    """
    arrays = read_arrays(path, f"a {what} file", BundleError)
    try:
        meta = json.loads(arrays.pop("meta").tobytes())
        found = meta["version"]
    except (ValueError, KeyError, TypeError) as cause:
        raise BundleError(f"{path}: not a {what} file ({cause!r})") from cause
    if found != version:
        raise BundleError(f"{path}: {what} version {found}; this release reads version {version}")
    return meta, arrays


def read_arrays(path: Path, what: str, error: type[GatewrightError]) -> dict[str, np.ndarray]:
    """Read all arrays of an ``.npz`` file; never unpickles.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, for the error's text.
    error : type
        Raised if the file is missing, foreign, truncated or damaged.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError as cause:
        raise error(f"{path}: no such file") from cause
    except Exception as cause:
        # A damaged file makes zipfile, zlib, tokenize and numpy raise what no list could name in full.
        raise error(f"{path}: not {what} ({cause})") from cause
