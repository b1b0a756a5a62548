"""Predicted against measured cycles: random models on a set of accelerators, every job in Verilator."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gatewright.cosim.fuzz.models import draw_recipe
from gatewright.cosim.measurement import Measurement, Verification
from gatewright.cosim.verify import measure
from gatewright.cosim.workloads import random_inputs
from gatewright.errors import DataError, ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.model import predict
from gatewright.hw.skipping import WHOLE, Skip
from gatewright.progress import Progress, silent, within
from gatewright.results import Row

MAX_STEPS = 50
"""Longest sequence."""

_MEMORIES = {
    "weight_depth": 4096,
    "index_depth": 4096,
    "column_depth": 512,
    "accumulator_rows": 64,
    "activation_depth": 1024,
    "bias_depth": 256,
    "state_depth": 128,
}

CONFIGS = tuple(
    AcceleratorConfig(**_MEMORIES | values)
    for values in (
        {"lanes": 4, "cell_lanes": 1, "narrowest_weight": 2, "auto_skipping": 1},
        {
            "lanes": 4,
            "cell_lanes": 1,
            "activation_bits": 16,
            "column_depth": 0,
            "serial_cell": 1,
            "single_port": 1,
        },
        {"lanes": 8, "cell_lanes": 2, "narrowest_weight": 4, "block_accumulators": 0},
        {
            "lanes": 8,
            "cell_lanes": 1,
            "groups": 2,
            "narrowest_weight": 2,
            "private": 0,
            "serial_cell": 1,
            "auto_skipping": 1,
        },
        {"lanes": 16, "cell_lanes": 1, "column_depth": 0, "index_depth": 0, "zero_skipping": 0},
        {"lanes": 16, "cell_lanes": 4, "activation_bits": 16, "narrowest_weight": 2, "auto_skipping": 1},
        {"lanes": 16, "cell_lanes": 2, "groups": 2, "accumulator_bits": 22, "alignment_bits": 6},
        {"lanes": 16, "cell_lanes": 1, "groups": 4, "activation_bits": 16, "narrowest_weight": 4},
        {"lanes": 32, "cell_lanes": 2, "narrowest_weight": 2, "block_accumulators": 0, "auto_skipping": 1},
        {"lanes": 32, "cell_lanes": 1, "groups": 8, "narrowest_weight": 4, "column_depth": 0, "private": 0},
        {"lanes": 64, "cell_lanes": 4, "groups": 4, "zero_skipping": 0},
        {"lanes": 64, "cell_lanes": 16, "activation_bits": 16, "alignment_bits": 4, "auto_skipping": 1},
    )
)
"""The accelerators. They do not depend on the seed, so that each is built once."""


@dataclass(frozen=True)
class Job:
    """One job, as predicted and as measured.

    Parameters
    ----------
    config : AcceleratorConfig
    model : int
        Number of the model, from which all about it is drawn.
    predicted, measured : dict of int
        Counters by name, those that are predicted.
    seconds : float
        What the prediction took.
    """

    config: AcceleratorConfig
    model: int
    predicted: dict[str, int]
    measured: dict[str, int]
    seconds: float

    @property
    def difference(self) -> int:
        """Cycles by which the prediction is off."""
        return abs(self.predicted["cycles"] - self.measured["cycles"])

    def describe(self) -> str:
        """Name the job and the counters that differ."""
        wrong = ", ".join(
            f"{name} {value} (RTL: {self.measured[name]})"
            for name, value in self.predicted.items()
            if value != self.measured[name]
        )
        return f"{self.config}, model {self.model}: {wrong}"


def bench_cycles(n: int, seed: int, progress: Progress = silent) -> list[Row]:
    """Compare predicted with measured cycles for random models, on the RTL in Verilator.

    Each model runs two sequences; every result is also compared with the golden model's.

    Parameters
    ----------
    n : int
        Models, spread evenly over `CONFIGS`.
    seed : int
    progress : Progress

    Raises
    ------
    ToolError
        A tool is missing or failed, a result is wrong, or a counter differs from its prediction; the text lists all
        jobs in which one does.
    DataError
        `n` is not positive.
    """
    if n < 1:
        raise DataError(f"at least one model is needed, not {n}")
    jobs: list[Job] = []
    for place, config in enumerate(CONFIGS):
        models = range(place, n, len(CONFIGS))
        if models:
            jobs += compare(config, models, seed, within(progress, f"configuration {place}"))
    wrong = [job for job in jobs if job.predicted != job.measured]
    if wrong:
        listed = "\n".join(job.describe() for job in wrong)
        raise ToolError(
            f"{len(wrong)} of {len(jobs)} jobs (seed {seed}) differ from their prediction:\n{listed}"
        )
    at = {"models": n, "jobs": len(jobs), "configurations": min(n, len(CONFIGS))}
    seconds = [job.seconds for job in jobs]
    return [
        Row("jobs_equal", "jobs", len(jobs) - len(wrong), at, seed),
        Row("largest_difference", "cycles", max(job.difference for job in jobs), at, seed),
        Row("cycles_compared", "cycles", sum(job.measured["cycles"] for job in jobs), at, seed),
        Row("prediction_median", "ms", 1e3 * float(np.median(seconds)), at, seed),
        Row("prediction_max", "ms", 1e3 * max(seconds), at, seed),
    ]


def compare(
    config: AcceleratorConfig, models: Sequence[int], seed: int, progress: Progress = silent
) -> list[Job]:
    """Predict and measure the jobs of some models of one configuration, in one simulation.

    Errors are those of `measure`.
    """
    drawn = [draw(config, [seed, model]) for model in models]
    found = measure(config, drawn, progress=progress)
    return [
        job
        for model, wanted, result in zip(models, drawn, found, strict=True)
        for job in _jobs(model, wanted, result)
    ]


def draw(config: AcceleratorConfig, seed: Sequence[int]) -> Measurement:
    """Draw a model for a configuration, and what to run on it."""
    rng = np.random.default_rng(seed)
    fresh = bool(rng.random() < 0.5)
    skip = Skip(int(rng.integers(1 + config.zero_skipping + config.auto_skipping)))
    recipe = draw_recipe(config, rng)
    bundle, compiled = recipe.build(config)
    zeros = rng.uniform()
    lengths = rng.permutation([1, int(rng.integers(2, MAX_STEPS + 1))]).tolist()
    sequences = [random_inputs(int(rng.integers(1 << 32)), bundle, steps, zeros) for steps in lengths]
    threshold = int(rng.integers(WHOLE))
    compiled = replace(compiled, modes=replace(compiled.modes, input_threshold=threshold))
    return Measurement(compiled, sequences, skip, fresh)


def _jobs(model: int, wanted: Measurement, found: Verification) -> list[Job]:
    jobs = []
    sparse = True
    for number, job in enumerate(wanted.jobs()):
        start = time.perf_counter()
        prediction = predict(wanted.compiled, *job, sparse=sparse)
        seconds = time.perf_counter() - start
        sparse = prediction.sparse
        measured = {name: found.counters[name][number] for name in prediction.counters}
        jobs.append(Job(wanted.compiled.config, model, prediction.counters, measured, seconds))
    return jobs
