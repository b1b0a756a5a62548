"""Regret: what methods miss of a space whose candidates are all known.

The space of the digits is evaluated once, every candidate as it is cut out of one super network. Searches then look
candidates up, so that many seeds of every method take minutes.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from gatewright.benchmarks.compare import Tried, every, front_of, log_hypervolume
from gatewright.benchmarks.opponents.arena import SEARCHES, Arena
from gatewright.benchmarks.opponents.problem import Problem, uncompressed
from gatewright.benchmarks.opponents.scale import DIGITS, Scale
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.settings import SearchSettings
from gatewright.errors import ConfigError, RunFolderError
from gatewright.progress import Progress, silent
from gatewright.results import Row, score_row
from gatewright.storage import whole_file
from gatewright.sw.metrics import Metric
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.tasks import Task

MODEL_SEED = 1
"""Of the model whose space is enumerated. What is ours in methods was tuned on seed 0."""

TRIALS = 200
"""Distinct candidates that each method may try."""

SEEDS = range(20)

SMALL = replace(DIGITS, hidden=())
"""All layers keep their units: with the shares of units the space would be six times as large."""

_TOLD = 100
"""Candidates between two reports of progress."""

_COLUMNS = ("score", "quality", "cycles", "stored_bits", "macs")
_PLACES = 4
"""Decimal places of a table's numbers."""


class Table:
    """Every candidate of a space with what it was found to be: an `Ask` that takes no time.

    Parameters
    ----------
    space : SearchSpace
    tried : iterable of Tried
        All models of the space that have a result.
    """

    def __init__(self, space: SearchSpace, tried: Iterable[Tried]):
        self.space = space
        self._tried = {space.key(each.candidate): each for each in tried}

    def __call__(self, candidate: Candidate) -> Evaluation | Infeasible:
        """Return what a candidate was found to be."""
        tried = self._tried.get(self.space.key(candidate))
        return Infeasible("no hardware, or it diverged") if tried is None else tried.found

    def all(self) -> list[Tried]:
        """Return all models that have a result."""
        return [*self._tried.values()]

    def save(self, path: Path) -> None:
        """Write the table as columns, in the order of `every`."""
        found = [self(candidate) for candidate in every(self.space)]
        columns = {
            name: [
                None if isinstance(each, Infeasible) else round(getattr(each, name), _PLACES)
                for each in found
            ]
            for name in _COLUMNS
        }
        with whole_file(path) as partial:
            partial.write_text(json.dumps({"space": self.space.to_json(), **columns}, separators=(",", ":")))

    @classmethod
    def load(cls, path: Path) -> "Table":
        """Read a table.

        Raises
        ------
        RunFolderError
            It is malformed.
        """
        try:
            values = json.loads(path.read_text())
            space = SearchSpace.from_json(values["space"])
            columns = [values[name] for name in _COLUMNS]
            tried = [
                Tried(candidate, Evaluation(score, quality, bits, cycles, None, macs, 0.0, 0.0, 0), 0.0)
                for candidate, score, quality, cycles, bits, macs in zip(every(space), *columns, strict=True)
                if score is not None
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(
                f"{path}: no table of a space ({error!r}); delete it to make it again"
            ) from error
        return cls(space, tried)


def bench_regret(
    folder: Path,
    progress: Progress = silent,
    seeds: Sequence[int] = SEEDS,
    *,
    source: str = "digits",
    scale: Scale = SMALL,
    trials: int = TRIALS,
) -> list[Row]:
    """Enumerate the digits' space, if the folder has no table of it yet, and give every method's regret.

    Parameters
    ----------
    folder : Path
        Keeps ``space.json`` and what it was made of; a run that was killed goes on where it was.
    progress : Progress
    seeds : sequence of int
        Of the searches.
    source : str
    scale : Scale
    trials : int

    Returns
    -------
    list of Row
        ``true_hypervolume``, as `compare.log_hypervolume` has it, of the distinct ``candidates`` that have a result, of
        so many ``combinations``; and the true front, ``true_front_score``, ``_cycles`` and ``_stored_bits``; for each
        method and seed ``regret``: the share of that volume which it misses.

    Raises
    ------
    ConfigError
        No candidate is good enough to count.
    RunFolderError
        The folder holds something else.
    """
    folder = Path(folder)
    problem = Problem.prepare(source, MODEL_SEED, folder / "model", scale, progress)
    path = folder / "space.json"
    if not path.exists():
        enumerate_space(problem, folder, progress).save(path)
    table = Table.load(path)
    reference = uncompressed(table.space, table)
    settings = replace(problem.settings(reference, 0), trials=trials)
    at = {"task": problem.task.name, "combinations": table.space.size, "candidates": len(table.all())}
    volume = log_hypervolume(whole := front_of(table.all()), reference, scale.below)
    if not volume:
        raise ConfigError(
            f"no candidate of {problem.task.name} is within {scale.below} {problem.task.metric.unit} of the "
            "uncompressed model, so there is nothing to miss: train the super network longer"
        )
    rows = [Row("true_hypervolume", f"{problem.task.metric.unit} octaves²", volume, at, MODEL_SEED)]
    rows += _front_rows(problem.task, whole, at)
    for number, (method, seed) in enumerate(product(SEARCHES, seeds), 1):
        regret = regret_of(method, table, replace(settings, seed=seed), reference, scale.below, volume)
        rows.append(Row("regret", "share", regret, at | {"method": method, "trials": trials}, seed))
        progress("regret", number, len(SEARCHES) * len(seeds), f"{method}, seed {seed}: {100 * regret:.1f} %")
    return rows


def enumerate_space(problem: Problem, folder: Path, progress: Progress = silent) -> Table:
    """Evaluate every candidate as it is cut out of the super network; what is known is not evaluated again."""
    known, tried = problem.quick(folder), []
    for number, candidate in enumerate(every(problem.space), 1):
        each = known(candidate)
        if isinstance(each, Evaluation):
            tried.append(Tried(candidate, each, 0.0))
        if number % _TOLD == 0 or number == problem.space.size:
            progress("enumerate", number, problem.space.size, "")
    return Table(problem.space, tried)


def regret_of(
    method: str, table: Table, settings: SearchSettings, reference: Evaluation, below: float, volume: float
) -> float:
    """Return the share of the true hypervolume that a method's candidates miss."""
    tried = SEARCHES[method](Arena(table.space, settings, table))
    return 1 - log_hypervolume(front_of(tried), reference, below) / volume


def _front_rows(task: Task, front: Sequence[Tried], at: dict) -> Iterator[Row]:
    metric: Metric = task.metric
    for number, each in enumerate(sorted(front, key=lambda each: -each.found.quality)):
        here = at | {"point": number, "candidate": each.candidate}
        yield score_row("true_front_score", metric, each.found.score, here, MODEL_SEED)
        yield Row("true_front_cycles", "cycles per step", each.found.cycles, here, MODEL_SEED)
        yield Row("true_front_stored_bits", "bits", each.found.stored_bits, here, MODEL_SEED)
