"""The benchmark of compressing to a requirement: how small spoken digits become, and what that costs in accuracy."""

import time
from collections.abc import Sequence
from dataclasses import replace

from gatewright.benchmarks.longer import longer
from gatewright.flow.size import stored_bits
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, Rows
from gatewright.sw.compress import CompressSettings, Requirement, SimplifySettings, compress_to
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import load_task
from gatewright.sw.training import train_float

FLOAT_BITS = 32

TARGETS = (40, 75)
"""Times that the image is to be smaller than the float model."""

POINTS = 1.0
"""Points of validation accuracy that a model may lose. Much less, and the noise of a few recordings decides when to
stop; what is lost on the test split is what is reported."""

HOW = SimplifySettings(units=("hidden",), round_epochs=5)
"""On digits, hidden units bring all that words of single columns would."""


_TRAIN, _SHRINK = TrainSettings(), CompressSettings()


def bench_compress(
    progress: Progress = silent,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    task: str = "digits",
    train: TrainSettings = _TRAIN,
    shrink: CompressSettings = _SHRINK,
    how: SimplifySettings = HOW,
    equal_epochs: bool = True,
) -> list[Row]:
    """Train, and compress to each of `TARGETS`, for every seed.

    Parameters
    ----------
    progress : Progress
    seeds : sequence of int
        Each splits the data anew and seeds all that is random.
    task : str
        Name or path, see `load_task`.
    train, shrink : TrainSettings, CompressSettings
        All but the seed.
    how : SimplifySettings
    equal_epochs : bool
        Whether the float model that test scores are held against gets the epochs of `shrink` as well.

    Returns
    -------
    list of Row
        For each target and seed the factor from float32 to the emitted image, the points of test accuracy lost, whether
        the requirement was met, and the seconds that compressing took; and the means over the seeds.
    """
    rows: list[Row] = []
    for seed in seeds:
        data = load_task(task, seed=seed)
        model = train_float(data, replace(train, seed=seed), within(progress, f"seed {seed}"))
        dense = FLOAT_BITS * _parameters(model.network)
        held = longer(data, model, replace(shrink, seed=seed), progress) if equal_epochs else model
        float_validation = model.score(data.validation, data.metric)
        float_test = held.score(data.test, data.metric)
        for factor in TARGETS:
            begin = time.perf_counter()
            outcome = compress_to(
                data,
                model,
                Requirement(float_validation - POINTS, dense // factor),
                lambda bundle: stored_bits(bundle, how.lanes),
                replace(shrink, seed=seed),
                how,
                within(progress, f"seed {seed}, {factor} times"),
            )
            at = {"task": data.name, "hidden": train.hidden, "target": factor}
            lost = float_test - outcome.bundle.notes["scores"]["test"]
            rows += [
                Row("compression", "times", dense / outcome.volume, at, seed),
                Row("score_lost", "points", lost, at | {"metric": data.metric.name}, seed),
                Row("requirement_met", "yes or no", int(outcome.met), at | {"reason": outcome.reason}, seed),
                Row("compression_seconds", "seconds", time.perf_counter() - begin, at, seed),
            ]
    measured = Rows(rows)
    return rows + [
        Row(f"mean_{name}", unit, measured.mean(name, target=factor), {"target": factor})
        for factor in TARGETS
        for name, unit in (("compression", "times"), ("score_lost", "points"))
    ]


def _parameters(network: LstmNetwork) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
