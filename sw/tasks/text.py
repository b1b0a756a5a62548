"""A character language model: the next symbol of a text."""

from collections import Counter
from pathlib import Path

import numpy as np

from gatewright.errors import DataError
from gatewright.sw.metrics import metric_of
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.tasks.settings import DataSettings
from gatewright.sw.tasks.task import Split, Task

SYMBOLS = 64
"""Symbols that are told apart: the most frequent characters, and one for all others."""

STEPS = 128
"""Longest piece of text that is one sequence; each begins with a fresh state."""

SHARES = (0.05, 0.05)
"""Shares of the text that validate and test: its end."""

TRAINING = TrainSettings(
    hidden=256, epochs=8, batch=32, learning_rate=3e-3, dropout=0.0, noise=0.0, offset=0.0, smoothing=0.0
)
"""A text is long, and its symbols are certain: few epochs, nothing disturbed."""

COMPRESSION = CompressSettings(prune_epochs=2, quantise_epochs=2, distillation=0.5, temperature=1.0)

_OTHER = "other"


def load_text(path: Path, settings: DataSettings) -> Task:
    """Load a text as the task of telling each next symbol, by its one-hot coded predecessors.

    The text is cut into pieces of `STEPS` symbols, in order: the first train, the last validate and test, so that no
    split knows another's passages. Runs of white space are one blank.

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
    try:
        text = " ".join(path.read_text(encoding="utf-8").split())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text in UTF-8 ({error})") from error
    pieces = (len(text) - 1) // STEPS
    held_out = [max(1, round(share * pieces)) for share in SHARES]
    if pieces < 1 + sum(held_out):
        needed = (1 + len(SHARES)) * STEPS + 1
        raise DataError(f"{path}: {len(text)} characters are too few, at least {needed} are needed")
    frequent = [character for character, _ in Counter(text).most_common(SYMBOLS - 1)]
    code = {character: k for k, character in enumerate(frequent)}
    symbols = np.array([code.get(character, len(frequent)) for character in text], dtype=np.int64)
    coded = np.eye(len(frequent) + 1, dtype=np.uint8)

    def split(begin: int, end: int) -> Split:
        starts = [piece * STEPS for piece in range(begin, end)]
        return Split(
            [coded[symbols[start : start + STEPS]] for start in starts],
            [symbols[start + 1 : start + STEPS + 1] for start in starts],
        )

    train = pieces - sum(held_out)
    return Task(
        path.stem,
        (*frequent, _OTHER),
        split(0, train),
        split(train, train + held_out[0]),
        split(train + held_out[0], pieces),
        metric=metric_of(settings.metric or "bits"),
        scaled=False,
        training=TRAINING,
        compression=COMPRESSION,
        source=settings,
    )
