"""The trials of a study, as Optuna keeps them on disk."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.samplers import Given
from gatewright.errors import RunFolderError
from gatewright.sw.metrics import Metric
from gatewright.sw.search.bandit import note
from gatewright.sw.search.journal import journal
from gatewright.sw.search.space import Candidate

DIRECTIONS: tuple[Literal["maximize", "minimize"], ...] = ("maximize", "minimize", "minimize")
"""Of the study's objectives: quality, cycles per step, stored bits."""

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
"""A candidate without hardware is a pruned trial."""

_PLACE, _ROUND, _INFEASIBLE, _COPIED = "place", "round", "infeasible", "copied"
_SEPARATE = "separate_optima"

CYCLES, BITS = "cycles per step", "stored bits"
"""Names of two of the objectives; that of the first is the metric's."""


@dataclass(frozen=True)
class Record:
    """A trial whose result is there.

    Parameters
    ----------
    trial : int
        Its number in Optuna's study.
    round : int
    candidate : Candidate
    found : Evaluation or Infeasible
    copied : bool
        The same model was evaluated in the same round already, and that result counts once more.
    """

    trial: int
    round: int
    candidate: Candidate
    found: Evaluation | Infeasible
    copied: bool


@dataclass(frozen=True)
class UnderWay:
    """A trial that was begun, and that the study's sampler knows no result of yet.

    Parameters
    ----------
    trial : optuna.Trial
    place, round : int
        Where it stands in the order of trials, and in which round.
    found : Evaluation or Infeasible, optional
        The result, once it is there.
    """

    trial: optuna.Trial
    place: int
    round: int
    found: Evaluation | Infeasible | None = None


class Records:
    """The trials of one study on disk; one process at a time writes them.

    A result is kept when it comes, and told to the sampler when its turn has come: see `SearchSettings.at_once`.

    Parameters
    ----------
    folder : StudyFolder
    plan : Plan
    metric : Metric, optional
        Of the task; names the objectives, so that Optuna's own tools show what is what. Readers need not give it.

    Raises
    ------
    RunFolderError
        The storage cannot be read or written.
    """

    def __init__(self, folder: StudyFolder, plan: Plan, metric: Metric | None = None):
        # The study's own progress says what Optuna would.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            self.study = optuna.create_study(
                storage=_storage(folder, plan),
                study_name=plan.name,
                directions=DIRECTIONS,
                load_if_exists=True,
            )
        except Exception as error:
            # Every storage has errors of its own.
            where = plan.storage or folder.journal
            raise RunFolderError(f"{where}: the study can be neither read nor begun ({error!r})") from error
        if metric is not None:
            name = metric.name if metric.more_is_better else f"minus {metric.name}"
            with warnings.catch_warnings():
                # Optuna calls names experimental; its dashboard shows them.
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self.study.set_metric_names([name, CYCLES, BITS])

    def under_way(self, distributions: Mapping[str, CategoricalDistribution] | None) -> list[UnderWay]:
        """Give the trials that were under way when the study was left, in the order of their places.

        A trial that lacks a parameter of `distributions` had hardly begun: it is ended without a result, and its place
        is free again.
        """
        found = []
        for each in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            notes = each.user_attrs
            if _ROUND not in notes or (
                distributions is not None and each.params.keys() != distributions.keys()
            ):
                self.study.tell(each.number, state=TrialState.FAIL)
                continue
            trial = optuna.Trial(self.study, each._trial_id)
            result = _found(notes) if _COPIED in notes else None
            found.append(UnderWay(trial, notes[_PLACE], notes[_ROUND], result))
        return sorted(found, key=lambda each: each.place)

    def places(self) -> set[int]:
        """Give the places in the order of trials that are taken: by all trials that did not fail."""
        trials = self.study.get_trials(deepcopy=False, states=(*_FINISHED, TrialState.RUNNING))
        return {trial.user_attrs[_PLACE] for trial in trials}

    def ask(
        self, place: int, round: int, distributions: Mapping[str, CategoricalDistribution]
    ) -> optuna.Trial:
        """Begin a trial; its parameters are the candidate that the study's sampler proposes."""
        trial = self.study.ask(dict(distributions))
        trial.set_user_attr(_PLACE, place)
        trial.set_user_attr(_ROUND, round)
        return trial

    def settle(
        self, trial: optuna.Trial, candidate: Candidate, distributions: Mapping[str, CategoricalDistribution]
    ) -> None:
        """Give a trial that began without parameters those of a candidate."""
        self.study.sampler = Given(candidate)
        for name, each in distributions.items():
            trial.suggest_categorical(name, each.choices)

    def keep(self, trial: optuna.Trial, found: Evaluation | Infeasible, *, copied: bool) -> None:
        """Keep the result of a trial; `tell` tells it to the sampler."""
        # What says that the result is there comes last.
        for name, value in {**_notes(found), _COPIED: copied}.items():
            trial.set_user_attr(name, value)

    def tell(self, trial: optuna.Trial, found: Evaluation | Infeasible) -> None:
        """Finish a trial whose result is kept."""
        if isinstance(found, Infeasible):
            trial.set_constraint("hardware", 1.0)
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            note(trial, found.reward, found.parts)
            self.study.tell(trial, found.parts)

    @property
    def separate(self) -> tuple[Candidate, Evaluation | Infeasible] | None:
        """The combination of the separate optima and what it was found to be, once that is known.

        It is that of all trials that have finished; with more of them, it is unknown again.
        """
        notes = self.study.user_attrs.get(_SEPARATE)
        if notes is None or notes["trials"] != len(self.finished()):
            return None
        return notes["candidate"], _found(notes)

    @separate.setter
    def separate(self, told: tuple[Candidate, Evaluation | Infeasible]) -> None:
        candidate, found = told
        notes = {"candidate": candidate, "trials": len(self.finished())}
        self.study.set_user_attr(_SEPARATE, notes | _notes(found))

    def finished(self) -> list[Record]:
        """Give all trials whose result is there, in the order of their numbers."""
        trials = self.study.get_trials(deepcopy=False, states=(*_FINISHED, TrialState.RUNNING))
        return [_record(trial) for trial in trials if _COPIED in trial.user_attrs]

    def told(self) -> list[Record]:
        """Give the trials that the sampler knows the result of, in the order of their numbers."""
        return [_record(trial) for trial in self.study.get_trials(deepcopy=False, states=_FINISHED)]


def _record(trial: FrozenTrial) -> Record:
    notes = trial.user_attrs
    return Record(trial.number, notes[_ROUND], dict(trial.params), _found(notes), notes[_COPIED])


def _notes(found: Evaluation | Infeasible) -> dict:
    return {_INFEASIBLE: found.reason} if isinstance(found, Infeasible) else found.to_json()


def _found(notes: Mapping) -> Evaluation | Infeasible:
    if _INFEASIBLE in notes:
        return Infeasible(notes[_INFEASIBLE])
    return Evaluation(**{each.name: notes[each.name] for each in fields(Evaluation)})


def _storage(folder: StudyFolder, plan: Plan) -> BaseStorage | str:
    if plan.storage is not None:
        return plan.storage
    return journal(folder.journal)


def best(records: Sequence[Record]) -> Record | None:
    """Give the trial with the largest reward, of equal ones the first; None if no candidate was feasible."""
    feasible = [(each.found.reward, each) for each in records if isinstance(each.found, Evaluation)]
    return max(feasible, key=lambda pair: pair[0])[1] if feasible else None
