"""What a model without recurrence reaches: the figure that an LSTM has to beat."""

import numpy as np

from gatewright.errors import DataError
from gatewright.sw.metrics import IGNORED
from gatewright.sw.tasks.task import Split, Task, moments, target_moments

PENALTY = 1.0
"""Weight of half the squared norm of the coefficients, beside the summed cross-entropy."""

_ITERATIONS = 1000
_TOLERANCE = 1e-3


def baseline(task: Task) -> float:
    """Return the test score, in the task's metric, of a model without recurrence.

    Of a text that is how often each symbol follows each other; of classes per sequence logistic regression on each
    sequence's mean and deviation; of classes per step the frequencies of the train split; of values the mean of those.

    Raises
    ------
    DataError
        The task has no targets.
    """
    if task.taught or task.test.targets is None:
        raise DataError(f"{task.name} has no targets, so there is nothing to hold a baseline against")
    if task.metric.name == "bits" and not task.scaled:
        return bigram_bits(task)
    targets = _flat(task.test)
    if not task.classifies:
        mean, _ = target_moments(task)
        seen = ~np.isnan(targets[:, 0])
        return task.metric(np.tile(mean, (int(seen.sum()), 1)), targets[seen])
    if task.every_step:
        seen = targets != IGNORED
        known = _flat(task.train)
        counts = np.bincount(known[known != IGNORED], minlength=len(task.labels)) + 1.0
        return task.metric(np.tile(np.log(counts / counts.sum()), (int(seen.sum()), 1)), targets[seen])
    return task.metric(_logistic(task), targets)


def bigram_bits(task: Task) -> float:
    """Give the bits per symbol of the test split, from how often each symbol of the train split follows each other.

    Every pair counts once more than it was seen.
    """
    symbols = len(task.labels)
    counts = np.ones((symbols, symbols))
    np.add.at(counts, _pairs(task.train), 1)
    probabilities = counts / counts.sum(axis=1, keepdims=True)
    return float(-np.log2(probabilities[_pairs(task.test)]).mean())


def _logistic(task: Task) -> np.ndarray:
    """Return the test logits [sequences, classes] of logistic regression on each sequence's mean and deviation.

    The coefficients minimise the penalised cross-entropy of the train split; each feature is standardised
    by that split. Every step solves the quadratic upper bound of the loss, so it cannot overshoot.
    Source: D. Böhning, Multinomial logistic regression algorithm, Ann. Inst. Statist. Math. 44 (1992).
    """
    train, test = _features(task.train), _features(task.test)
    mean, deviation = moments(train)
    train, test = (
        np.hstack([(features - mean) / deviation, np.ones((len(features), 1))]) for features in (train, test)
    )
    target = np.eye(len(task.labels))[_flat(task.train)]
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
    return test @ weights


def _flat(split: Split) -> np.ndarray:
    """Return the targets of all sequences, or of all their steps."""
    return np.concatenate(split.targets) if isinstance(split.targets, list) else np.asarray(split.targets)


def _pairs(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Give each one-hot coded symbol and the one that follows it."""
    return np.concatenate(split.sequences).argmax(axis=1), _flat(split)


def _features(split: Split) -> np.ndarray:
    return np.array(
        [np.concatenate([s.mean(axis=0), s.std(axis=0)]) for s in split.sequences], dtype=np.float64
    )
