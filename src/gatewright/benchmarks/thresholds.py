"""Thresholds of the sparse mode (method M1), solved from cycles that are measured on the RTL.

Source: CN113537465A (2021) chooses the mode by thresholds and does not say how to find them. Ours: both modes are
measured over a sweep of sparsities, and a threshold is the least sparsity from which the sparse mode is never worse.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gatewright.benchmarks.shapes import Shape
from gatewright.cosim.golden import Golden
from gatewright.cosim.verify import Measurement, measure
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import ConfigError, DataError, ToolError
from gatewright.hw.compiler import ANY_MODEL, Mode, compile_bundle, smallest_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.model import predict
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, Rows
from gatewright.sw.bundle import Bundle
from gatewright.sw.mode import ModePolicy, sparsity
from gatewright.sw.rows import gate_rows

SHAPES = (
    Shape("39 → 128, 32 lanes", 39, 128, lanes=32, steps=8),
    Shape("64 → 128, 64 lanes", 64, 128, lanes=64, steps=8),
    Shape("16 → 16, 8 lanes", 16, 16, lanes=8, steps=40),
)
"""Shapes of typical layers; on small ones each idle cycle weighs more."""

MODES: tuple[Mode, Mode] = ("dense", "sparse")
"""The sweep's two modes: how weights are stored; for inputs, whether zeros are skipped."""

_WEIGHT_POINTS = 8

_OPEN = 32
"""A bias far above all that the products of a random model add up to."""

_SHARES = tuple(k / 20 for k in range(20))

Of = Literal["weights", "inputs"]


@dataclass(frozen=True)
class Point:
    """Cost of both modes at one sparsity."""

    sparsity: float
    dense: float
    sparse: float

    @property
    def excess(self) -> float:
        """What the sparse mode costs more."""
        return self.sparse - self.dense


@dataclass(frozen=True)
class _Job:
    """A model to be measured, and what each of its sequences shows."""

    of: Of
    wanted: Measurement
    shown: list[tuple[float, Mode]]
    """Sparsity and mode of every sequence."""


def calibrate_thresholds(
    shapes: Sequence[Shape] = SHAPES, *, seed: int = 0, progress: Progress = silent
) -> list[Row]:
    """Measure both modes over a sweep of sparsities, and solve for the thresholds.

    Weights: random models of 8 bits, balanced over the lanes, stored dense and sparse, on an accelerator for all widths
    of weights: its index words are the widest. Inputs: a dense model whose inputs are zero in part, without and with
    skipping of zeros; of sparse weights the default policy skips in any case. Its hidden values are never zero: a
    sequence is judged by its inputs, before any hidden value is known, so these alone must pay for what skipping
    costs. Every result is compared with the golden model's, and all cycles with their prediction.

    Parameters
    ----------
    shapes : sequence of Shape
        Layers and their accelerators; all of a shape is measured in one simulation.
    seed : int
        Of weights and inputs.
    progress : Progress

    Returns
    -------
    list of Row
        ``sweep_cycles`` per step; ``sweep_bits`` of the whole image; ``threshold`` by cycles, by bits, and by both.

    Raises
    ------
    DataError
        There are no shapes.
    ToolError
        A tool is missing or failed, or results or cycles are not what they must be.
    """
    if not shapes:
        raise DataError("at least one shape is needed to calibrate thresholds")
    rows = []
    for shape in shapes:
        rows += _sweep(shape, seed, within(progress, shape.name))
    return rows + _thresholds(rows, seed)


def policy_from(rows: Iterable[Row]) -> ModePolicy:
    """Give the policy of measured thresholds: of each kind the largest, so that the sparse mode is worse on no shape.

    Parameters
    ----------
    rows : iterable of Row
        What `calibrate_thresholds` gave.

    Raises
    ------
    ConfigError
        The rows lack a threshold of weights or of inputs.
    """
    solved = Rows(rows)
    found = {of: solved.all("threshold", of=of, by="both") for of in ("weights", "inputs")}
    missing = [of for of, values in found.items() if not values]
    if missing:
        raise ConfigError(f"no threshold of {' and '.join(missing)} among the rows; calibrate first")
    return ModePolicy(max(found["weights"]), max(found["inputs"]))


def solve(points: Iterable[Point]) -> float:
    """Give the least sparsity from which the sparse mode costs at most as much as the dense one, and goes on so.

    Between the last point at which it costs more and the next, costs are taken to be straight lines. It is 1 where the
    sparse mode costs more at the last point.
    """
    ordered = sorted(points, key=lambda point: point.sparsity)
    worse = [place for place, point in enumerate(ordered) if point.excess > 0]
    if not worse:
        return ordered[0].sparsity
    if worse[-1] == len(ordered) - 1:
        return 1.0
    last, first = ordered[worse[-1]], ordered[worse[-1] + 1]
    share = last.excess / (last.excess - first.excess)
    return last.sparsity + share * (first.sparsity - last.sparsity)


