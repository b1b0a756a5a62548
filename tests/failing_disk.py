"""A disk on which the nth operation fails, and nothing else does."""

import errno
import io
import os
from contextlib import contextmanager

import pytest

OPERATIONS = ("fsync", "replace", "mkdir", "rename")
"""What may fail beside opening a file to write and writing to it."""


class FullDisk:
    """Counts what changes the disk below a folder, and lets one of these operations fail.

    Parameters
    ----------
    folder : Path
        Nothing outside of it is counted.
    failing : int
        Which operation fails, from 1 on; 0 for none.
    """

    def __init__(self, folder, failing, code=errno.ENOSPC):
        self.folder, self.failing, self.code = str(folder), failing, code
        self.done = 0

    def count(self, path):
        """Count an operation on a path; raises for the failing one."""
        # Locks are names, that a full disk has room for.
        if not str(path).startswith(self.folder) or ".lock" in str(path):
            return
        self.done += 1
        if self.done == self.failing:
            raise OSError(self.code, os.strerror(self.code), str(path))


class _Stream:
    """A file of which a write, if it fails, leaves half of what was to be written."""

    def __init__(self, stream, path, disk):
        self._stream, self._path, self._disk = stream, path, disk

    def write(self, content):
        """Write all, or half of it and fail."""
        try:
            self._disk.count(self._path)
        except OSError:
            self._stream.write(content[: len(content) // 2])
            raise
        return self._stream.write(content)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __iter__(self):
        return iter(self._stream)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stream.close()


@contextmanager
def full_disk(folder, failing, code=errno.ENOSPC):
    """Let the nth operation that changes the disk below a folder fail, in a block; gives the disk."""
    disk = FullDisk(folder, failing, code)
    plain_open, descriptors = io.open, {}
    plain = {name: getattr(os, name) for name in OPERATIONS}
    os_open = os.open

    def opened(file, mode="r", *args, **options):
        if isinstance(file, int) or not set(mode) & set("wax+"):
            return plain_open(file, mode, *args, **options)
        disk.count(file)
        return _Stream(plain_open(file, mode, *args, **options), file, disk)

    def os_opened(path, *args, **options):
        descriptor = os_open(path, *args, **options)
        descriptors[descriptor] = path
        return descriptor

    def counted(name):
        def operation(path, *args, **options):
            # A folder that is there already needs no room.
            if name != "mkdir" or not os.path.isdir(path):
                disk.count(descriptors.get(path, "") if isinstance(path, int) else path)
            return plain[name](path, *args, **options)

        return operation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", opened)
        patch.setattr("builtins.open", opened)
        patch.setattr(os, "open", os_opened)
        for name in OPERATIONS:
            patch.setattr(os, name, counted(name))
        yield disk
