"""The cache of simulations: folders that can be made again, used only as they were made."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from gatewright.cosim.toolchain import SET_CACHE, cache_folder
from gatewright.custody import sha256
from gatewright.errors import ToolError, explained

_FORMAT = 2
"""Of an entry: part of its name, so that releases with other formats keep entries of their own."""

_MANIFEST = "manifest.json"
"""The list of an entry's files: sha256, and whether it can be run."""

_PARTIAL = ".partial"


def cached(key: str, fill: Callable[[Path, Path], None]) -> Path:
    """Return the folder of a key, filled if the cache does not hold it whole.

    An entry appears whole or not at all. Each use compares its files with the hashes that were written with it; one
    that is damaged is made again. Of two processes that want the same entry, one waits for the other. What killed
    processes left is removed. Where the cache may only be read, it serves what it has.

    Parameters
    ----------
    key : str
        Everything that the contents depend on.
    fill : callable
        Takes a folder to work in, and one in it whose contents are kept.

    Raises
    ------
    ToolError
        The cache lacks the entry, and cannot be written to; and what `fill` raises.
    """
    entry = _entry(key)
    if whole(entry):
        return entry
    try:
        entry.parent.mkdir(exist_ok=True)
        with FileLock(entry.with_suffix(".lock")):
            if not whole(entry):
                _make(entry, fill)
    except OSError as error:
        lacks = (
            "holds a damaged simulation in" if entry.exists() else "lacks the simulation, and cannot take it:"
        )
        raise ToolError(f"the cache {lacks} {entry} ({explained(error)}); {SET_CACHE}") from error
    return entry


def held(key: str) -> Path | None:
    """Return the folder of a key if the cache holds it whole, else None."""
    entry = _entry(key)
    return entry if whole(entry) else None


def _entry(key: str) -> Path:
    return cache_folder() / "builds" / hashlib.sha256(f"{_FORMAT} {key}".encode()).hexdigest()[:32]


def whole(entry: Path) -> bool:
    """Say whether an entry has the files that it was made with, and their contents."""
    try:
        listed = json.loads((entry / _MANIFEST).read_bytes())
        return bool(listed) and listed == _list(entry)
    except (OSError, ValueError):
        return False


def _list(folder: Path) -> dict[str, list]:
    return {
        path.name: [sha256(path), os.access(path, os.X_OK)]
        for path in sorted(folder.iterdir())
        if path.name != _MANIFEST
    }


def _make(entry: Path, fill: Callable[[Path, Path], None]) -> None:
    """Make an entry, in place of a damaged one; this process holds its lock."""
    _sweep(entry)
    # Of a name of its own, as a process that is about to end may still write to the last one.
    partial = Path(tempfile.mkdtemp(_PARTIAL, f"{entry.name}.", entry.parent))
    try:
        kept = partial / "whole"
        kept.mkdir()
        fill(partial, kept)
        (kept / _MANIFEST).write_text(json.dumps(_list(kept)))
        if entry.exists():
            entry.rename(partial / "damaged")
        kept.rename(entry)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep(entry: Path) -> None:
    """Remove what is left of processes that were killed while they made this entry or another."""
    for left in entry.parent.glob(f"*{_PARTIAL}"):
        other = entry.parent / left.name.partition(".")[0]
        if other == entry:
            shutil.rmtree(left, ignore_errors=True)
            continue
        try:
            with FileLock(other.with_suffix(".lock"), timeout=0):
                shutil.rmtree(left, ignore_errors=True)
        except Timeout:
            pass  # Somebody makes it now.


class Contents(NamedTuple):
    """What the cache holds.

    Parameters
    ----------
    folder : Path
    entries, size : int
        Built simulations with the library that they share, and the bytes of all files.
    in_use : int
        Entries that are being made now.
    """

    folder: Path
    entries: int
    size: int
    in_use: int = 0


def contents() -> Contents:
    """Return what the cache holds; raises what `cache_folder` does."""
    folder = cache_folder()
    made = [path for path in (folder / "builds").glob("*") if path.is_dir() and not _is_partial(path)]
    return Contents(folder, len(made), _size(folder))


def clear() -> Contents:
    """Remove all that the cache holds but what is being built now; returns what was removed.

    Raises
    ------
    ToolError
        A file cannot be removed.
    """
    before, in_use = contents(), 0
    try:
        # Each entry has a lock beside it; locks stay, as a process may be waiting for one.
        for lock in (before.folder / "builds").glob("*.lock"):
            in_use += not _remove(lock.with_suffix(""))
        for other in before.folder.iterdir():
            if other.name != "builds":
                shutil.rmtree(other)
    except OSError as error:
        raise ToolError(f"the cache {before.folder} cannot be cleared ({explained(error)})") from error
    after = contents()
    return Contents(before.folder, before.entries - after.entries, before.size - after.size, in_use)


def _remove(entry: Path) -> bool:
    """Remove an entry and what was left of making it; tells whether nobody makes it now."""
    try:
        with FileLock(entry.with_suffix(".lock"), timeout=0):
            for path in (entry, *entry.parent.glob(f"{entry.name}.*{_PARTIAL}")):
                if path.exists():
                    shutil.rmtree(path)
    except Timeout:
        return False
    return True


def _is_partial(path: Path) -> bool:
    return path.name.endswith(_PARTIAL)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
