"""Does measured latency matter? Fronts found by cycles beside fronts found by multiply-accumulates (MACs).

Each case has one cause that may part the two, and knows all its candidates: every one is cut out of one super network
of the digits, and has its exact cycles. So what MACs lose is their own, and no search's.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from torch import Tensor

from gatewright.benchmarks.compare import every
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.hardware import space_config
from gatewright.cosim.search.pareto import hypervolume, pareto
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.verify import measure
from gatewright.errors import ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, score_row
from gatewright.sw.determinism import one_thread
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.search.parameters import Choices
from gatewright.sw.search.sandwich import train_super
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.search.space import HIDDEN_SHARES, Candidate, SearchSpace
from gatewright.sw.search.supernet import SuperNetwork, candidate_bundle, shortened
from gatewright.sw.tasks import Split, Task, load_task
from gatewright.sw.training import train_float

MODEL_SEED = 1
BELOW = 10.0
"""How many points worse than a case's largest candidate a point may be and count."""

LEVELS = 5
"""Codes of each feature where inputs are coded: four fifths of them are zero."""


@dataclass(frozen=True)
class Case:
    """Candidates that differ in what one cause makes of their cycles.

    Parameters
    ----------
    name : str
        The cause.
    lanes, cell_lanes : int
        Of the accelerator that all of them run on.
    choices : dict of tuples
        Their values, as `SearchSpace` has them; what is not chosen stays whole, in 8 bits.
    coded : bool
        Whether each feature is one of `LEVELS` codes, so that most inputs are zero.
    """

    name: str
    lanes: int
    cell_lanes: int
    choices: Choices
    coded: bool = False


_INPUT, _RECURRENT = "layer0.input", "layer0.recurrent"
_DENSITIES = {
    f"{_INPUT}.density": (0.0625, 0.125, 0.25, 0.5, 1.0),
    f"{_RECURRENT}.density": (0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75, 1.0),
}
_UNITS = {"layer0.hidden": (*range(40, 129, 8),), f"{_RECURRENT}.density": (0.25, 0.5, 0.75, 1.0)}
_RANKS = {
    f"{_INPUT}.rank": (4, 8, None),
    f"{_RECURRENT}.rank": (4, 8, 16, 24, 32, 40, 48, 56, 64, None),
    f"{_RECURRENT}.density": (0.25, 0.5, 0.75, 1.0),
}
_WIDTHS = {
    f"{_INPUT}.bits": (2, 4, 8),
    f"{_RECURRENT}.bits": (2, 4, 8),
    f"{_RECURRENT}.density": (0.0625, 0.125, 0.25, 0.5, 1.0),
}

CASES = (
    Case("density", 4, 1, _DENSITIES),
    Case("density", 32, 8, _DENSITIES),
    Case("padding of hidden units", 128, 8, _UNITS),
    Case("low rank", 4, 1, _RANKS),
    Case("low rank", 32, 8, _RANKS),
    Case("low rank", 128, 8, _RANKS),
    Case("drain of one cell lane", 32, 1, _RANKS),
    Case("narrow weights", 32, 8, _WIDTHS),
    Case("zero inputs", 32, 8, _DENSITIES, coded=True),
)


class Priced(NamedTuple):
    """A candidate with its score, and the costs that it may be chosen by."""

    candidate: Candidate
    score: float
    quality: float
    cycles: float
    macs: int

    @property
    def octaves(self) -> tuple[float, float]:
        """What volumes are of: quality with its sign turned, and octaves of cycles."""
        return -self.quality, math.log2(self.cycles)


