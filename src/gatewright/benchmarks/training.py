"""The benchmark of training: accuracies over seeds and densities, and what quantisation-aware training costs."""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from gatewright.progress import Progress, silent
from gatewright.results import Row, score_row
from gatewright.sw.compress import CompressionSpec, CompressSettings, ProductSpec, compress, uniform_spec
from gatewright.sw.metrics import Metric
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import baseline, load_task
from gatewright.sw.training import train_float

DENSITIES = (1.0, 0.25, 0.125, 0.0625)

_TRAIN, _SHRINK = TrainSettings(), CompressSettings()


class _Stopwatch:
    """Passes progress on and notes when each epoch ended."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._ends: list[float] = []

    def __call__(self, what: str, done: int, total: int, remark: str) -> None:
        if done == 1:
            self._ends.clear()
        self._ends.append(time.perf_counter())
        self._progress(what, done, total, remark)

    @property
    def seconds(self) -> float:
        """Median duration of an epoch of the latest work, without its first, which also warms up."""
        return float(np.median(np.diff(self._ends)))


def bench_train(
    progress: Progress = silent,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    densities: Sequence[float] = DENSITIES,
    task: str = "digits",
    train: TrainSettings = _TRAIN,
    shrink: CompressSettings = _SHRINK,
    lanes: int = CompressionSpec.lanes,
) -> list[Row]:
    """Train and compress for every seed and density.

    Parameters
    ----------
    progress : Progress
    seeds : sequence of int
        Each splits the data anew and seeds all that is random.
    densities : sequence of float
    task : str
        Name or path, see `load_task`.
    train, shrink : TrainSettings, CompressSettings
        All but the seed; at least 2 epochs each, so that one can be timed.
    lanes : int
        Lanes that patterns are balanced for.

    Returns
    -------
    list of Row
        Test accuracies in percent for each seed, their means over the seeds, the points that each density loses
        against float, the seconds of an epoch (validation included), and their ratio.
    """
    parameters = {"task": task, "split": "test", "hidden": train.hidden}
    floats, integers, epochs = [], [], []
    rows = []
    for seed in seeds:
        data = load_task(task, seed=seed)
        watch = _Stopwatch(progress)
        model = train_float(data, dataclasses.replace(train, seed=seed), watch)
        metric = data.metric
        floats.append(model.score(data.test, metric))
        rows.append(score_row("baseline_score", metric, baseline(data), parameters, seed))
        rows.append(score_row("float_score", metric, floats[-1], parameters, seed))
        float_epoch = watch.seconds
        for density in densities:
            spec = uniform_spec(model.network, density, lanes=lanes)
            bundle = compress(data, model, spec, dataclasses.replace(shrink, seed=seed), watch)
            integers.append(bundle.notes["scores"]["test"])
            epochs.append((float_epoch, watch.seconds))
            at = {**parameters, "density": density, "bits": ProductSpec.bits}
            rows.append(score_row("score", metric, integers[-1], at, seed))
    return rows + _summary(
        metric,
        {**parameters, "seeds": list(seeds)},
        densities,
        np.array(floats),
        np.array(integers),
        np.array(epochs),
    )


def _summary(
    metric: Metric,
    parameters: dict,
    densities: Sequence[float],
    floats: np.ndarray,
    integers: np.ndarray,
    epochs: np.ndarray,
) -> list[Row]:
    means = integers.reshape(len(floats), len(densities)).mean(axis=0)
    rows = [score_row("mean_float_score", metric, float(floats.mean()), parameters)]
    for density, mean in zip(densities, means, strict=True):
        at = {**parameters, "density": density}
        rows.append(score_row("mean_score", metric, float(mean), at))
        lost = float(floats.mean() - mean)
        rows.append(Row("score_lost", "points", lost, at | {"metric": metric.name}))
    seconds = np.median(epochs, axis=0)
    rows.append(Row("float_epoch", "seconds", float(seconds[0]), parameters))
    rows.append(Row("quantised_epoch", "seconds", float(seconds[1]), parameters))
    rows.append(Row("quantised_epoch_ratio", "float epochs", float(seconds[1] / seconds[0]), parameters))
    return rows
