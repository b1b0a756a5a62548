"""Files that appear whole or not at all, and hold nothing executable."""

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.errors import BundleError


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
        The file is missing, foreign, truncated or of another version.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(arrays.pop("meta").tobytes())
        found = meta["version"]
    except FileNotFoundError as error:
        raise BundleError(f"{path}: no such file") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path}: not a {what} file ({error})") from error
    if found != version:
        raise BundleError(f"{path}: {what} version {found}; this release reads version {version}")
    return meta, arrays
