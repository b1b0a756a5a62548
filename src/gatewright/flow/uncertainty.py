"""The 95 % interval of a score by resampling what it was taken over; an accuracy has Wilson's, in the report."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from gatewright.errors import BundleError
from gatewright.results import Row, score_row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import suited
from gatewright.sw.compress.behaviour import SCORED
from gatewright.sw.integer import integer_results
from gatewright.sw.metrics import METRICS, Metric
from gatewright.sw.models import FloatModel
from gatewright.sw.scores import counted
from gatewright.sw.tasks import Split, Task

RESAMPLES = 1000
"""Drawn for an interval; fewer, down to a tenth, where a metric must be computed anew on very much."""

FEWEST, BLOCKS, LENGTH = 30, 100, 20
"""Fewer recordings than the first are cut, into as many blocks in all as the second, each of at least as many positions
as the third: neighbours depend on each other, and stay together."""

_LEAST = 10
"""Parts below which their spread says nothing."""

_MOST_VALUES = 100_000_000
"""That a metric is computed on in all resamples together."""

_MEANS = ("agreement", "bits", "mse")
"""Metrics that are means over positions: those of resamples follow from those of parts."""

Scored = tuple[np.ndarray, np.ndarray]
"""Outputs [n, outputs] and targets, [n] or [n, outputs], of positions that count."""

Bounds = tuple[float, float]
"""The lower and the upper end of an interval."""


def bootstrap(parts: Sequence[Scored], metric: Metric, seed: int = 0) -> Bounds | None:
    """Return the 2.5 % and the 97.5 % quantile of a metric over resamples of parts, drawn with replacement.

    It is about which samples were drawn, not about training with other seeds.

    Parameters
    ----------
    parts : sequence of (outputs, targets)
        Of recordings, or of blocks of one long stream; empty ones count for nothing.
    metric : Metric
    seed : int
        Of the resamples.

    Returns
    -------
    (float, float) or None
        None for fewer than 10 parts, and where the metric is not defined for some resample.
    """
    parts = [part for part in parts if len(part[1])]
    if len(parts) < _LEAST:
        return None
    random, count = np.random.default_rng(seed), len(parts)
    if metric.name in _MEANS and METRICS[metric.name] == metric:
        weights = np.array([len(targets) for _, targets in parts], np.float64)
        sums = weights * [metric(*part) for part in parts]
        drawn = random.integers(count, size=(RESAMPLES, count))
        values = sums[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    else:
        size = sum(outputs.size for outputs, _ in parts)
        times = max(RESAMPLES // 10, min(RESAMPLES, _MOST_VALUES // size))
        try:
            values = np.array(
                [metric(*_joined(parts, random.integers(count, size=count))) for _ in range(times)]
            )
        except Exception:
            # A user's own metric may raise anything where a class is missing.
            return None
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def scored_parts(results: Sequence[np.ndarray], split: Split) -> list[Scored]:
    """Return what a score is taken over in parts that may be resampled: recordings, or blocks of few long ones.

    Parameters
    ----------
    results : sequence of arrays [steps, outputs]
        What a model gives in every step of each sequence.
    split : Split
        With targets.
    """
    parts, wanted = [], cast(Sequence[Any], split.targets)
    for k, outputs in enumerate(results):
        targets = torch.from_numpy(np.asarray(wanted[k]))
        if not split.every_step:
            outputs, targets = outputs[-1:], targets[None]
        seen = counted(targets).numpy()
        parts.append((outputs[seen].astype(np.float64), targets.numpy()[seen]))
    if len(parts) >= FEWEST or not split.every_step:
        return parts
    positions = sum(len(targets) for _, targets in parts)
    length = max(LENGTH, -(-positions // BLOCKS))
    return [
        (outputs[begin : begin + length], targets[begin : begin + length])
        for outputs, targets in parts
        for begin in range(0, len(targets), length)
    ]


def with_intervals(bundle: Bundle, model: FloatModel, task: Task) -> Bundle:
    """Return a bundle whose notes hold the intervals of its scores by split, unless these are accuracies.

    Parameters
    ----------
    bundle : Bundle
    model : FloatModel
        What it was made of; it teaches where the task has no targets.
    task : Task
        What its scores are of.
    """
    task, _ = suited(task, model)
    found = {}
    for name in SCORED if task.metric.name != "accuracy" else ():
        split: Split = getattr(task, name)
        if bounds := bootstrap(scored_parts(integer_results(bundle, split.sequences), split), task.metric):
            found[name] = list(bounds)
    return replace(bundle, notes=bundle.notes | {"intervals": found}) if found else bundle


def float_interval_rows(model: FloatModel, task: Task, name: str, seed: int) -> Iterator[Row]:
    """Yield the interval of a float model's test score, unless this is an accuracy."""
    if task.metric.name != "accuracy":
        parts = scored_parts(model.results(task.test.sequences), task.test)
        for end, value in zip(("low", "high"), bootstrap(parts, task.metric) or (), strict=False):
            at = {"model": name, "split": "test"}
            yield score_row(f"float_score_{end}", task.metric, value, at, seed)


def interval_rows(bundle: Bundle, name: str) -> Iterator[Row]:
    """Yield the rows of what `with_intervals` noted, for a model of a name; nothing of a bundle without such notes.

    Raises
    ------
    BundleError
        The notes are malformed.
    """
    notes: dict[str, Any] = bundle.notes
    try:
        for split, (low, high) in notes.get("intervals", {}).items():
            better = "more" if notes["more_is_better"] else "less"
            at = {"model": name, "split": split, "metric": notes["metric"], "better": better}
            yield Row("score_low", notes["unit"], low, at, notes["seed"])
            yield Row("score_high", notes["unit"], high, at, notes["seed"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"the notes of {name} on its scores' intervals are malformed ({error!r})"
        ) from error


def _joined(parts: Sequence[Scored], chosen: np.ndarray) -> Scored:
    outputs, targets = zip(*(parts[k] for k in chosen), strict=True)
    return np.concatenate(outputs), np.concatenate(targets)