def _sweep(shape: Shape, seed: int, progress: Progress) -> list[Row]:
    models = _models(shape, seed)
    stored = [(bundle, mode) for bundle in models for mode in MODES]
    config = smallest_config(
        stored,
        lanes=shape.lanes,
        cell_lanes=shape.cell_lanes,
        narrowest_weight=AcceleratorConfig.narrowest_weight,
        **ANY_MODEL,
    )
    jobs = [
        *_weight_jobs(models, config, shape, seed),
        _input_job(_without_zeros(models[0]), config, shape, seed),
    ]
    rows = []
    for job, found in zip(
        jobs, measure(config, [job.wanted for job in jobs], progress=progress), strict=True
    ):
        cycles = found.counters["cycles"]
        _check_predictions(job, cycles)
        for (share, mode), measured, steps in zip(job.shown, cycles, found.steps, strict=True):
            at = {"of": job.of, "sparsity": share, "mode": mode, "shape": shape.name}
            rows.append(Row("sweep_cycles", "cycles per step", measured / steps, at, seed))
            if job.of == "weights":
                bits = sum(job.wanted.compiled.image.stored_bits(config).values())
                rows.append(Row("sweep_bits", "bits", bits, at, seed))
    return rows


def _models(shape: Shape, seed: int) -> list[Bundle]:
    """Give random models of a shape, from full to as sparse as a balanced pattern can be."""
    _, row = gate_rows(shape.hidden, shape.lanes)
    rows = int(row.max()) + 1
    kept = dict.fromkeys([*range(rows, 0, -max(1, rows // _WEIGHT_POINTS)), 1])
    return [
        random_bundle(seed, inputs=shape.inputs, hidden=shape.hidden, classes=0, kept=each, lanes=shape.lanes)
        for each in kept
    ]


def _without_zeros(bundle: Bundle) -> Bundle:
    """Give the model with biases that open all its gates, so that no hidden value is zero."""
    layers = tuple(
        replace(layer, bias=np.full_like(layer.bias, _OPEN << layer.accumulator_frac))
        for layer in bundle.layers
    )
    return replace(bundle, layers=layers)


def _weight_jobs(models: list[Bundle], config: AcceleratorConfig, shape: Shape, seed: int) -> Iterable[_Job]:
    for bundle in models:
        share = sparsity(*(stage.matrix.values for stage in bundle.matrices.values()))
        x = random_inputs(seed, bundle, shape.steps)
        for mode in MODES:
            compiled = compile_bundle(bundle, config, mode=mode, hidden_results="last")
            yield _Job("weights", Measurement(compiled, [x]), [(share, mode)])


def _input_job(bundle: Bundle, config: AcceleratorConfig, shape: Shape, seed: int) -> _Job:
    compiled = compile_bundle(bundle, config, mode="dense", hidden_results="last")
    x = random_inputs(seed, bundle, shape.steps, zeros=0)
    x = np.where(x == 0, 1, x)
    order = np.random.default_rng(seed).random(x.shape)
    zeroed = [np.where(order < share, 0, x) for share in _SHARES]
    # Of a short sequence, several shares can be the same.
    runs = [(each, share, mode) for share, each in {sparsity(x): x for x in zeroed}.items() for mode in MODES]
    skips = [mode == "sparse" for *_, mode in runs]
    wanted = Measurement(compiled, [each for each, *_ in runs], skips)
    return _Job("inputs", wanted, [(share, mode) for _, share, mode in runs])


def _check_predictions(job: _Job, cycles: Sequence[int]) -> None:
    compiled = job.wanted.compiled
    for x, (share, mode), measured in zip(job.wanted.sequences, job.shown, cycles, strict=True):
        _, trace = Golden(compiled).run(x, trace=True)
        skip = job.of == "inputs" and mode == "sparse"
        predicted = predict(compiled, len(x), skip=skip, trace=trace).cycles
        if predicted != measured:
            raise ToolError(
                f"{job.of} with {100 * share:.1f} % zeros in {mode} mode: {measured} cycles on the RTL, "
                f"{predicted} predicted"
            )


def _thresholds(rows: Sequence[Row], seed: int) -> list[Row]:
    costs: dict[tuple[str, str, str], dict[float, dict[str, float]]] = {}
    measured = Rows(rows)
    for by in ("cycles", "bits"):
        for cost, shape, of, share, mode in measured.lines(f"sweep_{by}", "shape", "of", "sparsity", "mode"):
            costs.setdefault((shape, of, by), {}).setdefault(share, {})[mode] = cost
    solved: dict[tuple[str, str], dict[str, float]] = {}
    for (shape, of, by), sweep in costs.items():
        points = [Point(share, cost["dense"], cost["sparse"]) for share, cost in sweep.items()]
        solved.setdefault((shape, of), {})[by] = solve(points)
    return [
        Row("threshold", "share", value, {"of": of, "by": by, "shape": shape}, seed)
        for (shape, of), found in solved.items()
        for by, value in (found | {"both": max(found.values())}).items()
    ]
