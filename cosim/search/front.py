"""The final front: each point is trained in full, scored once on the test split, and simulated at RTL level."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from gatewright.cosim.measurement import Verification
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.evaluate import exceeding
from gatewright.cosim.search.evaluation import Infeasible
from gatewright.cosim.search.floors import floor, off_the_floor
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.hardware import candidate_config, refusal
from gatewright.cosim.search.points import Point, front, uniform_points
from gatewright.cosim.search.recommend import recommendation_rows
from gatewright.cosim.search.records import Record, Records
from gatewright.cosim.search.rows import CYCLES, MACS
from gatewright.cosim.verify import measure
from gatewright.errors import BundleError, DivergenceError, RunFolderError, ToolError
from gatewright.executors import workers
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.loops import UNITS as OP_UNITS
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, score_row, write_rows
from gatewright.storage import make_folder
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import compress
from gatewright.sw.compress.behaviour import scored_rows
from gatewright.sw.integer import evaluate
from gatewright.sw.metrics import Metric
from gatewright.sw.models import FloatModel
from gatewright.sw.products import LowRank
from gatewright.sw.search.supernet import SuperNetwork, finalise
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task


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

    Each point starts from the super network of the last round, so do those that are set by hand; what a search by
    gradient chose starts from the weights that it trained. Validation chose the
    points; the test split is looked at here, once for each. Bundles that are there already are not trained again, those
    of an earlier front are deleted. A point beyond a limit or the device is told, with the reason, and is not on it.

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
        found = [
            Point(f"p{k}", "found", each, plan.space.spec(each))
            for k, each in enumerate(front(records, points, plan.space))
        ]
        if not found:
            raise RunFolderError(f"{root}: {_nothing(records)}")
        dense = FloatModel.load(folder.float_model)
        beside = uniform_points(dense, plan)
        every = found + (beside if uniform else beside[:1])
        last = max(each.round for each in records)
        failed = _train(folder, every, last, settings, processes, dask, progress)
        rows = _measured(folder, plan, folder.load_task(dense), every, failed, settings.seed, progress)
        rows += recommendation_rows(rows, plan.search, settings.seed, plan.assumed)
        rows += scored_rows(folder.load_task(dense))
    different = [row.value for row in rows if row.name == "point_difference"]
    write_rows(folder.front, rows)
    if different:
        raise ToolError(
            f"predicted and measured cycles differ on finished points: {'; '.join(map(str, different))}"
        )
    return rows


def _nothing(records: Sequence[Record]) -> str:
    """Say why there is no point."""
    reasons = Counter(each.found.reason for each in records if isinstance(each.found, Infeasible))
    if not reasons:
        return "no trial has finished; run the study first"
    ((reason, count),) = reasons.most_common(1)
    return f"no trial is feasible; {count} of {len(records)} because: {reason}"


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
    make_folder(folder.models)
    for path in set(folder.models.glob("*.npz")) - {folder.bundle(each.name) for each in points}:
        path.unlink()
    root = folder.root.resolve()
    with workers(processes, dask) as found:
        progress("finished points", 0, len(points), "")
        calls = {
            found.executor.submit(_finalise, root, each, round, settings): k for k, each in enumerate(points)
        }
        failed: dict[int, str] = {}
        for done, call in enumerate(as_completed(calls), 1):
            try:
                told = call.result()
            except DivergenceError as error:
                told = failed[calls[call]] = str(error)
            progress("finished points", done, len(points), told)
    return failed


def _finalise(root: Path, point: Point, round: int, settings: CompressSettings) -> str:
    """Train a point, unless it is there; tells its validation score."""
    folder = StudyFolder.open(root)
    path, dense = folder.bundle(point.name), FloatModel.load(folder.float_model)
    task = folder.load_task(dense)
    bundle = _kept(path, point.spec, round, settings)
    if bundle is None:
        trained = folder.trained(point.candidate)
        if point.kind == "found" and trained.exists():
            start = FloatModel.load(trained).network
            bundle = compress(task, dense, point.spec, settings, start=start)
        else:
            supernet = SuperNetwork.load(folder.supernet(round))
            bundle = finalise(task, dense, supernet, point.spec, settings)
        notes = bundle.notes | {"study": folder.plan.name, "round": round, "candidate": point.candidate}
        replace(bundle, notes=notes).save(path)
    return f"validation {evaluate(bundle, task.validation, task.metric):.4g} {task.metric.unit}"


def _kept(path: Path, spec: CompressionSpec, round: int, settings: CompressSettings) -> Bundle | None:
    """Give the bundle of a point if it was trained to the same before, from the same weights."""
    try:
        bundle = Bundle.load(path)
    except BundleError:
        return None
    made = CompressionSpec.from_json(bundle.notes["spec"]), bundle.notes["round"], bundle.notes["settings"]
    return bundle if made == (spec, round, asdict(settings)) else None


def _measured(
    folder: StudyFolder,
    plan: Plan,
    task: Task,
    points: Sequence[Point],
    failed: Mapping[int, str],
    seed: int,
    progress: Progress,
) -> list[Row]:
    """Compile all points that were trained and simulate them: those of one configuration in one simulation."""
    recordings = spread(task.validation, plan.search.recordings, plan.search.steps)
    rows: list[Row] = []
    costs: dict[int, Costs] = {}
    scores: dict[int, dict[str, float]] = {}
    by_config: dict[AcceleratorConfig, list[int]] = {}
    settled: dict[int, Point] = {}
    floors: dict[int, str] = {}
    for number, point in enumerate(points):
        problem = failed.get(number, "")
        if not problem:
            bundle = Bundle.load(folder.bundle(point.name))
            config = candidate_config(plan, bundle, point.candidate)
            problem = refusal(plan, config)
        if not problem:
            costs_of = partial(_costs, bundle, recordings, task.validation.every_step)
            costs[number] = costs_of(config)
            if point.kind == "found" and (plan.device or plan.config is None):
                chosen, costs[number] = off_the_floor(plan, point.candidate, costs[number], costs_of)
                point = replace(point, candidate=chosen)
                floors[number] = floor(plan, chosen, costs[number], costs_of)
                config = costs[number].compiled.config
            scores[number] = {
                name: evaluate(bundle, split, task.metric)
                for name, split in (("validation", task.validation), ("test", task.test))
            }
            if point.kind == "found":
                problem = _beyond(plan, task.metric, costs[number], scores[number]["validation"])
        if problem:
            costs.pop(number, None)
            rows.append(Row("point_infeasible", "reason", problem, _at(number, point), seed))
            continue
        settled[number] = point
        by_config.setdefault(config, []).append(number)
    found: dict[int, tuple[Verification, Verification]] = {}
    for config, numbers in by_config.items():
        wanted = [run for k in numbers for run in (costs[k].measurement, costs[k].proof)]
        results = iter(measure(config, wanted, progress=within(progress, "finished points")))
        found |= {k: (next(results), next(results)) for k in numbers}
    for number, each in costs.items():
        rows += _rows(number, settled[number], each, scores[number], *found[number], task.metric, seed)
        if text := floors.get(number):
            rows.append(Row("point_floor", "text", text, _at(number, settled[number]), seed))
    return rows


def _costs(
    bundle: Bundle, recordings: Sequence[np.ndarray], every_step: bool, config: AcceleratorConfig
) -> Costs:
    return Costs.of(bundle, config, recordings, every_step)


def _beyond(plan: Plan, metric: Metric, costs: Costs, score: float) -> str:
    """Say which limits a point exceeds."""
    limit = plan.search.limits.score
    if limit is not None and metric.quality(score) < metric.quality(limit):
        return f"validation {score:.6g} {metric.unit}, {limit:.6g} are asked for"
    return exceeding(costs, plan.search.limits)


def _at(number: int, point: Point) -> dict:
    return {"point": number, "model": point.name, "kind": point.kind, "candidate": point.candidate}


def _rows(
    number: int,
    point: Point,
    costs: Costs,
    scores: Mapping[str, float],
    measured: Verification,
    proof: Verification,
    metric: Metric,
    seed: int,
) -> Iterator[Row]:
    bundle = costs.bundle
    at = _at(number, point)

    def row(name: str, measure: str, value: float | str, **more) -> Row:
        return Row(f"point_{name}", measure, value, at | more, seed)

    for split, score in scores.items():
        yield score_row("point_score", metric, score, at | {"split": split}, seed)
    yield row("cycles_predicted", CYCLES, costs.cycles)
    yield row("cycles_measured", CYCLES, measured.cycles_per_step)
    yield row("stored_bits", "bits", costs.stored_bits)
    yield row("macs", MACS, costs.macs)
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
    for k, layer in enumerate(bundle.layers):
        yield row("hidden", "units", layer.hidden_size, layer=f"layer{k}")
    for name, values in measured.counters.items():
        yield row("counter", CYCLES, sum(values) / costs.steps, counter=name)
    if point.kind == "found":
        for later, ops in enumerate(costs.steady_steps()):
            for op in ops:
                described = costs.compiled.image.program[op.op]
                where = {
                    "op": op.op,
                    "opcode": described.opcode.name,
                    "what": described.name,
                    "unit": OP_UNITS[described.opcode],
                    "issue": op.issue,
                    "first": op.first,
                    "last": op.last,
                    "later": bool(later),
                }
                yield row("op", "cycles", op.last - op.first + 1, **where)
