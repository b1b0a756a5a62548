"""What models are judged by: metrics as objects, the built-in ones and a user's own."""

import importlib
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gatewright.errors import ConfigError

IGNORED = -1
"""The class of a step that does not count; of values it is NaN."""

Function = Callable[[np.ndarray, np.ndarray], float]
"""Takes outputs, float64 [n, outputs], and targets, int64 [n] or float64 [n, outputs], of all positions that count."""


@dataclass(frozen=True)
class Metric:
    """How good outputs are.

    Parameters
    ----------
    name : str
        As commands, files and rows spell it; ``module:name`` of a user's own.
    unit : str
        Of its values.
    more_is_better : bool
    function : callable
        As `Function` has it. To travel to other processes it must be found by its module and name.
    kind : "classes" or "values"
        What the outputs are: logits of classes, or values.
    reference : "targets" or "teacher"
        What they are measured against: the targets of the data, or the outputs of the float model.
    least_outputs : int
        With fewer outputs the metric could not fail.
    """

    name: str
    unit: str
    more_is_better: bool
    function: Function
    kind: Literal["classes", "values"] = "classes"
    reference: Literal["targets", "teacher"] = "targets"
    least_outputs: int = 1

    def __call__(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the metric; NaN where the function gives no finite number, or nothing counts."""
        return float(self.function(outputs, targets)) if len(targets) else math.nan

    def quality(self, value: float) -> float:
        """Return a value so that more is better."""
        return value if self.more_is_better else -value

    def meets(self, value: float, wanted: float) -> bool:
        """Tell whether a value is at least as good as another."""
        return self.quality(value) >= self.quality(wanted)

    def check(self, outputs: int) -> None:
        """Refuse a model for which the metric could not fail.

        Raises
        ------
        ConfigError
            The model has too few outputs; the text names metrics that tell such models apart.
        """
        if outputs < self.least_outputs:
            others = "snr" if self.reference == "teacher" else "accuracy or bits"
            raise ConfigError(
                f"{self.name} needs at least {self.least_outputs} outputs, but the model has {outputs}: it could not "
                f"fail; use {others}"
            )


def class_logits(outputs: np.ndarray) -> np.ndarray:
    """Return logits of at least two classes [n, classes]: one output is the logit of class 1 against class 0."""
    return np.concatenate([np.zeros_like(outputs), outputs], axis=1) if outputs.shape[1] == 1 else outputs


def accuracy(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the percentage of positions whose class has the largest logit; of equal logits the first counts."""
    return 100.0 * int((class_logits(outputs).argmax(axis=1) == targets).sum()) / len(targets)


def f1(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of all classes' F1, in percent, over the classes that are there or predicted."""
    predicted = class_logits(outputs).argmax(axis=1)
    scores = []
    for label in np.union1d(predicted, targets):
        both = int(((predicted == label) & (targets == label)).sum())
        scores.append(2 * both / int((predicted == label).sum() + (targets == label).sum()))
    return 100.0 * float(np.mean(scores))


def bits(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of ``-log2 p(target)``: bits per symbol of a language model."""
    logits = class_logits(outputs)
    shifted = logits - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(targets)), targets]
    return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).sum()) / math.log(2) / len(targets)


def mse(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean squared error over all outputs."""
    return float(np.square(outputs - targets).mean())


def r2(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the share of the targets' variance that is explained, 1 at most, over all outputs together."""
    spread = float(np.square(targets - targets.mean(axis=0)).sum())
    return 1.0 - float(np.square(outputs - targets).sum()) / max(spread, sys.float_info.min)


def snr(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the signal-to-noise ratio in dB, the targets taken as the signal; finite always."""
    signal = sys.float_info.min + float(np.square(targets).sum())
    noise = sys.float_info.min + float(np.square(outputs - targets).sum())
    return 10 * (math.log10(signal) - math.log10(noise))


def agreement(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the percentage of positions whose largest output is that of the float model, its outputs as targets."""
    return 100.0 * int((outputs.argmax(axis=1) == targets.argmax(axis=1)).sum()) / len(targets)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "percent", True, accuracy),
        Metric("f1", "percent", True, f1),
        Metric("bits", "bits", False, bits),
        Metric("mse", "squared units", False, mse, "values"),
        Metric("r2", "share", True, r2, "values"),
        Metric("snr", "dB", True, snr, "values", "teacher"),
        Metric("agreement", "percent", True, agreement, "classes", "teacher", 2),
    )
}
"""The built-in metrics by name."""

BY_MODEL = Metric("agreement or snr", "", True, snr, "values", "teacher")
"""Of data without targets, until it is known which float model teaches: agreement of its classes if it has two logits
or more, else the signal-to-noise ratio of its outputs."""


def metric_of(name: str) -> Metric:
    """Return a metric by its name, or a user's own by ``module:name``.

    A user's own is a `Metric`, or a function as `Function` has it. Of a function more is better, it has no unit, and
    takes values, unless it has attributes ``more_is_better``, ``unit`` and ``kind``.

    Raises
    ------
    ConfigError
        There is no such metric; the text names those that there are.
    """
    if name in METRICS:
        return METRICS[name]
    if ":" not in name:
        raise ConfigError(
            f"no metric named {name!r}; known are {', '.join(METRICS)}, and your own as module:name"
        )
    found = load_object(name, "metric")
    if isinstance(found, Metric):
        return Metric(**{**vars(found), "name": name})
    if not callable(found):
        raise ConfigError(
            f"{name} is a {type(found).__name__}; a metric is a gatewright.Metric or a function"
        )
    return Metric(
        name,
        str(getattr(found, "unit", "")),
        bool(getattr(found, "more_is_better", True)),
        found,
        getattr(found, "kind", "values"),
    )


def load_object(name: str, what: str) -> Any:
    """Return what ``module:name`` names.

    Raises
    ------
    ConfigError
        The module cannot be imported, or has no such name.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise ConfigError(
            f"{what} {name}: the module cannot be imported ({error}); is it on PYTHONPATH?"
        ) from error
    except AttributeError as error:
        raise ConfigError(f"{what} {name}: module {module} has no {attribute!r}") from error
