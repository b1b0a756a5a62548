"""The loop of a study: ask for a candidate, have it evaluated, tell what was found; round after round.

Source: CN112771545A (2021) samples a sub-network of a super network, evaluates it, searches for a target combination
of hyper-parameters, updates the super network with it, and goes back until the evaluation meets a preset condition.
Ours: rounds of many trials between updates, the exchangeable samplers, and the latency that is measured on the RTL.
"""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatewright.cosim.search.evaluate import Evaluator
from gatewright.cosim.search.evaluation import Evaluate, Evaluation, Infeasible
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.interrupts import Interrupts
from gatewright.cosim.search.pareto import dominated
from gatewright.cosim.search.records import Record, Records, UnderWay, best
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
from gatewright.sw.search.distinct import Key
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

    The trials are the same with any number of processes, however often the study was stopped or killed and resumed:
    see `SearchSettings.at_once`. Ctrl-C ends it with what is finished.

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
    """Count the most trials in a row since `before` that raised neither the best reward nor the front's hypervolume.

    Those that were under way when there were enough may have raised it: that does not take back the end.
    """
    points: list[tuple[float, float, float]] = []
    top, stale, most = -math.inf, 0, 0
    for number, each in enumerate(records):
        stale = stale + 1 if number > before else 1
        if isinstance(each.found, Evaluation):
            point = each.found.point
            if each.found.reward > top or (point not in points and not dominated(point, points)):
                top, stale = max(top, each.found.reward), 0
                points.append(point)
        if number >= before:
            most = max(most, stale)
    return most


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
        self._parameters, self._key = distributions(plan.space), plan.space.key
        self._round = -1
        self._written, self._told = -math.inf, -1
        self._under_way: dict[int, UnderWay] = {}
        self._pending: dict[Future, list[int]] = {}
        self._asked: dict[Key, Future] = {}
        self._known: dict[Key, Evaluation | Infeasible] = {}

    def run(self, found: Workers) -> str:
        """Run trials to the study's end; says why it ended."""
        self._take_up(found)
        reason = ""
        while True:
            self._tell_progress()
            reason = reason or stopping(self._records.told(), self._plan.search, self._metric)
            place = None if reason else self._next()
            if self._tell_before(self._known_to(place)):
                continue
            slots = min(found.slots(), self._plan.search.at_once)
            if place is not None and len(self._pending) < slots and not self._waits(place):
                self._ask(found, place)
            elif self._pending:
                self._collect()
            else:
                break
        self._combine(found)
        return reason

    def _next(self) -> int | None:
        """Give the first place in the order of trials that is free."""
        taken = self._records.places()
        return next((place for place in range(self._plan.search.all_trials) if place not in taken), None)

    def _known_to(self, place: int | None) -> float:
        """Give the place before which all results are known to the trial at a place; without one, all are told.

        The first of a round knows all, as the round's weights follow from them.
        """
        if place is None:
            return math.inf
        search = self._plan.search
        places = range(max(0, place - search.at_once + 1), place + 1)
        return next(each for each in places if search.round_of(each) == search.round_of(place))

    def _tell_before(self, place: float) -> bool:
        """Tell the sampler the result of the first trial under way, if that is before a place and its result there."""
        first = min(self._under_way.values(), key=lambda each: each.place, default=None)
        if first is None or first.place >= place or first.found is None:
            return False
        self._records.tell(first.trial, first.found)
        del self._under_way[first.place]
        return True

    def _waits(self, place: int) -> bool:
        """Whether a trial at a place may not be proposed yet."""
        return min(self._under_way, default=place) < self._known_to(place)

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

    def _ask(self, found: Workers, place: int) -> None:
        """Begin the next trial."""
        search = self._plan.search
        round = search.round_of(place)
        self._begin(round)
        self._records.study.sampler = sampler(search, self._plan.space, place)
        free = search.method == "entropy" and place >= len(search.known)
        trial = self._records.ask(place, round, {} if free else self._parameters)
        self._submit(found, UnderWay(trial, place, round))

    def _take_up(self, found: Workers) -> None:
        """Go on with the trials that were under way when the study was left."""
        free = self._plan.search.method == "entropy"
        left = self._records.under_way(None if free else self._parameters)
        for each in left:
            self._under_way[each.place] = each
        for each in left:
            if each.found is None:
                self._begin(each.round)
                self._submit(found, each)

    def _submit(self, found: Workers, each: UnderWay) -> None:
        """Have a trial evaluated, unless its candidate is known, or under way, in its round."""
        self._under_way[each.place] = each
        candidate = each.trial.params
        if not candidate:
            future = self._start(found, self._evaluate.by_gradient, each.place, each.round)
        elif (key := self._key(candidate)) in self._known:
            self._keep(each.place, self._known[key], copied=True)
            return
        elif key in self._asked:
            self._pending[self._asked[key]].append(each.place)
            return
        else:
            future = self._start(found, _evaluated, self._evaluate, candidate, each.round)
            self._asked[key] = future
        self._pending[future] = [each.place]

    def _start(self, found: Workers, work: Callable, *given: Any) -> Future:
        with self._interrupts.allowed():
            return found.executor.submit(work, *given)

    def _begin(self, round: int) -> None:
        """Prepare a round, once: the next has other weights, so that rounds do not overlap."""
        if round == self._round:
            return
        finished = self._records.finished()
        target = best([each for each in finished if each.round < round])
        with self._interrupts.allowed():
            self._evaluate.prepare(round, [target.candidate] if target else [], self._progress)
        self._round, self._asked = round, {}
        self._known = {self._key(each.candidate): each.found for each in finished if each.round == round}

    def _collect(self) -> None:
        """Wait for an evaluation, and keep what was found."""
        with self._interrupts.allowed():
            done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda each: self._pending[each][0]):
            first, *others = self._pending[future]
            candidate, found = future.result()
            del self._pending[future]
            trial = self._under_way[first].trial
            if not trial.params:
                self._records.settle(trial, candidate, self._parameters)
            self._keep(first, found, copied=False)
            for place in others:
                self._keep(place, found, copied=True)
        if time.monotonic() - self._written > _WRITE_SECONDS:
            self.write()

    def _keep(self, place: int, found: Evaluation | Infeasible, *, copied: bool) -> None:
        each = self._under_way[place]
        self._known.setdefault(self._key(each.trial.params), found)
        found = _again(found) if copied else found
        self._records.keep(each.trial, found, copied=copied)
        self._under_way[place] = replace(each, found=found)

    def _combine(self, found: Workers) -> None:
        """Evaluate the combination of the separate optima, once: it may never have been tried."""
        finished = self._records.finished()
        if self._plan.search.method not in BANDITS or self._records.separate or not best(finished):
            return
        last = max(each.round for each in finished)
        self._begin(last)
        candidate = separate_optima(self._records.study)
        value = self._known.get(self._key(candidate))
        if value is None:
            with self._interrupts.allowed():
                value = found.executor.submit(self._evaluate, candidate, last).result()
        self._records.separate = candidate, value

    def _tell_progress(self) -> None:
        finished = self._records.finished()
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
