"""A character language model: the next symbol of a text, whose state is carried over from chunk to chunk."""

from collections import Counter
from pathlib import Path

import numpy as np

from gatewright.errors import DataError
from gatewright.limits import MOST_TEXT
from gatewright.sw.metrics import metric_of
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.task import Split, Task
from gatewright.texts import read_text

SYMBOLS = 64
"""Symbols that are told apart: the most frequent characters, and one for all others."""

PASSAGE = 8192
"""About how many symbols a passage has, in one state from its first symbol on."""

FEWEST = 20
"""Passages that a text has at least; a short text has shorter ones."""

HELD_OUT = {"validation": 9, "test": 19}
"""Which of `FEWEST` passages in a row validate and test: one each."""

CHUNK = 64
"""Symbols that gradients go back; a proof runs a passage in jobs of as many."""

TRAINING = TrainSettings(
    hidden=256,
    epochs=8,
    batch=32,
    chunk=CHUNK,
    learning_rate=1.6e-2,
    dropout=0.0,
    noise=0.0,
    offset=0.0,
    smoothing=0.0,
)
"""A text is long, and its symbols are certain: few epochs, nothing disturbed, and a high rate.

By validation on the first quarter of the King James text, 8 epochs end at 1.71 bits with a rate of 3e-3 and at 1.38
with this one (`gatewright train --data quarter.txt --seed 1 --learning-rate 3e-3`).
"""

COMPRESSION = CompressSettings(
    prune_epochs=2,
    quantise_epochs=6,
    prune_rate=1.6e-2,
    quantise_rate=8e-3,
    distillation=0.5,
    temperature=1.0,
)
"""Chosen by validation on the King James text with seed 1: there the small form of `bench text` ends at 1.43 bits
(`gatewright bench text --text kjv.txt --seed 1`).
"""

_OTHER = "other"


def load_text(path: Path, settings: DataSettings) -> Task:
    """Load a text as the task of telling each next symbol, by its one-hot coded predecessors.

    The text is cut into passages. Of each `FEWEST` in a row one validates and one tests, so that all splits have the
    text's mixture and none knows another's passages. The state is carried on through a passage: training cuts it into
    chunks of `CHUNK` symbols. Runs of white space are one blank.

    Parameters
    ----------
    path : Path
        A text in UTF-8.
    settings : DataSettings
        Their seed does not matter here: the splits are passages of the text.

    Raises
    ------
    DataError
        The file is missing, no text, or too short.
    """
    text = " ".join(read_text(path, "a text in UTF-8", DataError, MOST_TEXT).split())
    count = max(FEWEST, (len(text) - 1) // PASSAGE)
    chunks = (len(text) - 1) // count // CHUNK
    if not chunks:
        raise DataError(
            f"{path}: {len(text)} characters are too few, at least {FEWEST * CHUNK + 1} are needed"
        )
    steps = chunks * CHUNK
    frequent = [character for character, _ in Counter(text).most_common(SYMBOLS - 1)]
    code = {character: k for k, character in enumerate(frequent)}
    symbols = np.array([code.get(character, len(frequent)) for character in text], dtype=np.int64)
    coded = np.eye(len(frequent) + 1, dtype=np.uint8)
    held_out = {place: name for name, place in HELD_OUT.items()}

    def split(name: str) -> Split:
        starts = [k * steps for k in range(count) if held_out.get(k % FEWEST, "train") == name]
        return Split(
            [coded[symbols[start : start + steps]] for start in starts],
            [symbols[start + 1 : start + steps + 1] for start in starts],
            [[CHUNK] * chunks for _ in starts],
        )

    return Task(
        path.stem,
        (*frequent, _OTHER),
        split("train"),
        split("validation"),
        split("test"),
        metric=metric_of(settings.metric or "bits"),
        scaled=False,
        training=TRAINING,
        compression=COMPRESSION,
        source=settings,
    )
