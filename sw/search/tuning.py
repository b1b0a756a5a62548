"""Adjust the hyper-parameters of any training by the worth of their values, the domain of its source.

Source: CN108764455A (2018), see `worth`: a range and a number of samples for each hyper-parameter; n times update the
worths, sample values, train, evaluate. Ours: the journal, so that it goes on where it was left; that equal values are
not trained twice, as a training follows from its seed; and that a training that diverges is worth the least.
"""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from gatewright.errors import DivergenceError, RunFolderError
from gatewright.executors import Workers
from gatewright.progress import Progress, silent
from gatewright.sw.metrics import Metric
from gatewright.sw.search.journal import fail_running, journal
from gatewright.sw.search.linear import LinearBanditSampler
from gatewright.sw.search.settings import Candidates, Number, Range, TuneSettings
from gatewright.sw.search.worth import WorthSampler, separate_optima, worths

Values = dict[str, Number]
"""One value for every hyper-parameter."""

Train = Callable[[Values], float]
"""Trains with some values, and returns the validation score; must travel to worker processes."""

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_ASKED, _SEPARATE, _SCORE, _SECONDS = "asked", "separate_optima", "score", "seconds"


@dataclass(frozen=True)
class Tried:
    """Values that were trained with.

    Parameters
    ----------
    values : Values
    score : float or None
        Validation score; None where training diverged.
    seconds : float
        That the training took; 0 where equal values had been trained with before.
    """

    values: Values
    score: float | None
    seconds: float


@dataclass(frozen=True)
class Tuned:
    """What was found.

    Parameters
    ----------
    trials : tuple of Tried
        In order.
    worths : dict of dicts
        Mean score of the trials that had a value, by hyper-parameter and value.
    best : Tried
        The trial with the best score, of equal ones the first.
    separate : Tried
        The combination of the separate optima, trained once.
    metric : Metric
        Of the scores.
    """

    trials: tuple[Tried, ...]
    worths: dict[str, dict[Number, float]]
    best: Tried
    separate: Tried
    metric: Metric

    @property
    def chosen(self) -> Tried:
        """The better of both; of equal ones the best trial."""
        return max((self.best, self.separate), key=lambda each: _quality(each, self.metric))


def tune(
    train: Train,
    candidates: Candidates,
    metric: Metric,
    settings: TuneSettings,
    path: Path,
    asked: Mapping[str, Any],
    workers: Workers,
    progress: Progress = silent,
) -> Tuned:
    """Train as often as is asked for, or go on where that was left.

    With one worker the trials are the same, however often it was stopped.

    Parameters
    ----------
    train : Train
    candidates : Candidates
    metric : Metric
        Of the scores.
    settings : TuneSettings
        More trials may be asked for later.
    path : Path
        Of the journal; one process at a time may have it.
    asked : dict
        What is trained on what; plain JSON values. A journal with other notes is refused.
    workers : Workers
    progress : Progress

    Raises
    ------
    RunFolderError
        The journal is that of something else.
    DivergenceError
        All trainings diverged.
    """
    return _Tuning(train, candidates, metric, settings, path, asked, progress).run(workers)


def sampler(settings: TuneSettings) -> BaseSampler:
    """Return the bandit of a method."""
    if settings.method == "linear":
        return LinearBanditSampler(settings.seed, settings.samples)
    return WorthSampler(settings.seed, settings.samples, rule=settings.method)


