"""Spoken digits: the Free Spoken Digit Dataset as 13 MFCC per frame."""

import hashlib
from pathlib import Path

import numpy as np

from gatewright.archives import read_arrays
from gatewright.errors import DataError
from gatewright.sw.metrics import metric_of
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.splits import stratify
from gatewright.sw.tasks.task import Task

_PATH = Path(__file__).parent / "data" / "digits.npz"

SHA256 = "27a701a4462e2b0b19bfed87d51a937b24f9f1413c8cdcdb99160e23d26349fa"
"""Of the data file, checked each time that it is loaded."""

CAVEAT = (
    "The recordings are of six speakers, who are in train, validation and test alike: the accuracies "
    "say how well known voices are understood, not how well new ones would be."
)


def load_digits(settings: DataSettings) -> Task:
    """Load 3,000 recordings of ten digits, 6 to 92 frames of 13 MFCC each, split by the seed.

    Source: Zohar Jackson et al., Free Spoken Digit Dataset; see ``data/NOTICE.md``.

    Raises
    ------
    DataError
        The data file is missing or was changed.
    """
    try:
        found = hashlib.sha256(_PATH.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{_PATH}: the data file is missing ({error}); install the package again") from error
    if found != SHA256:
        raise DataError(
            f"{_PATH}: the sha256 is {found}, not {SHA256}: the file was changed; install the package again"
        )
    arrays = read_arrays(_PATH, "the digits' file", DataError)
    sequences = np.split(arrays["X"].astype(np.float32), np.cumsum(arrays["lengths"])[:-1])
    return Task(
        "digits",
        tuple(str(digit) for digit in range(10)),
        *stratify(sequences, arrays["y"], settings.seed),
        CAVEAT,
        metric=metric_of(settings.metric or "accuracy"),
        source=settings,
    )