@dataclass(frozen=True)
class Workbench:
    """A trained model with its super network, which all candidates of some cases are cut out of.

    Parameters
    ----------
    task : Task
    dense : FloatModel
    supernet : SuperNetwork
    sample : list of tensors
        What formats are calibrated on.
    recordings : list of float arrays [steps, inputs]
        What cycles are told on.
    """

    task: Task
    dense: FloatModel
    supernet: SuperNetwork
    sample: list[Tensor]
    recordings: list[np.ndarray]

    @classmethod
    def trained(cls, task: Task, training: dict, sandwich: SuperSettings, progress: Progress) -> "Workbench":
        """Train both."""
        dense = train_float(task, replace(task.training, seed=sandwich.seed, **training), progress)
        supernet = SuperNetwork.of(dense)
        space = SearchSpace.of(dense.network, "matrix", hidden=HIDDEN_SHARES)
        train_super(task, dense, supernet, space, sandwich, progress)
        apart = max(1, len(task.train) // SearchSettings.calibrated)
        sample = shortened(dense.standardise(task.train.sequences[::apart][: SearchSettings.calibrated]))
        recordings = spread(task.validation, SearchSettings.recordings, SearchSettings.steps)
        return cls(task, dense, supernet, sample, recordings)

    def space(self, case: Case) -> SearchSpace:
        """Give all candidates of a case."""
        whole = SearchSpace.of(self.dense.network)
        return SearchSpace(whole.shapes, case.choices, case.lanes)

    def config(self, case: Case) -> AcceleratorConfig:
        """Give the accelerator of a case: one that holds whatever a model of these shapes may become."""
        space = SearchSpace.of(self.dense.network, "matrix", lanes=case.lanes)
        return space_config(self.task, self.dense, space, cell_lanes=case.cell_lanes)

    def costs(self, space: SearchSpace, config: AcceleratorConfig, candidate: Candidate) -> Costs:
        """Cut a candidate out of the super network and compile it."""
        spec = space.spec(candidate)
        bundle = candidate_bundle(
            self.task, self.dense, self.supernet, spec, self.sample, self.task.compression
        )
        return Costs.of(bundle, config, self.recordings, self.task.validation.every_step)

    @one_thread()
    def priced(self, space: SearchSpace, config: AcceleratorConfig) -> list[Priced]:
        """Evaluate every candidate of a space."""
        found = []
        for candidate in every(space):
            costs = self.costs(space, config, candidate)
            score = evaluate(costs.bundle, self.task.validation, self.task.metric)
            quality = self.task.metric.quality(score)
            found.append(Priced(candidate, score, quality, costs.cycles, costs.macs))
        return found

    def measured(
        self, space: SearchSpace, config: AcceleratorConfig, points: Sequence[Priced], progress: Progress
    ) -> list[Priced]:
        """Run points on the RTL.

        Raises
        ------
        ToolError
            Predicted and measured cycles differ.
        """
        costs = [self.costs(space, config, each.candidate) for each in points]
        found = measure(config, [each.measurement for each in costs], progress=progress)
        for each, verification in zip(costs, found, strict=True):
            if different := each.differences(verification):
                raise ToolError(f"predicted and measured cycles differ: {'; '.join(different)}")
        return [
            point._replace(cycles=each.cycles_per_step) for point, each in zip(points, found, strict=True)
        ]


def bench_latency(
    progress: Progress = silent,
    *,
    cases: Sequence[Case] = CASES,
    task: str = "digits",
    training: dict | None = None,
    sandwich: SuperSettings | None = None,
) -> list[Row]:
    """Evaluate every candidate of each case, and hold what MACs choose against what cycles choose.

    Parameters
    ----------
    progress : Progress
    cases : sequence of Case
    task : str
        Name or path, see `load_task`.
    training : dict, optional
        Fields of `TrainSettings` that are not to be the task's own.
    sandwich : SuperSettings, optional

    Returns
    -------
    list of Row
        For each case ``latency_correlation`` of both costs over all candidates; ``latency_lost`` and ``latency_worst``,
        as `lost` and `worst` have them; and the points of both fronts, measured on the RTL: ``latency_point_score``,
        ``_cycles`` and ``_macs``.

    Raises
    ------
    ToolError
        Predicted and measured cycles of a point differ.
    """
    rows: list[Row] = []
    plain = load_task(task, seed=MODEL_SEED)
    sandwich = sandwich or replace(SuperSettings.of(plain.compression), seed=MODEL_SEED)
    for coding in sorted({case.coded for case in cases}):
        data = coded(plain) if coding else plain
        bench = Workbench.trained(data, training or {}, sandwich, progress)
        for case in cases:
            if case.coded == coding:
                rows += _case_rows(bench, case, within(progress, f"{case.name}, {case.lanes} lanes"))
    return rows


def _case_rows(bench: Workbench, case: Case, progress: Progress) -> Iterator[Row]:
    space, config = bench.space(case), bench.config(case)
    found = bench.priced(space, config)
    fronts = {cost: front(found, cost) for cost in ("cycles", "macs")}
    points = {str(each.candidate): each for each in (*fronts["cycles"], *fronts["macs"])}
    measured = bench.measured(space, config, [*points.values()], progress)
    points = {str(each.candidate): each for each in measured}
    fronts = {cost: [points[str(each.candidate)] for each in chosen] for cost, chosen in fronts.items()}
    at = {"cause": case.name, "lanes": case.lanes, "cell_lanes": case.cell_lanes}
    floor, limit = _limits(found)
    over = at | {"candidates": len(found)}
    tau = kendall([each.cycles for each in found], [each.macs for each in found])
    yield Row("latency_correlation", "Kendall's τ-b", tau, over, MODEL_SEED)
    yield Row("latency_lost", "share", lost(fronts["cycles"], fronts["macs"], limit), over, MODEL_SEED)
    yield Row("latency_worst", "times", worst(fronts["cycles"], fronts["macs"], floor), over, MODEL_SEED)
    for cost, chosen in fronts.items():
        for number, each in enumerate(chosen):
            here = at | {"scored_by": cost, "point": number, "candidate": each.candidate}
            yield score_row("latency_point_score", bench.task.metric, each.score, here, MODEL_SEED)
            yield Row("latency_point_cycles", "cycles per step", each.cycles, here, MODEL_SEED)
            yield Row("latency_point_macs", "multiply-accumulates per step", each.macs, here, MODEL_SEED)


def _limits(found: Sequence[Priced]) -> tuple[float, tuple[float, float]]:
    """Give the least quality that counts, and the point that volumes are measured from."""
    largest = max(found, key=lambda each: each.macs)
    floor = largest.quality - BELOW
    return floor, (-floor, math.log2(max(each.cycles for each in found)))


def front(found: Sequence[Priced], cost: str) -> list[Priced]:
    """Give what no other dominates in quality and a cost, from cheap to dear."""
    points = [(-each.quality, getattr(each, cost)) for each in found]
    return sorted((found[k] for k in pareto(points)), key=lambda each: getattr(each, cost))


def lost(by_cycles: Sequence[Priced], by_macs: Sequence[Priced], limit: tuple[float, float]) -> float:
    """Give the share of the volume of the true front, in points times octaves of cycles, that the other misses."""
    true, other = (hypervolume([each.octaves for each in chosen], limit) for chosen in (by_cycles, by_macs))
    return 1 - other / true if true else 0.0


def worst(by_cycles: Sequence[Priced], by_macs: Sequence[Priced], floor: float) -> float:
    """Give by how many times the point of the fewest MACs takes more cycles than that of the fewest, at the most.

    Both have at least the same quality, whichever above the floor that is.
    """
    ratios = [1.0]
    for wanted in {each.quality for each in (*by_cycles, *by_macs) if each.quality >= floor}:
        fastest = min(each.cycles for each in by_cycles if each.quality >= wanted)
        chosen = min((each for each in by_macs if each.quality >= wanted), key=lambda each: each.macs)
        ratios.append(chosen.cycles / fastest)
    return max(ratios)


def kendall(first: Sequence[float], second: Sequence[float]) -> float:
    """Give Kendall's τ-b of two costs: 1 where they order all candidates alike; 0 where one does not differ."""
    k, j = np.triu_indices(len(first), 1)
    one, other = (np.sign(np.subtract.outer(each, each)[k, j]) for each in (first, second))
    pairs = math.sqrt(np.count_nonzero(one) * np.count_nonzero(other))
    return float((one * other).sum() / pairs) if pairs else 0.0


def coded(task: Task) -> Task:
    """Code each feature by the fifth of the train split that its value is in: one 1 and zeros for each feature."""
    values = np.concatenate(task.train.sequences)
    edges = np.quantile(values, np.arange(1, LEVELS) / LEVELS, axis=0)

    def code(split: Split) -> Split:
        places = [(x[:, None] >= edges).sum(axis=1) for x in split.sequences]
        codes = np.eye(LEVELS, dtype=np.float32)
        return replace(split, sequences=[codes[each].reshape(len(each), -1) for each in places])

    return replace(
        task,
        name=f"{task.name}, coded",
        train=code(task.train),
        validation=code(task.validation),
        test=code(task.test),
        scaled=False,
        training=replace(task.training, noise=0.0, offset=0.0),
        source=None,
    )
