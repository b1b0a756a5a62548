"""Archives and arrays in files: what they say of their size is checked before anything is read."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from gatewright.errors import GatewrightError
from gatewright.limits import MOST_BYTES, MOST_DIRECTORY, MOST_MEMBERS, check_expansion, file_size, whole

_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_SIZE, _END_64_SIZE, _LOCATOR_64_SIZE, _COMMENT = 22, 56, 20, 2**16
_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LONGEST_EMPTY = 2**16
"""Of an array without elements: each length of it that is run through costs time, but no bytes."""


@contextmanager
def open_archive(
    path: Path, what: str, error: type[GatewrightError], most: int = MOST_BYTES
) -> Iterator[dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]]]:
    """Open a zip archive whose members are together of a size that may be read; give them by name.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, for the error's text.
    error : type
        Raised if it is missing, foreign or damaged, has members of one name, encrypted or of an unusual compression,
        or is larger than `gatewright.limits` allow: itself, its directory, its members in number and in bytes.
    most : int
        Bytes of the file, and of its members together.
    """
    size = file_size(path, error, most)
    with whole(path, what, error), Path(path).open("rb") as stream:
        if (directory := _directory_size(stream, size)) > MOST_DIRECTORY:
            raise error(f"{path}: a directory of {directory} bytes; at most {MOST_DIRECTORY} are read")
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise error(f"{path}: {len(members)} members; at most {MOST_MEMBERS} are read")
            named = {each.filename: (archive, each) for each in members}
            if len(named) < len(members):
                raise error(f"{path}: not {what}: members of the same name")
            for name, (_, each) in named.items():
                if each.flag_bits & _ENCRYPTED or each.compress_type not in _METHODS:
                    raise error(f"{path}: not {what}: {name!r} is encrypted or compressed in an unusual way")
            expands = sum(each.file_size for each in members)
            check_expansion(path, expands, size, error, "write it without compression")
            if expands > most:
                raise error(f"{path}: expands to {expands} bytes; at most {most} are read of such a file")
            yield named


def _directory_size(stream: IO[bytes], size: int) -> int:
    """Return what the end of an archive says of the size of its directory; 0 where there is no such end."""
    stream.seek(max(0, size - _END_SIZE - _COMMENT))
    tail = stream.read()
    stream.seek(0)
    end = tail.rfind(_END)
    if end < 0:
        return 0
    locator = end - _LOCATOR_64_SIZE
    record = locator - _END_64_SIZE
    if record >= 0 and tail.startswith(_LOCATOR_64, locator) and tail.startswith(_END_64, record):
        return int.from_bytes(tail[record + 40 : record + 48], "little")
    return int.from_bytes(tail[end + 12 : end + 16], "little")


def read_arrays(
    path: Path, what: str, error: type[GatewrightError], most: int = MOST_BYTES
) -> dict[str, np.ndarray]:
    """Read all arrays of an ``.npz`` file; never unpickles.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, for the error's text.
    error : type
        Raised if the file is missing, foreign, truncated, damaged or too large, or holds something else.
    most : int
        Bytes of the file, and of its arrays together.
    """
    with open_archive(path, what, error, most) as members, whole(path, what, error):
        return {array_name(member): read_member(members, member) for member in members}


def array_name(member: str) -> str:
    """Return the name of the array in a member of an ``.npz`` file; raises ValueError if it is none."""
    if not member.endswith(".npy"):
        raise ValueError(f"the member {member!r} is no array")
    return member.removesuffix(".npy")


def read_member(members: dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]], member: str) -> np.ndarray:
    """Read one array of an archive; raises ValueError, or what zipfile and numpy raise, where it is damaged."""
    archive, info = members[member]
    with archive.open(info) as stream:
        _check_header(stream, info.file_size, member)
    with archive.open(info) as stream:
        return _sound(np.lib.format.read_array(stream, allow_pickle=False), member)


def read_array(path: Path, what: str, error: type[GatewrightError]) -> np.ndarray:
    """Read an ``.npy`` file; never unpickles. `error` as for `read_arrays`."""
    size = file_size(path, error)
    with whole(path, what, error), Path(path).open("rb") as stream:
        _check_header(stream, size, "the file")
        stream.seek(0)
        return _sound(np.lib.format.read_array(stream, allow_pickle=False), "the file")


def _check_header(stream: IO[bytes], size: int, name: str) -> None:
    """Hold the shape and type that an array declares against the bytes that are there."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"{name} is of version {version}")
    shape, _, dtype = readers[version](stream)
    if dtype.hasobject or dtype.names or dtype.subdtype or not dtype.itemsize:
        raise ValueError(f"{name} holds {dtype}, not plain numbers or texts")
    count = math.prod(shape)
    declared, there = count * dtype.itemsize, size - stream.tell()
    if min(shape, default=1) < 0 or declared != there:
        raise ValueError(f"{name} declares {declared} bytes, {dtype} of shape {shape}, and has {there}")
    if not count and max(shape) > _LONGEST_EMPTY:
        raise ValueError(f"{name} has no elements, but the shape {shape}")


def _sound(array: np.ndarray, name: str) -> np.ndarray:
    """Give an array in the machine's order of bytes; refuse bytes that no value of its type has."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    flat = np.ascontiguousarray(array).reshape(-1)
    if array.dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"{name} holds bytes that are neither false nor true")
    if array.dtype.kind == "U":
        codes = flat.view(np.uint32)
        if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise ValueError(f"{name} holds what is no text in Unicode")
    return array