class _Tuning:
    """Keeps the workers busy, and remembers what was found."""

    def __init__(
        self,
        train: Train,
        candidates: Candidates,
        metric: Metric,
        settings: TuneSettings,
        path: Path,
        asked: Mapping[str, Any],
        progress: Progress,
    ):
        self._train, self._metric, self._settings, self._progress = train, metric, settings, progress
        self._distributions = {name: _distribution(each) for name, each in candidates.items()}
        # Its own progress says what Optuna would.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            study_name="tune", storage=journal(path), direction="maximize", load_if_exists=True
        )
        notes = {"candidates": {name: repr(each) for name, each in candidates.items()}, **asked}
        notes |= {"method": settings.method, "samples": settings.samples, "seed": settings.seed}
        notes = json.loads(json.dumps(notes))
        if self._study.user_attrs.setdefault(_ASKED, notes) != notes:
            raise RunFolderError(f"{path.parent} holds the tuning of something else; choose another folder")
        self._study.set_user_attr(_ASKED, notes)
        fail_running(self._study)
        self._study.sampler = sampler(settings)
        # Of equal values the first counts: it is the one that was trained.
        self._known = {_key(each.values): each for each in reversed(self._finished())}
        self._pending: dict[Future, list[optuna.Trial]] = {}
        self._asked: dict[tuple, Future] = {}

    def run(self, workers: Workers) -> Tuned:
        """Train to the end."""
        while True:
            done = self._finished()
            self._tell_progress(done)
            under_way = sum(map(len, self._pending.values()))
            if len(done) + under_way < self._settings.trials and len(self._pending) < workers.slots():
                self._ask(workers)
            elif self._pending:
                self._collect()
            else:
                break
        best = max(done, key=lambda each: _quality(each, self._metric))
        if best.score is None:
            raise DivergenceError(f"all {len(done)} trainings diverged: ask for smaller learning rates")
        means = {
            name: {value: self._metric.quality(worth) for value, worth in by_value.items()}
            for name, by_value in worths(self._study).items()
        }
        return Tuned(tuple(done), means, best, self._separate(workers, len(done)), self._metric)

    def _ask(self, workers: Workers) -> None:
        trial = self._study.ask(self._distributions)
        key = _key(trial.params)
        if key in self._known:
            self._tell(trial, self._known[key].score, 0.0)
        elif key in self._asked:
            self._pending[self._asked[key]].append(trial)
        else:
            future = workers.executor.submit(_timed, self._train, dict(trial.params))
            self._pending[future], self._asked[key] = [trial], future

    def _collect(self) -> None:
        done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda each: self._pending[each][0].number):
            score, seconds = future.result()
            first, *others = self._pending.pop(future)
            self._known[_key(first.params)] = Tried(dict(first.params), score, seconds)
            self._tell(first, score, seconds)
            for each in others:
                self._tell(each, score, 0.0)

    def _tell(self, trial: optuna.Trial, score: float | None, seconds: float) -> None:
        trial.set_user_attr(_SCORE, score)
        trial.set_user_attr(_SECONDS, seconds)
        if score is None:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, self._metric.quality(score))

    def _separate(self, workers: Workers, trials: int) -> Tried:
        """Train once with the combination of the separate optima of so many trials, unless it was trained with."""
        values = separate_optima(self._study)
        notes = self._study.user_attrs.get(_SEPARATE)
        if _key(values) in self._known:
            return self._known[_key(values)]
        if notes is None or notes["trials"] != trials:
            score, seconds = workers.executor.submit(_timed, self._train, values).result()
            notes = {"trials": trials, _SCORE: score, _SECONDS: seconds}
            self._study.set_user_attr(_SEPARATE, notes)
        return Tried(values, notes[_SCORE], notes[_SECONDS])

    def _finished(self) -> list[Tried]:
        return [
            Tried(dict(each.params), each.user_attrs[_SCORE], each.user_attrs[_SECONDS])
            for each in self._study.get_trials(deepcopy=False, states=_FINISHED)
        ]

    def _tell_progress(self, done: list[Tried]) -> None:
        best = max(done, key=lambda each: _quality(each, self._metric), default=None)
        remark = "" if best is None or best.score is None else f"best {best.score:.4g} {self._metric.unit}"
        self._progress("tune", len(done), self._settings.trials, remark)


def _distribution(candidates: Range | tuple[Number, ...]) -> BaseDistribution:
    if not isinstance(candidates, Range):
        return CategoricalDistribution(candidates)
    low, high, log = candidates.low, candidates.high, candidates.logarithmic
    if candidates.whole:
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)


def _timed(train: Train, values: Values) -> tuple[float | None, float]:
    begin = time.perf_counter()
    try:
        score = train(values)
    except DivergenceError:
        score = None
    return score, time.perf_counter() - begin


def _quality(tried: Tried, metric: Metric) -> float:
    return float("-inf") if tried.score is None else metric.quality(tried.score)


def _key(values: Values) -> tuple:
    return tuple(sorted(values.items()))
