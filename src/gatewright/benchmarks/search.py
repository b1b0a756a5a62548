"""Benchmarks of searching: methods, spaces and proxies beside each other, and what discretising costs."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gatewright.benchmarks.compare import (
    SPACES,
    Memory,
    Tried,
    best_so_far,
    by_cycles,
    by_macs,
    by_reward,
    front_of,
    gradient_search,
    log_hypervolume,
    search,
)
from gatewright.cosim.search.evaluate import Evaluation, Evaluator
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.hardware import space_config
from gatewright.cosim.search.rows import CYCLES, MACS
from gatewright.cosim.search.settings import BANDITS, Method, SearchSettings
from gatewright.errors import ConfigError, DataError
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, score_row
from gatewright.sw.models import FloatModel
from gatewright.sw.search.differentiable import discretisation_rows
from gatewright.sw.search.settings import EntropySettings, SuperSettings
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.tasks import DataSettings, Task, load_task
from gatewright.sw.training import train_float

TIMES = 12
"""Times faster and smaller than the uncompressed 8-bit model: the targets of the reward."""

METHODS: tuple[Method, ...] = (*BANDITS, "tpe", "nsga2", "random")

MODEL_SEED = 1
"""Of the model that methods are compared on. What is ours in them was chosen on seeds 0 and 2."""

TRIALS = 50
"""Candidates that each method may try."""

PROXY_TRIALS = 200
"""Candidates of each front that proxies are compared by."""

SECONDS = 30.0
"""Seconds of evaluation that each space may take."""

BELOW = {"accuracy": 10.0, "bits": 0.5}
"""How much worse than the uncompressed model a point of the hypervolume may be."""

SMALL_TEXT = {"hidden": 64, "epochs": 16}
"""How a model of an excerpt is trained."""

EXCERPT = 150_000
"""Characters of a text that a search takes."""

KEPT = (8, 16, 32)
"""Components that the differentiable search keeps."""


class Workbench(NamedTuple):
    """A trained model with its super network, and all that evaluates its candidates.

    Parameters
    ----------
    task : Task
    dense : FloatModel
    space : SearchSpace
        Of all matrices.
    reference : Evaluation
        The uncompressed 8-bit model.
    settings : SearchSettings
        With targets from the reference.
    evaluate : Memory
    measured : Memory
        The same at RTL level.
    predicted : Evaluator
        Evaluates by the cycle model, without a memory.
    prepared : float
        Seconds that training the super network took.
    """

    task: Task
    dense: FloatModel
    space: SearchSpace
    reference: Evaluation
    settings: SearchSettings
    evaluate: Memory
    measured: Memory
    predicted: Evaluator
    prepared: float


@contextmanager
def workbench(
    task: str,
    seed: int,
    progress: Progress = silent,
    *,
    training: dict | None = None,
    sandwich: SuperSettings | None = None,
    lanes: int = SearchSpace.lanes,
    trials: int = TRIALS,
    rtl: bool = False,
) -> Iterator[Workbench]:
    """Train a model and its super network.

    Parameters
    ----------
    task : str
        Name or path, see `load_task`.
    seed : int
        Of the splits and of all training.
    progress : Progress
    training : dict, optional
        Fields of `TrainSettings` that are not to be the task's own.
    sandwich : SuperSettings, optional
        All but the seed.
    lanes : int
    trials : int
        Candidates that a search may try.
    rtl : bool
        Whether `Workbench.measured` will be asked: it needs a simulation.
    """
    data = load_task(task, seed=seed)
    dense = train_float(data, replace(data.training, seed=seed, **(training or {})), progress)
    space = SearchSpace.of(dense.network, "matrix", lanes=lanes)
    plan = Plan(
        data=DataSettings(task, seed=seed),
        space=space,
        search=SearchSettings(seed=seed, measure=False),
        sandwich=replace(sandwich or SuperSettings(), seed=seed),
        tune=data.compression,
        config=space_config(data, dense, space),
    )
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        root = Path(temporary)
        StudyFolder.create(root / "predicted", plan, dense)
        predicted = Evaluator(root / "predicted")
        begin = time.perf_counter()
        predicted.prepare(0, [], progress)
        prepared = time.perf_counter() - begin
        measured_plan = replace(plan, search=replace(plan.search, measure=True))
        folder = StudyFolder.create(root / "measured", measured_plan, dense)
        folder.supernet(0).symlink_to(root / "predicted" / folder.supernet(0).name)
        measured = Evaluator(root / "measured")
        if rtl:
            measured.prepare(0, [], progress)
        reference = predicted(space.largest, 0)
        if not isinstance(reference, Evaluation):
            raise ConfigError(f"the uncompressed model has no hardware: {reference.reason}")
        settings = replace(
            plan.search,
            trials=trials,
            target_cycles=reference.cycles / TIMES,
            target_bits=reference.stored_bits / TIMES,
        )
        yield Workbench(
            data,
            dense,
            space,
            reference,
            settings,
            Memory(predicted, settings.reward),
            Memory(measured, settings.reward),
            predicted,
            prepared,
        )


def bench_methods(
    progress: Progress = silent, seeds: Sequence[int] = range(5), *, task: str = "digits", **making
) -> list[Row]:
    """Search with every method and seed, at equal budget, for the largest reward.

    All candidates come from one super network. The differentiable search trains weights of its own: it gets the seconds
    that the others take on average, and those of the super network.

    Returns
    -------
    list of Row
        ``method_progress``: largest reward behind each trial; ``method_reward``: the final one; ``method_seconds``.
    """
    rows: list[Row] = []
    with workbench(task, MODEL_SEED, progress, **making) as bench:
        for seed in seeds:
            spent = []
            for method in METHODS:
                settings = replace(bench.settings, method=method, seed=seed, spread=0.0)
                tried = search(bench.space, settings, bench.evaluate, by_reward)
                spent.append(tried[-1].seconds)
                rows += _method_rows(method, tried, seed)
                progress("methods", len(rows), 0, f"{method}, seed {seed}")
            budget = bench.prepared + float(np.mean(spent))
            tried = gradient_search(replace(bench.predicted, seed=seed), bench.settings.reward, budget)
            rows += _method_rows("entropy", tried, seed)
    return rows


def bench_spaces(
    progress: Progress = silent,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    tasks: Mapping[str, dict],
    seconds: float = SECONDS,
) -> list[Row]:
    """Search ranks, widths and densities together, each alone, and one after the other, in equal time.

    Parameters
    ----------
    progress : Progress
    seeds : sequence of int
        Of the splits, the training and the search.
    tasks : dict
        By name or path, the other arguments of `workbench`.
    seconds : float
        Of evaluation, for each.

    Returns
    -------
    list of Row
        ``hypervolume`` of quality, cycles and stored bits, see `compare.log_hypervolume`; ``candidates`` tried.
    """
    rows: list[Row] = []
    for task, making in tasks.items():
        for seed in seeds:
            with workbench(task, seed, within(progress, f"seed {seed}"), **making) as bench:
                for name, run in SPACES.items():
                    settings = replace(bench.settings, method="tpe", trials=10_000)
                    tried = run(bench.space, settings, bench.evaluate, by_cycles, seconds)
                    volume = log_hypervolume(tried, bench.reference, BELOW[bench.task.metric.name])
                    at = {"space": name, "task": bench.task.name, "seconds": seconds}
                    unit = f"{bench.task.metric.unit} octaves²"
                    rows.append(Row("hypervolume", unit, volume, at, seed))
                    distinct = {tuple(each.candidate.items()) for each in tried}
                    rows.append(Row("candidates", "candidates", len(distinct), at, seed))
                    progress("spaces", len(rows), 0, f"{bench.task.name}, {name}: {volume:.1f}")
    return rows


def bench_both_spaces(text: Path, progress: Progress = silent) -> list[Row]:
    """Do what `bench_spaces` does on spoken digits and on the beginning of a text.

    Raises
    ------
    DataError
        The file is no text.
    """
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        excerpt = Path(temporary) / text.name
        try:
            excerpt.write_text(text.read_text(encoding="utf-8")[:EXCERPT], encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{text}: not a text in UTF-8 that can be read ({error})") from error
        return bench_spaces(progress, tasks={"digits": {}, str(excerpt): {"training": SMALL_TEXT}})


def bench_proxies(
    progress: Progress = silent,
    *,
    task: str = "digits",
    seed: int = 0,
    trials: int = PROXY_TRIALS,
    **making,
) -> list[Row]:
    """Search for a front by cycles and by multiply-accumulates; both fronts are then measured at RTL level.

    Returns
    -------
    list of Row
        ``proxy_point_score``, ``_cycles`` (measured), ``_stored_bits`` and ``_macs`` of every point;
        ``proxy_hypervolume`` as `compare.log_hypervolume` gives it; and ``proxy_dominated``: the share of a front
        that the other dominates.
    """
    rows: list[Row] = []
    with workbench(task, seed, progress, trials=trials, rtl=True, **making) as bench:
        settings = replace(bench.settings, method="nsga2", seed=seed)
        fronts = {
            name: front_of(search(bench.space, settings, bench.evaluate, objective), objective)
            for name, objective in (("cycles", by_cycles), ("macs", by_macs))
        }
        measured = {name: _measured(front, bench.measured) for name, front in fronts.items()}
        metric = bench.task.metric
        for name, front in measured.items():
            for number, each in enumerate(front):
                at = {"scored_by": name, "point": number}
                rows += [
                    score_row("proxy_point_score", metric, each.found.score, at, seed),
                    Row("proxy_point_cycles", CYCLES, each.found.cycles, at, seed),
                    Row("proxy_point_stored_bits", "bits", each.found.stored_bits, at, seed),
                    Row("proxy_point_macs", MACS, each.found.macs, at, seed),
                ]
            volume = log_hypervolume(front, bench.reference, BELOW[metric.name])
            at = {"scored_by": name}
            rows.append(Row("proxy_hypervolume", f"{metric.unit} octaves²", volume, at, seed))
            (other,) = (each for by, each in measured.items() if by != name)
            rows.append(Row("proxy_dominated", "share", _beaten(front, other), at, seed))
    return rows


def bench_discretisation(
    progress: Progress = silent, *, task: str = "digits", seeds: Sequence[int] = (0, 1)
) -> list[Row]:
    """Measure what discretising a differentiable search costs, with and without entropy losses.

    Gives the rows of `discretisation_rows`.
    """
    data = load_task(task, seed=0)
    dense = train_float(data, data.training, progress)
    return discretisation_rows(data, dense, EntropySettings(), KEPT, seeds, progress)


def _method_rows(method: str, tried: Sequence[Tried], seed: int) -> list[Row]:
    rewards = list(best_so_far(tried))
    rows = [
        Row("method_progress", "points", reward, {"method": method, "trials": number}, seed)
        for number, reward in enumerate(rewards, 1)
    ]
    at = {"method": method, "trials": len(tried)}
    if not tried:
        return []
    return [
        *rows,
        Row("method_reward", "points", rewards[-1], at, seed),
        Row("method_seconds", "seconds", tried[-1].seconds, at, seed),
    ]


def _measured(front: Sequence[Tried], evaluate: Memory) -> list[Tried]:
    found = [(each, evaluate(each.candidate)) for each in front]
    return [replace(each, found=result) for each, result in found if isinstance(result, Evaluation)]


def _beaten(front: Sequence[Tried], other: Sequence[Tried]) -> float:
    """Give the share of a front that another dominates, in quality, measured cycles and bits."""
    kept = {id(each) for each in front_of([*front, *other])}
    return sum(id(each) not in kept for each in front) / len(front)
