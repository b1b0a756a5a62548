"""The final front: each point is trained in full, scored once on the test split, and simulated at RTL level."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Literal

from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.evaluate import Evaluation
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.hardware import candidate_config
from gatewright.cosim.search.pareto import choose, pareto
from gatewright.cosim.search.records import Record, Records
from gatewright.cosim.search.rows import CYCLES
from gatewright.cosim.verify import Verification, measure
from gatewright.errors import BundleError, DivergenceError, RunFolderError, ToolError
from gatewright.executors import workers
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.estimate import UNITS as OP_UNITS
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.fit import exceeded
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, write_rows
from gatewright.sw.bundle import Bundle
from gatewright.sw.metrics import UNITS, Metric
from gatewright.sw.models import FloatModel
from gatewright.sw.products import LowRank
from gatewright.sw.search.space import Candidate, Value
from gatewright.sw.search.supernet import SuperNetwork, finalise
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import WEIGHT_BITS, CompressionSpec, uniform_spec

Kind = Literal["found", "uniform", "uncompressed"]
"""Found by the search; set by hand, with one rank and width for all; or whole matrices in 8 bits."""

_UNIFORM_RANKS: tuple[int | None, ...] = (8, 16, 32, 64, None)


@dataclass(frozen=True)
class Point:
    """A model of the final front, or one that it is compared with.

    Parameters
    ----------
    kind : "found", "uniform" or "uncompressed"
    candidate : Candidate
        What was chosen; of a model set by hand what it has in common with one.
    spec : CompressionSpec
    """

    kind: Kind
    candidate: Candidate
    spec: CompressionSpec


def front(records: Sequence[Record], count: int) -> list[Candidate]:
    """Choose at most `count` candidates of the Pareto front of finished trials, spread over it.

    The best quality is the first; then always the one that adds the most hypervolume, with cycles and bits on a
    logarithmic scale, so that candidates of little use come last. Of a candidate's results the last counts.
    """
    found = {
        tuple(each.candidate.items()): each.found for each in records if isinstance(each.found, Evaluation)
    }
    candidates = [dict(key) for key in found]
    points = [
        (cost, log2(cycles), log2(bits)) for cost, cycles, bits in (each.point for each in found.values())
    ]
    best = sorted(pareto(points), key=lambda k: points[k])
    if not best:
        return []
    ends = [max(points[k][axis] for k in best) + margin for axis, margin in enumerate((1e-9, 1.0, 1.0))]
    return [candidates[best[k]] for k in choose([points[k] for k in best], ends, count)]


def uniform_points(dense: FloatModel, plan: Plan) -> list[Point]:
    """Give what a search must beat: the uncompressed 8-bit model, and one rank and width for all, without pruning.

    A rank counts where two factors of it have fewer weights than the whole; equal models come once.
    """
    points: dict[str, Point] = {}
    for rank in reversed(_UNIFORM_RANKS):
        for bits in sorted(WEIGHT_BITS, reverse=True):
            spec = uniform_spec(
                dense.network,
                1.0,
                bits,
                plan.space.lanes,
                rank,
                plan.space.activation_bits,
                plan.space.columns,
            )
            kind: Kind = "uniform" if points else "uncompressed"
            candidate: dict[str, Value] = {"network.rank": rank, "network.bits": bits, "network.density": 1.0}
            points.setdefault(repr(spec), Point(kind, candidate, spec))
    return list(points.values())


def finish(
    root: Path,
    *,
    points: int,
    settings: CompressSettings,
    uniform: bool = True,
    processes: int = 1,
    dask: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Train the front in full, and measure all of it; leaves rows and bundles in the study's folder.

    Each point starts from the super network of the last round, so do those that are set by hand. Validation chose the
    points; the test split is looked at here, once for each. Bundles that are there already are not trained again.

    Parameters
    ----------
    root : Path
        The study's folder, with finished trials.
    points : int
        Most points of the front, at least 1.
    settings : CompressSettings
        How they are trained, the same for all.
    uniform : bool
        Whether the models of `uniform_points` are put through the same; the uncompressed one always is.
    processes, dask
        Who trains, as `workers` has it.
    progress : Progress

    Raises
    ------
    RunFolderError
        No study, or none with a feasible trial, is in the folder.
    ToolError
        A tool failed, golden model and RTL disagree, or predicted and measured cycles do.
    """
    folder = StudyFolder.open(root)
    plan = folder.plan
    with folder.locked():
        records = Records(folder, plan).finished()
        found = [Point("found", each, plan.space.spec(each)) for each in front(records, points)]
        if not found:
            raise RunFolderError(f"{root} has no finished trial with hardware; run the study first")
        beside = uniform_points(FloatModel.load(folder.float_model), plan)
        every = found + (beside if uniform else beside[:1])
        last = max(each.round for each in records)
        failed = _train(folder, every, last, settings, processes, dask, progress)
        rows = _measured(folder, plan, every, failed, settings.seed, progress)
    different = [row.value for row in rows if row.name == "point_difference"]
    write_rows(folder.front, rows)
    if different:
        raise ToolError(
            f"predicted and measured cycles differ on the final front: {'; '.join(map(str, different))}"
        )
    return rows


