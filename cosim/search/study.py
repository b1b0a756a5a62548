"""The loop of a study: ask for a candidate, have it evaluated, tell what was found; round after round.

Source: CN112771545A (2021) samples a sub-network of a super network, evaluates it, searches for a target combination
of hyper-parameters, updates the super network with it, and goes back until the evaluation meets a preset condition.
Ours: rounds of many trials between updates, the exchangeable samplers, and the latency that is measured on the RTL.
"""

import math
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

import optuna

from gatewright.cosim.search.evaluate import Evaluate, Evaluation, Evaluator, Infeasible
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.interrupts import Interrupts
from gatewright.cosim.search.pareto import dominated
from gatewright.cosim.search.records import Record, Records, best
from gatewright.cosim.search.rows import trial_rows
from gatewright.cosim.search.samplers import distributions, sampler
from gatewright.cosim.search.settings import BANDITS, SearchSettings
from gatewright.errors import Terminated
from gatewright.executors import Workers, workers
from gatewright.progress import Progress, silent
from gatewright.results import write_rows
from gatewright.storage import writing
from gatewright.sw.metrics import Metric
from gatewright.sw.models import FloatModel
from gatewright.sw.search.space import Candidate
from gatewright.sw.search.worth import separate_optima

INTERRUPTED = "interrupted"
"""Why a study stopped that goes on when it is run again."""

_WRITE_SECONDS = 3.0
"""Between two writings of the rows while trials finish."""


@dataclass(frozen=True)
class Outcome:
    """How a study ended.

    Parameters
    ----------
    reason : str
        Why it stopped.
    trials : int
        Finished trials in all.
    best : Record or None
        The trial with the largest reward.
    """

    reason: str
    trials: int
    best: Record | None


def run_study(
    root: Path,
    *,
    processes: int = 1,
    dask: str | None = None,
    progress: Progress = silent,
    evaluate: Evaluate | None = None,
) -> Outcome:
    """Run a study from its beginning or from where it was left, to its end; leaves the rows of all trials.

    With one process the trials are the same, however often the study was stopped or killed and resumed. With
    several, they depend on which trial ends first. Ctrl-C ends it with what is finished.

    Parameters
    ----------
    root : Path
        The folder, as `StudyFolder.create` made it.
    processes, dask
        Who evaluates, as `workers` has it.
    progress : Progress
    evaluate : Evaluate, optional
        What evaluates candidates; the study's own `Evaluator` if left out.

    Raises
    ------
    RunFolderError
        There is no study in the folder, or another process runs it.
    ToolError
        A tool failed, or predicted and measured cycles differ.
    """
    folder = StudyFolder.open(root)
    plan = folder.plan
    interrupts = Interrupts()
    with writing(folder.root), folder.locked(), interrupts.held():
        task = folder.load_task(FloatModel.load(folder.float_model))
        records = Records(folder, plan, task.metric)
        records.fail_running()
        made = evaluate or Evaluator(folder.root.resolve())
        loop = _Loop(folder, plan, task.metric, records, made, interrupts, progress)
        reason = INTERRUPTED
        try:
            with workers(processes, dask) as found:
                reason = loop.run(found)
        except KeyboardInterrupt as error:
            progress("search", len(records.finished()), plan.search.all_trials, INTERRUPTED)
            if isinstance(error, Terminated):
                raise
        except Exception as error:
            reason = f"failed: {error}"
            raise
        finally:
            records.fail_running()
            loop.write(reason)
    finished = records.finished()
    return Outcome(reason, len(finished), best(finished))


def stopping(records: Sequence[Record], search: SearchSettings, metric: Metric) -> str:
    """Say why a study with these finished trials is at its end; nothing while it is not.

    What had ended before trials were added does not end it again.
    """
    before = max((each.finished for each in search.extensions), default=0)
    met = [_meets(each.found, search, metric) for each in records]
    if any(met[before:]) and not any(met[:before]):
        return "all targets are met"
    if search.patience and _stale(records, before) >= search.patience:
        return f"no improvement in {search.patience} trials"
    if len(records) >= search.all_trials:
        return f"all {search.all_trials} trials are done"
    return ""


def _meets(found: Evaluation | Infeasible, search: SearchSettings, metric: Metric) -> bool:
    score, cycles, bits = search.target_score, search.target_cycles, search.target_bits
    if isinstance(found, Infeasible) or score is None or cycles is None or bits is None:
        return False
    return found.quality >= metric.quality(score) and found.cycles <= cycles and found.stored_bits <= bits


def _stale(records: Sequence[Record], before: int) -> int:
    """Count the trials since the last that raised the best reward or the front's hypervolume, or since `before`."""
    points: list[tuple[float, float, float]] = []
    top, stale = -math.inf, 0
    for number, each in enumerate(records):
        stale = stale + 1 if number > before else 1
        if isinstance(each.found, Evaluation):
            point = each.found.point
            if each.found.reward > top or (point not in points and not dominated(point, points)):
                top, stale = max(top, each.found.reward), 0
                points.append(point)
    return stale


