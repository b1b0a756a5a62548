"""How much of a file is read: every limit with its reason, and the checks that come before reading.

Whatever the limits let through, a damaged file ends in one error of `gatewright.errors` that names the file.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatewright.errors import GatewrightError

MOST_BYTES = 2**31
"""Of a file of models or data, and of all that it expands to: what fits the memory of an ordinary machine."""

ALLOWANCE, RATIO = 2**26, 100
"""A compressed file may expand to `ALLOWANCE` bytes and `RATIO` times its size.

Weights and recordings shrink to a half or a tenth, pruned weights and one-hot symbols to a fortieth; only constants
reach the thousandth that deflate allows. The allowance is for small files of constants.
"""

MOST_MEMBERS = 2**15
"""Members of an archive: PyTorch writes one for each tensor."""

MOST_DIRECTORY = 128 * MOST_MEMBERS
"""Bytes of an archive's directory, which is read whole: 46 and a name for each member."""

MOST_JSON = 2**24
"""Bytes of a JSON text: Python takes up to 12 times as many for its values. The rows of the longest study have 2 MB."""

MOST_OBJECTS = 2**20
"""Objects and lists of a JSON text: each takes 72 bytes, were it empty."""

MOST_TOML = 2**16
"""Bytes of a TOML file. A run writes less than 4 kB."""

MOST_DOTS = 2**11
"""Of a TOML file: the reader takes memory by the square of the parts of a name."""

MOST_DEPTH = 64
"""Objects and lists of a JSON or TOML text in one another; ours have at most 8."""

MOST_TEXT = 2**25
"""Bytes of a text as data: each symbol becomes 64 numbers of one byte."""

MOST_CSV = 2**26
"""Bytes of one sequence as CSV: a number of two characters becomes one of eight bytes; longer ones go into .npy."""

_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def file_size(path: Path, error: type[GatewrightError], most: int = MOST_BYTES) -> int:
    """Return the size of a regular file; links are followed.

    Parameters
    ----------
    path : Path
    error : type
        Raised if there is none, it is a folder, a pipe or a device, which reading could wait for without end, or it
        has more than `most` bytes.
    most : int
    """
    try:
        found = os.stat(path)
    except FileNotFoundError as cause:
        raise error(f"{path}: no such file") from cause
    except (OSError, ValueError) as cause:
        raise error(f"{path}: cannot be read ({getattr(cause, 'strerror', None) or cause})") from cause
    if not stat.S_ISREG(found.st_mode):
        kind = next((text for test, text in _KINDS.items() if test(found.st_mode)), "something else")
        raise error(f"{path}: {kind}, where a file is needed")
    if found.st_size > most:
        raise error(f"{path}: {found.st_size} bytes; at most {most} are read of such a file")
    return found.st_size


def check_expansion(path: Path, expands: int, size: int, error: type[GatewrightError], what: str) -> None:
    """Refuse a compressed file of `size` bytes that says of itself that it expands to far more."""
    most = min(MOST_BYTES, ALLOWANCE + RATIO * size)
    if expands > most:
        raise error(
            f"{path}: {size} bytes that expand to {expands}; at most {most} are read of a file of that size: {what}"
        )


@contextmanager
def whole(path: Path, what: str, error: type[GatewrightError], advice: str = "") -> Iterator[None]:
    """Turn whatever is raised at a damaged file into `error`; no list could name all that libraries raise.

    An `error` that names the file already passes as it is.
    """
    try:
        yield
    except Exception as cause:
        if isinstance(cause, error) and str(path) in str(cause):
            raise
        ours = isinstance(cause, GatewrightError)
        reason = str(cause) if ours else " ".join(f"{type(cause).__name__}: {cause}".split())[:200]
        raise error(f"{path}: not {what} ({reason}){advice}") from cause
