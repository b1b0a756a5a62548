"""What a classifier without recurrence reaches: the figure that an LSTM has to beat."""

import numpy as np

from gatewright.sw.tasks.task import Split, Task, scaling

PENALTY = 1.0
"""Weight of half the squared norm of the coefficients, beside the summed cross-entropy."""

_ITERATIONS = 1000
_TOLERANCE = 1e-3


def baseline_accuracy(task: Task) -> float:
    """Give the test accuracy, in percent, of logistic regression on each sequence's mean and deviation.

    The coefficients minimise the penalised cross-entropy of the train split; each feature is standardised
    by that split. Every step solves the quadratic upper bound of the loss, so it cannot overshoot.
    Source: D. Böhning, Multinomial logistic regression algorithm, Ann. Inst. Statist. Math. 44 (1992).
    """
    train, test = _features(task.train), _features(task.test)
    mean, deviation = scaling(train)
    train, test = (
        np.hstack([(features - mean) / deviation, np.ones((len(features), 1))]) for features in (train, test)
    )
    target = np.eye(len(task.labels))[task.train.labels]
    penalty = np.append(np.full(train.shape[1] - 1, PENALTY), 1e-9)[:, None]
    step = np.linalg.inv(train.T @ train / 2 + np.diag(penalty[:, 0]))
    weights = np.zeros((train.shape[1], len(task.labels)))
    for _ in range(_ITERATIONS):
        logits = train @ weights
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        gradient = train.T @ (odds / odds.sum(axis=1, keepdims=True) - target) + penalty * weights
        weights -= step @ gradient
        if np.abs(gradient).max() < _TOLERANCE:
            break
    return 100.0 * float(np.mean((test @ weights).argmax(axis=1) == task.test.labels))


def _features(split: Split) -> np.ndarray:
    return np.array(
        [np.concatenate([s.mean(axis=0), s.std(axis=0)]) for s in split.sequences], dtype=np.float64
    )