def _train(
    folder: StudyFolder,
    points: Sequence[Point],
    round: int,
    settings: CompressSettings,
    processes: int,
    dask: str | None,
    progress: Progress,
) -> dict[int, str]:
    """Train all points; says why, of those whose training diverged."""
    folder.bundle(0).parent.mkdir(exist_ok=True)
    root = folder.root.resolve()
    with workers(processes, dask) as found:
        progress("final front", 0, len(points), "")
        calls = {
            found.executor.submit(_finalise, root, k, each.spec, round, settings): k
            for k, each in enumerate(points)
        }
        failed: dict[int, str] = {}
        for done, call in enumerate(as_completed(calls), 1):
            try:
                told = call.result()
            except DivergenceError as error:
                told = failed[calls[call]] = str(error)
            progress("final front", done, len(points), told)
    return failed


def _finalise(root: Path, number: int, spec: CompressionSpec, round: int, settings: CompressSettings) -> str:
    """Train a point, unless it is there; tells its validation score."""
    folder = StudyFolder.open(root)
    plan, path = folder.plan, folder.bundle(number)
    task = plan.load_task()
    bundle = _kept(path, spec, settings)
    if bundle is None:
        supernet = SuperNetwork.load(folder.supernet(round))
        bundle = finalise(task, FloatModel.load(folder.float_model), supernet, spec, settings)
        bundle.save(path)
    return f"validation {bundle.notes[f'validation_{task.metric}']:.4g} {UNITS[task.metric]}"


def _kept(path: Path, spec: CompressionSpec, settings: CompressSettings) -> Bundle | None:
    """Give the bundle of a point if it was trained to the same before."""
    try:
        bundle = Bundle.load(path)
        same = CompressionSpec.from_json(bundle.notes["spec"]) == spec
        return bundle if same and bundle.notes["settings"] == dataclasses.asdict(settings) else None
    except BundleError:
        return None


def _measured(
    folder: StudyFolder,
    plan: Plan,
    points: Sequence[Point],
    failed: Mapping[int, str],
    seed: int,
    progress: Progress,
) -> list[Row]:
    """Compile all points that were trained and simulate them: those of one configuration in one simulation."""
    task = plan.load_task()
    recordings = spread(task.validation, plan.search.recordings)
    rows: list[Row] = []
    costs: dict[int, Costs] = {}
    by_config: dict[AcceleratorConfig, list[int]] = {}

    def left_out(number: int, reason: str) -> Row:
        point = points[number]
        at = {"point": number, "kind": point.kind, "candidate": point.candidate}
        return Row("point_infeasible", "reason", reason, at, seed)

    for number, point in enumerate(points):
        if number in failed:
            rows.append(left_out(number, failed[number]))
            continue
        bundle = Bundle.load(folder.bundle(number))
        config = plan.config or candidate_config(bundle, plan.space, point.candidate)
        if plan.device is not None and (short := exceeded(config, device(plan.device))):
            rows.append(left_out(number, f"{plan.device}: {'; '.join(short)}"))
            continue
        costs[number] = Costs.of(bundle, config, recordings, task.validation.every_step)
        by_config.setdefault(config, []).append(number)
    found: dict[int, tuple[Verification, Verification]] = {}
    for config, numbers in by_config.items():
        wanted = [run for k in numbers for run in (costs[k].measurement, costs[k].proof)]
        results = iter(measure(config, wanted, progress=within(progress, "final front")))
        found |= {k: (next(results), next(results)) for k in numbers}
    for number, each in costs.items():
        rows += _rows(number, points[number], each, *found[number], task.metric, seed)
    return rows


def _rows(
    number: int,
    point: Point,
    costs: Costs,
    measured: Verification,
    proof: Verification,
    metric: Metric,
    seed: int,
) -> Iterator[Row]:
    bundle = costs.bundle
    at = {"point": number, "kind": point.kind, "candidate": point.candidate}

    def row(name: str, measure: str, value: float | str, **more) -> Row:
        return Row(f"point_{name}", measure, value, at | more, seed)

    for split in ("validation", "test"):
        yield row(metric, UNITS[metric], bundle.notes[f"{split}_{metric}"], split=split)
    yield row("cycles_predicted", CYCLES, costs.cycles)
    yield row("cycles_measured", CYCLES, measured.cycles_per_step)
    yield row("stored_bits", "bits", costs.stored_bits)
    yield row("macs", "multiply-accumulates per step", costs.macs)
    yield row("mismatches", "integers", measured.mismatches + proof.mismatches)
    yield row("integers_compared", "integers", measured.integers_compared + proof.integers_compared)
    for text in costs.differences(measured):
        yield row("difference", "text", f"point {number}, {text}")
    for name, (product, _) in bundle.products.items():
        matrices = [product.first, product.second] if isinstance(product, LowRank) else [product]
        kept = sum(each.nonzeros for each in matrices) / sum(each.values.size for each in matrices)
        yield row("rank", "columns", product.rank if isinstance(product, LowRank) else 0, product=name)
        yield row("bits", "bits", matrices[0].format.bits, product=name)
        yield row("density", "share", kept, product=name)
    for name, values in measured.counters.items():
        yield row("counter", CYCLES, sum(values) / costs.steps, counter=name)
    if point.kind == "found":
        for op in costs.steady_step():
            opcode = costs.compiled.image.program[op.op].opcode
            where = {
                "op": op.op,
                "opcode": opcode.name,
                "unit": OP_UNITS[opcode],
                "first": op.first,
                "last": op.last,
            }
            yield row("op", "cycles", op.last - op.first + 1, **where)
