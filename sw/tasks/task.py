"""What a task is: sequences in three splits, with targets of any kind or none, and a metric."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from gatewright.errors import ConfigError, DataError
from gatewright.sw.metrics import BY_MODEL, IGNORED, METRICS, Metric
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.tasks.settings import DataSettings

SPLITS = ("train", "validation", "test")

_TRAINING, _COMPRESSION = TrainSettings(), CompressSettings()

Targets = np.ndarray | list[np.ndarray] | None
"""Classes, int64 [sequences]; values, float32 [sequences, outputs]; either of every step, as a list of int64 [steps] or
float32 [steps, outputs], where `IGNORED` and NaN do not count; or none."""


@dataclass(frozen=True)
class Split:
    """Sequences with their targets.

    Parameters
    ----------
    sequences : list of float32 arrays [steps, inputs]
        Raw features; steps differ from sequence to sequence.
    targets : Targets
        What is to be told of each sequence, or of each of its steps.
    pieces : list of lists of int, optional
        Of each sequence, the steps of the pieces that it was joined from: the state is carried from one to the next.
    """

    sequences: list[np.ndarray]
    targets: Targets = None
    pieces: list[list[int]] | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    def spread(self, count: int) -> list[int]:
        """Give the places of at most `count` sequences, evenly over the split, which may be ordered by class."""
        return np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int).tolist()

    def some(self, every: int) -> "Split":
        """Return every so-manieth sequence, from the first on."""
        return Split(
            self.sequences[::every],
            None if self.targets is None else self.targets[::every],
            None if self.pieces is None else self.pieces[::every],
        )

    @property
    def every_step(self) -> bool:
        """Whether each step has a target of its own."""
        return isinstance(self.targets, list)


@dataclass(frozen=True)
class Task:
    """What an LSTM is to do, and how that is judged.

    Parameters
    ----------
    name : str
    labels : tuple of str
        Names of the classes, or of the values; none where there are no targets.
    train, validation, test : Split
        All with targets of one kind, or all without: then the float model is the teacher.
    caveat : str
        What a reader of its scores must know; may be empty.
    metric : Metric
        What its scores are.
    scaled : bool
        Whether features are brought to mean 0 and deviation 1; coded symbols are not.
    training : TrainSettings
        How a model is trained unless told otherwise.
    compression : CompressSettings
        How it is compressed unless told otherwise.
    source : DataSettings, optional
        What loads the task again, in any process; None where the data are in memory only.
    taught : bool
        The targets are the float model's own outputs, or are still to be taken from it.
    at_end : bool
        Without targets: whether the results of the last step matter only.

    Raises
    ------
    DataError
        Splits have targets of different kinds, or none where there should be some.
    ConfigError
        The metric does not go with the targets.
    """

    name: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    caveat: str = ""
    metric: Metric = METRICS["accuracy"]
    scaled: bool = True
    training: TrainSettings = _TRAINING
    compression: CompressSettings = _COMPRESSION
    source: DataSettings | None = None
    taught: bool = False
    at_end: bool = False

    def __post_init__(self):
        kinds = {_kind(getattr(self, name).targets) for name in SPLITS}
        if len(kinds) > 1:
            raise DataError(
                f"{self.name}: the splits have targets of different kinds: {', '.join(sorted(kinds))}"
            )
        (kind,) = kinds
        if (kind == "none") != (self.taught and not self.labels):
            raise DataError(
                f"{self.name}: a task without targets is taught by the float model, others have labels"
            )
        if self.taught and self.metric.reference != "teacher":
            raise ConfigError(
                f"{self.metric.name} needs targets, and {self.name} has none: use agreement or snr, or add y"
            )
        if not self.taught:
            if self.metric.reference == "teacher":
                raise ConfigError(
                    f"{self.metric.name} is for data without targets; leave y out, or use another metric"
                )
            if self.metric.kind != kind:
                raise ConfigError(
                    f"{self.metric.name} is about {self.metric.kind}, but the targets are {kind}"
                )
            self.metric.check(self.output_size)

    @property
    def input_size(self) -> int:
        """Features per step."""
        return self.train.sequences[0].shape[1]

    @property
    def output_size(self) -> int:
        """Outputs that a model of the task has: classes, or values; two classes may be one output. 0 if unknown."""
        return len(self.labels)

    @property
    def classifies(self) -> bool:
        """Whether outputs are logits of classes; else they are values."""
        return self.metric.kind == "classes"

    @property
    def every_step(self) -> bool:
        """Whether results are wanted in every step."""
        return not self.at_end if self.train.targets is None else self.train.every_step

    def suits(self, outputs: int) -> bool:
        """Tell whether a model with so many outputs can do the task."""
        binary = self.classifies and len(self.labels) == 2 and outputs == 1
        return self.taught or binary or outputs == self.output_size

    def numbered_by(self, labels: tuple[str, ...]) -> "Task":
        """Return the task with its classes numbered as others are, among which each of them must be."""
        numbers = np.array([labels.index(each) for each in self.labels])

        def numbered(targets: np.ndarray) -> np.ndarray:
            return np.where(targets == IGNORED, IGNORED, numbers[targets])

        splits = {}
        for name in SPLITS:
            split = getattr(self, name)
            targets = list(map(numbered, split.targets)) if split.every_step else numbered(split.targets)
            splits[name] = replace(split, targets=targets)
        return replace(self, labels=labels, **splits)


class Teacher(Protocol):
    """A float model, as far as a task without targets needs it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its outputs; none without a head."""

    def results(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return what it gives in every step of raw sequences: float32 [steps, outputs]."""


def for_model(task: Task, model: Teacher) -> Task:
    """Return a task as a model is judged by it.

    Without targets, the model's own outputs are the targets. Classes that the model knows by name are numbered as its
    outputs are, so that data need not hold each of them.

    Raises
    ------
    ConfigError
        The metric could not fail for the model.
    DataError
        The data do not suit the model.
    """
    if not task.taught:
        known = task.classifies and set(task.labels) <= set(model.labels)
        return task.numbered_by(model.labels) if known and task.labels != model.labels else task
    if task.train.targets is not None:
        return task
    results = {name: model.results(getattr(task, name).sequences) for name in SPLITS}
    train, validation, test = (
        replace(
            getattr(task, name),
            targets=np.stack([each[-1] for each in results[name]]) if task.at_end else results[name],
        )
        for name in SPLITS
    )
    metric, outputs = task.metric, results["train"][0].shape[1]
    if metric == BY_MODEL:
        metric = METRICS["agreement" if len(model.labels) > 1 else "snr"]
    if metric.kind == "classes" and not model.labels:
        raise ConfigError(
            f"{metric.name} is about classes, and the model has no head that tells any: use snr"
        )
    metric.check(outputs)
    labels = model.labels or tuple(str(k) for k in range(outputs))
    return replace(task, labels=labels, metric=metric, train=train, validation=validation, test=test)


def target_moments(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of the train split's values, float64 [outputs]; constant ones have deviation 1."""
    targets = task.train.targets
    values = np.concatenate(targets) if isinstance(targets, list) else np.asarray(targets)
    return moments(values[~np.isnan(values).any(axis=1)])


def _kind(targets: Targets) -> str:
    if targets is None:
        return "none"
    first = targets[0] if isinstance(targets, list) else targets
    return "values" if np.issubdtype(first.dtype, np.floating) else "classes"


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
