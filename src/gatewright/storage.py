"""Files that appear whole or not at all, and hold nothing executable."""

import errno
import io
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from gatewright.archives import array_name, open_archive, read_member
from gatewright.errors import BundleError, GatewrightError, RunFolderError, StorageError, explained
from gatewright.limits import MOST_BYTES, whole
from gatewright.texts import parse_json

_META = "meta.npy"

REMAINS = ".gatewright-*.partial"
"""Pattern of the files that a killed process leaves where it was writing."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of which path it was, and what to do, where the system refuses something in a block.

    Raises
    ------
    StorageError
        In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {explained(error)}") from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; it becomes `path`, on the disk, when the block ends without an error.

    After an error `path` is as it was. Of several that write it at once, the last one's file is there, whole. The
    mode is that of any new file. A link is replaced by the file, and what it leads to stays as it is.

    Raises
    ------
    StorageError
        It cannot be written, or `path` is something other than a file: a folder, a device.
    """
    path = Path(path)
    partial = path.with_name(REMAINS.replace("*", secrets.token_hex(8)))
    with writing(path):
        if path.exists() and not path.is_file():
            raise StorageError(f"{path} is there and no file; choose another name")
        try:
            yield partial
            _settle(partial)
            os.replace(partial, path)
            _settle(path.parent)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def _settle(path: Path) -> None:
    """Have the system bring a file or the names of a folder to the disk, where it can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def undone(folder: Path, made: Iterable[str]) -> Iterator[None]:
    """Remove, as `remove_made` does, what a block has made of the files of a list, where the block ends by an error."""
    try:
        yield
    except BaseException:
        # Must not hide what went wrong.
        with suppress(GatewrightError, OSError):
            remove_made(folder, [*made])
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; it appears whole or not at all, as `whole_file` has it."""
    with whole_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 text; it appears whole or not at all, as `whole_file` has it."""
    write_bytes(path, text.encode())


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises
    ------
    StorageError
        It cannot be made.
    """
    with writing(path):
        Path(path).mkdir(parents=True, exist_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder and those below it."""
    with writing(folder):
        for path in Path(folder).rglob(REMAINS):
            path.unlink(missing_ok=True)


@contextmanager
def locked(lock: Path, what: str) -> Iterator[None]:
    """Keep other processes out of a block; the system frees the lock when this one ends, however it ends.

    Parameters
    ----------
    lock : Path
        A file of its own.
    what : str
        What another process would be doing, for the error's text.

    Raises
    ------
    RunFolderError
        Another process is in it.
    StorageError
        The file cannot be written.
    """
    held = FileLock(lock)
    with writing(lock):
        try:
            held.acquire(timeout=0)
        except Timeout as error:
            raise RunFolderError(f"another process {what}; wait for its end or stop it") from error
    try:
        yield
    finally:
        held.release()


def remove_made(folder: Path, made: Iterable[str]) -> list[str]:
    """Remove the files that a list names from a folder, and the folders that are empty then; nothing else.

    Nothing behind a symbolic link is touched, nor the link: the project makes none.

    Parameters
    ----------
    folder : Path
        Stays where something is left in it; need not exist.
    made : iterable of str
        Paths relative to the folder, with ``/`` between names.

    Returns
    -------
    list of str
        What is left, relative to the folder: files and links of others.

    Raises
    ------
    RunFolderError
        The folder is a link or no folder, a name leads out of it, or a file cannot be removed.
    """
    folder = Path(folder)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RunFolderError(f"{folder} is a link or a file; give the folder itself")
    files = {name: [*PurePosixPath(name).parts] for name in made}
    for name, parts in files.items():
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
            raise RunFolderError(
                f"{folder}: {name!r}, in the list of its files, leads out of it; nothing was removed"
            )
    parents = set()
    for parts in files.values():
        *above, path = [folder.joinpath(*parts[: k + 1]) for k in range(len(parts))]
        if any(each.is_symlink() for each in (*above, path)):
            continue
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunFolderError(f"{path} cannot be removed ({error.strerror})") from error
        parents.update(above)
    for parent in sorted(parents, key=lambda each: len(each.parts), reverse=True):
        with suppress(OSError):  # Not empty: what is left there is named below.
            parent.rmdir()
    left = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    ]
    if not left:
        with suppress(OSError):
            folder.rmdir()
    return sorted(left)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_npz(path: Path, meta: dict, arrays: dict[str, Any]) -> None:
    """Write arrays and JSON meta data (with an entry ``version``) to one ``.npz`` file."""
    text = np.frombuffer(json.dumps(meta, sort_keys=True).encode(), dtype=np.uint8)
    write_arrays(path, {"meta": text, **arrays})


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays to one ``.npz`` file."""
    # Zip files are written back and forth, and where that fails they raise what no list could name.
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getvalue())


def read_npz(
    path: Path, what: str, version: int, names: Callable[[dict], Collection[str]], most: int = MOST_BYTES
) -> tuple[dict, dict[str, np.ndarray]]:
    """Read what `write_npz` wrote; never unpickles, and reads no array but those that the meta data speak of.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, for errors.
    version : int
    names : callable
        Gives the names of all arrays by the meta data; may raise what a malformed entry makes it raise.
    most : int
        Bytes of the file, and of its arrays together.

    Raises
    ------
    BundleError
        The file is missing, foreign, truncated, damaged, too large or of another version, or an array is missing or
        unknown.
    """
    kind = f"a {what} file"
    with open_archive(path, kind, BundleError, most) as members, whole(path, kind, BundleError):
        if _META not in members:
            raise BundleError(f"{path}: not {kind} (it has no meta data)")
        meta = parse_json(read_member(members, _META).tobytes().decode(), finite=False)
        if (found := meta["version"]) != version:
            raise BundleError(f"{path}: {what} version {found}; this release reads version {version}")
        wanted = set(names(meta))
        there = {array_name(member) for member in members if member != _META}
        if wanted != there:
            missing, unknown = (", ".join(sorted(each)[:4]) for each in (wanted - there, there - wanted))
            told = [f"without {missing}"] * bool(missing) + [f"with unknown {unknown}"] * bool(unknown)
            raise BundleError(f"{path}: not a whole {what} file: {' and '.join(told)}")
        return meta, {name: read_member(members, f"{name}.npy") for name in sorted(wanted)}
