"""The words that load a model, as files that a host reads without anything of this package."""

import re
from pathlib import Path

import numpy as np

from gatewright.errors import BundleError
from gatewright.limits import MOST_BYTES

_WORD = np.dtype("<u4")
_LINE = len("AAAAAAAA DDDDDDDD\n")
_LINES = re.compile(rb"(?:[0-9A-Fa-f]{8} [0-9A-Fa-f]{8}\n)*")


def binary(words: np.ndarray) -> bytes:
    """Return load words, uint32 [words, 2] as `Image.load_words` has them, as bytes.

    Each word is its address and its data, 32 bits each and little-endian, in the order in which they are loaded.
    """
    return words.astype(_WORD).tobytes()


def text(words: np.ndarray) -> str:
    """Return the same words as lines ``AAAAAAAA DDDDDDDD`` of address and data in hexadecimal."""
    return "".join(f"{address:08x} {data:08x}\n" for address, data in words.tolist())


def read_binary(path: Path) -> np.ndarray:
    """Return the words, uint32 [words, 2], of a file that `binary` made.

    Raises
    ------
    BundleError
        The file is missing, empty, too long, or no list of words.
    """
    content = _content(path)
    if not content or len(content) % (2 * _WORD.itemsize):
        raise BundleError(f"{path}: {len(content)} bytes are no whole number of pairs of address and data")
    return np.frombuffer(content, _WORD).reshape(-1, 2).astype(np.uint32)


def read_text(path: Path) -> np.ndarray:
    """Return the words, uint32 [words, 2], of a file that `text` made; raises what `read_binary` does."""
    content = _content(path)
    sound = _LINES.match(content)
    end = 0 if sound is None else sound.end()
    if not content or end != len(content):
        line = content[end : end + 40].partition(b"\n")[0]
        raise BundleError(
            f"{path}, line {end // _LINE + 1}: {line!r} is no whole line of the form AAAAAAAA DDDDDDDD"
        )
    return np.frombuffer(bytes.fromhex(content.decode()), ">u4").reshape(-1, 2).astype(np.uint32)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BundleError(f"{path} has more than {MOST_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
