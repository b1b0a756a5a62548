"""The load image of a model, as a build has it: ``.bin``, little-endian pairs of address and data."""

from pathlib import Path

import numpy as np

from gatewright.errors import BundleError, explained
from gatewright.limits import MOST_BYTES

_PAIR = 8
"""Bytes of an address and its data."""


def read_image(path: str | Path) -> np.ndarray:
    """Read a load image.

    Returns
    -------
    uint32 array [words, 2]
        Addresses and data in the order in which they are loaded.

    Raises
    ------
    BundleError
        The file cannot be read, is empty, or does not consist of whole pairs.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MOST_BYTES:
            raise BundleError(f"{path}: no load image: it must be a file of at most {MOST_BYTES} bytes")
        found = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({explained(error)})") from error
    if not found or len(found) % _PAIR:
        raise BundleError(
            f"{path}: no load image: it must hold pairs of {_PAIR} bytes, not {len(found)} bytes"
        )
    return np.frombuffer(found, dtype="<u4").reshape(-1, 2).astype(np.uint32)
