"""What a task is, and how its sequences are split."""

from dataclasses import dataclass

import numpy as np

from gatewright.errors import DataError
from gatewright.sw.metrics import Metric
from gatewright.sw.settings import CompressSettings, TrainSettings

SHARES = (0.15, 0.15)
"""Shares of each class that validate and test; the rest trains."""

SMALLEST_CLASS = 3
"""Fewest sequences of a class that give each split at least one."""

_TRAINING, _COMPRESSION = TrainSettings(), CompressSettings()


@dataclass(frozen=True)
class Split:
    """Sequences with their classes.

    Parameters
    ----------
    sequences : list of float32 arrays [steps, inputs]
        Raw features; steps differ from sequence to sequence.
    labels : int64 array [sequences], or list of arrays
        Class of each sequence, told at its end. Or int64 [steps] for each sequence, the class of every step; or
        float32 [steps, outputs], the outputs of a model without a head.
    """

    sequences: list[np.ndarray]
    labels: np.ndarray | list[np.ndarray]

    def __len__(self) -> int:
        return len(self.sequences)

    def spread(self, count: int) -> list[int]:
        """Give the places of at most `count` sequences, evenly over the split, which may be ordered by class."""
        return np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int).tolist()

    @property
    def every_step(self) -> bool:
        """Whether each step has a label of its own."""
        return isinstance(self.labels, list)


@dataclass(frozen=True)
class Task:
    """A task of classifying sequences, or their steps.

    Parameters
    ----------
    name : str
    labels : tuple of str
        Class names.
    train, validation, test : Split
    caveat : str
        What a reader of its accuracies must know; may be empty.
    metric : Metric
        What its scores are.
    scaled : bool
        Whether features are brought to mean 0 and deviation 1; coded symbols are not.
    training : TrainSettings
        How a model is trained unless told otherwise.
    compression : CompressSettings
        How it is compressed unless told otherwise.
    """

    name: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    caveat: str = ""
    metric: Metric = "accuracy"
    scaled: bool = True
    training: TrainSettings = _TRAINING
    compression: CompressSettings = _COMPRESSION

    @property
    def input_size(self) -> int:
        """Features per step."""
        return self.train.sequences[0].shape[1]


def scaling(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean and the deviation that a task's features are scaled with: those of the train split, or 0 and 1."""
    if not task.scaled:
        return np.zeros(task.input_size), np.ones(task.input_size)
    return moments(np.concatenate(task.train.sequences))


def moments(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and deviation of each feature of [steps, features] in float64; a constant feature has deviation 1."""
    steps = np.asarray(steps, dtype=np.float64)
    mean, deviation = steps.mean(axis=0), steps.std(axis=0)
    # Rounding of the mean leaves a constant feature a deviation near, but not always at, zero.
    return mean, np.where(deviation > 1e-9 * np.abs(mean), deviation, 1.0)


def stratify(sequences: list[np.ndarray], classes: np.ndarray, seed: int) -> tuple[Split, Split, Split]:
    """Split into train, validation and test with the same share of every class, at least one sequence each.

    Raises
    ------
    DataError
        A class has fewer than `SMALLEST_CLASS` sequences.
    """
    generator = np.random.default_rng(seed)
    parts: tuple[list, list, list] = ([], [], [])
    for label in range(int(classes.max()) + 1):
        members = generator.permutation(np.flatnonzero(classes == label))
        if len(members) < SMALLEST_CLASS:
            raise DataError(
                f"class {label} has {len(members)} sequences; train, validation and test need at least "
                f"{SMALLEST_CLASS} of every class: add recordings or leave the class out"
            )
        validation, test = (max(1, round(share * len(members))) for share in SHARES)
        for part, indices in zip(
            parts, np.split(members, [len(members) - validation - test, len(members) - test]), strict=True
        ):
            part.append(indices)
    train, validate, held_out = (
        Split([sequences[i] for i in np.concatenate(part)], classes[np.concatenate(part)]) for part in parts
    )
    return train, validate, held_out
