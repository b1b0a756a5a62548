"""How far apart two models' scores are on the same data: intervals over paired resamples."""

from collections.abc import Mapping, Sequence

import numpy as np

from gatewright.flow.uncertainty import Bounds, Scored, scored_parts
from gatewright.sw.bundle import Bundle
from gatewright.sw.integer import integer_results
from gatewright.sw.metrics import Metric
from gatewright.sw.tasks import Split

RESAMPLES = 400


def resampled(bundles: Mapping[str, Bundle], split: Split, metric: Metric) -> dict[str, np.ndarray]:
    """Return the quality of models on resamples of a split's parts, drawn with replacement, alike for all models.

    Parameters
    ----------
    bundles : dict of Bundle
        By name.
    split : Split
        With targets.
    metric : Metric

    Returns
    -------
    dict of float arrays [RESAMPLES]
        More is better.
    """
    every = {
        name: scored_parts(integer_results(bundle, split.sequences), split)
        for name, bundle in bundles.items()
    }
    count = len(next(iter(every.values())))
    draws = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    return {
        name: np.array([metric.quality(_score([parts[k] for k in draw], metric)) for draw in draws])
        for name, parts in every.items()
    }


def difference(one: np.ndarray, other: np.ndarray) -> Bounds:
    """Return the 95 % interval of what the quality of one model is above another's, on the same resamples."""
    low, high = np.quantile(one - other, (0.025, 0.975))
    return float(low), float(high)


def _score(parts: Sequence[Scored], metric: Metric) -> float:
    outputs, targets = zip(*parts, strict=True)
    return metric(np.concatenate(outputs), np.concatenate(targets))
