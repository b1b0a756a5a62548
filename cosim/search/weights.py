"""How much of a score cycles and bits are worth, whatever the metric."""

import math

import numpy as np

from gatewright.cosim.search.settings import WEIGHT
from gatewright.sw.metrics import IGNORED
from gatewright.sw.tasks import Task

_PERCENT = 100.0


def weight_of(task: Task, score: float) -> float:
    """Give what the reward loses where cycles, or bits, are twice the target's: `WEIGHT` for metrics in percent.

    Other metrics have it in proportion to what a model is better than one that gives the same in every position: the
    frequencies of the classes, or the mean of the values.

    Parameters
    ----------
    task : Task
        With targets.
    score : float
        Of the model on the validation split.
    """
    metric = task.metric
    if metric.unit == "percent":
        return WEIGHT
    targets = _targets(task)
    better = abs(score - metric(_same_everywhere(task, targets), targets))
    return WEIGHT / _PERCENT * better if math.isfinite(better) and better else WEIGHT


def _targets(task: Task) -> np.ndarray:
    """Give all targets of the validation split that count: int64 [n] or float64 [n, outputs]."""
    given = task.validation.targets
    assert given is not None
    targets = np.concatenate(given) if isinstance(given, list) else given
    if np.issubdtype(targets.dtype, np.floating):
        return targets[~np.isnan(targets[:, 0])].astype(np.float64)
    return targets[targets != IGNORED]


def _same_everywhere(task: Task, targets: np.ndarray) -> np.ndarray:
    """Give the outputs of a model that knows only how targets are distributed."""
    if targets.ndim == 2:
        return np.tile(targets.mean(axis=0), (len(targets), 1))
    counts = np.bincount(targets, minlength=task.output_size) + 1.0
    return np.tile(np.log(counts), (len(targets), 1))
