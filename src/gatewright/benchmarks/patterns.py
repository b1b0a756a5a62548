"""Balanced patterns against unstructured pruning, at equal density."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from gatewright.progress import Progress, silent, within
from gatewright.results import Row, Rows, score_row
from gatewright.sw.compress import CompressionSpec, CompressSettings, compress, uniform_spec
from gatewright.sw.models import FloatModel
from gatewright.sw.settings import TrainSettings
from gatewright.sw.spec import Columns
from gatewright.sw.tasks import Task, load_task
from gatewright.sw.training import train_float

DENSITIES = (0.25, 0.125, 0.0625)

_TRAIN, _SHRINK = TrainSettings(), CompressSettings()


def compare_patterns(
    task: Task,
    model: FloatModel,
    settings: CompressSettings,
    densities: Sequence[float] = DENSITIES,
    lanes: int = CompressionSpec.lanes,
    progress: Progress = silent,
) -> list[Row]:
    """Compress a model to each density with every kind of pattern; all else is equal.

    Returns
    -------
    list of Row
        ``pattern_score`` of the integer models on validation and test split, by ``columns`` as `CompressionSpec` names
        them, and ``density``.
    """
    rows = []
    for density in densities:
        for columns in get_args(Columns):
            spec = uniform_spec(model.network, density, lanes=lanes, columns=columns)
            bundle = compress(task, model, spec, settings, within(progress, f"{columns} {density:.4g}"))
            rows += [
                score_row(
                    "pattern_score",
                    task.metric,
                    bundle.notes["scores"][split],
                    {"task": task.name, "columns": columns, "density": density, "split": split},
                    settings.seed,
                )
                for split in ("validation", "test")
            ]
    return rows


def bench_patterns(
    progress: Progress = silent,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    densities: Sequence[float] = DENSITIES,
    task: str = "digits",
    train: TrainSettings = _TRAIN,
    shrink: CompressSettings = _SHRINK,
    lanes: int = CompressionSpec.lanes,
) -> list[Row]:
    """Compare patterns for every seed.

    Parameters
    ----------
    progress : Progress
    seeds : sequence of int
        Each splits the data anew and seeds all that is random.
    densities : sequence of float
    task : str
        Name or path of a task whose metric is accuracy, see `load_task`.
    train, shrink : TrainSettings, CompressSettings
        All but the seed.
    lanes : int

    Returns
    -------
    list of Row
        Those of `compare_patterns`, and for both kinds of balanced patterns and each density the mean points of test
        accuracy by which they are worse than unstructured pruning.
    """
    rows = []
    for seed in seeds:
        data = load_task(task, seed=seed)
        model = train_float(data, replace(train, seed=seed), within(progress, f"seed {seed}"))
        rows += compare_patterns(
            data, model, replace(shrink, seed=seed), densities, lanes, within(progress, f"seed {seed}")
        )

    measured = Rows(rows)

    def mean(columns: Columns, density: float) -> float:
        return measured.mean("pattern_score", columns=columns, density=density, split="test")

    return rows + [
        Row(
            "worse_than_unstructured",
            "points",
            mean("unstructured", density) - mean(columns, density),
            {"task": task, "columns": columns, "density": density, "seeds": list(seeds)},
        )
        for density in densities
        for columns in get_args(Columns)
        if columns != "unstructured"
    ]