class _Loop:
    """Keeps the workers busy, and the rows on disk up to date."""

    def __init__(
        self,
        folder: StudyFolder,
        plan: Plan,
        metric: Metric,
        records: Records,
        evaluate: Evaluate,
        interrupts: Interrupts,
        progress: Progress,
    ):
        self._folder, self._plan, self._metric, self._records = folder, plan, metric, records
        self._evaluate, self._interrupts, self._progress = evaluate, interrupts, progress
        self._parameters = distributions(plan.space)
        self._round = -1
        self._written, self._told = -math.inf, -1
        self._pending: dict[Future, list[optuna.Trial]] = {}
        self._asked: dict[tuple, Future] = {}
        self._known: dict[tuple, Evaluation | Infeasible] = {}

    def run(self, found: Workers) -> str:
        """Run trials to the study's end; says why it ended."""
        reason = ""
        while True:
            finished = self._records.finished()
            self._tell_progress(finished)
            reason = reason or stopping(finished, self._plan.search, self._metric)
            if not reason and len(self._pending) < found.slots() and self._ask(found, finished):
                continue
            if not self._pending:
                break
            self._collect()
        self._combine(found)
        return reason

    def write(self, reason: str = "") -> None:
        """Write the rows of all finished trials."""
        rows = trial_rows(
            self._records.finished(),
            self._records.separate,
            reason,
            self._metric,
            self._plan.search.seed,
        )
        write_rows(self._folder.trials, rows)
        self._written = time.monotonic()

    def _ask(self, found: Workers, finished: Sequence[Record]) -> bool:
        """Begin the next trial; tells whether there is one. Rounds do not overlap, as the next has other weights."""
        search, taken = self._plan.search, self._records.places()
        place = next((place for place in range(search.all_trials) if place not in taken), None)
        if place is None:
            return False
        round = search.round_of(place)
        if round != self._round:
            if self._pending:
                return False
            self._begin(round, finished)
        self._records.study.sampler = sampler(search, place)
        if search.method == "entropy" and place >= len(search.known):
            trial = self._records.ask(place, round, {})
            with self._interrupts.allowed():
                future = found.executor.submit(self._evaluate.by_gradient, place, round)
            self._pending[future] = [trial]
            return True
        trial = self._records.ask(place, round, self._parameters)
        key = self._key(trial.params)
        if key in self._known:
            self._records.tell(trial, _again(self._known[key]), copied=True)
        elif key in self._asked:
            self._pending[self._asked[key]].append(trial)
        else:
            with self._interrupts.allowed():
                future = found.executor.submit(_evaluated, self._evaluate, trial.params, round)
            self._pending[future], self._asked[key] = [trial], future
        return True

    def _begin(self, round: int, finished: Sequence[Record]) -> None:
        target = best([each for each in finished if each.round < round])
        with self._interrupts.allowed():
            self._evaluate.prepare(round, [target.candidate] if target else [], self._progress)
        self._round, self._asked = round, {}
        self._known = {self._key(each.candidate): each.found for each in finished if each.round == round}

    def _collect(self) -> None:
        """Wait for an evaluation, and tell what was found."""
        with self._interrupts.allowed():
            done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda each: self._pending[each][0].number):
            trials = self._pending[future]
            candidate, found = future.result()
            del self._pending[future]
            if not trials[0].params:
                self._records.settle(trials[0], candidate, self._parameters)
            self._known[self._key(candidate)] = found
            for trial in trials:
                copied = trial is not trials[0]
                self._records.tell(trial, _again(found) if copied else found, copied=copied)
        if time.monotonic() - self._written > _WRITE_SECONDS:
            self.write()

    def _combine(self, found: Workers) -> None:
        """Evaluate the combination of the separate optima, once: it may never have been tried."""
        finished = self._records.finished()
        if self._plan.search.method not in BANDITS or self._records.separate or not best(finished):
            return
        last = max(each.round for each in finished)
        if self._round != last:
            self._begin(last, finished)
        candidate = separate_optima(self._records.study)
        key = self._key(candidate)
        if key not in self._known:
            with self._interrupts.allowed():
                self._known[key] = found.executor.submit(self._evaluate, candidate, last).result()
        self._records.separate = candidate, self._known[key]

    def _key(self, candidate: Candidate) -> tuple:
        return tuple(candidate[name] for name in self._parameters)

    def _tell_progress(self, finished: Sequence[Record]) -> None:
        if len(finished) == self._told:
            return
        self._told = len(finished)
        top, remark = best(finished), ""
        if top is not None and isinstance(top.found, Evaluation):
            remark = (
                f"best {top.found.score:.4g} {self._metric.unit}, {top.found.cycles:.1f} cycles per step, "
                f"{top.found.stored_bits:,} bits"
            )
        self._progress("search", len(finished), self._plan.search.all_trials, remark)


def _evaluated(
    evaluate: Evaluate, candidate: Candidate, round: int
) -> tuple[Candidate, Evaluation | Infeasible]:
    """Give a candidate with its evaluation, as the search by gradient does."""
    return candidate, evaluate(candidate, round)


def _again(found: Evaluation | Infeasible) -> Evaluation | Infeasible:
    """Give a result for a trial that it was not made for: it took no time."""
    return replace(found, seconds=0.0) if isinstance(found, Evaluation) else found
