"""The search from end to end: a study is made or gone on with, run, and finished; whatever the model and its data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gatewright.cosim import toolchain
from gatewright.cosim.search.asked import Asked, Scope
from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.front import finish
from gatewright.cosim.search.recommend import Recommendation, recommended
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.study import INTERRUPTED, Outcome, run_study
from gatewright.progress import Progress, silent
from gatewright.sw.models import FloatModel
from gatewright.sw.search.settings import EntropySettings
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import DataSettings, Task

__all__ = ["POINTS", "Found", "Scope", "search"]

POINTS = 5
"""Most points of the final front, unless told otherwise."""


@dataclass(frozen=True)
class Found:
    """What came of a search.

    Parameters
    ----------
    folder : Path
        Of the study.
    outcome : Outcome
        How its trials ended.
    recommendation : Recommendation or None
        Its recommended point; None where it was interrupted, or no point of the front is feasible.
    points : dict of Path
        The integer models of the final front by name, as `StudyFolder.points` gives them.
    """

    folder: Path
    outcome: Outcome
    recommendation: Recommendation | None
    points: Mapping[str, Path]

    @property
    def interrupted(self) -> bool:
        """Whether it goes on when it is run again."""
        return self.outcome.reason == INTERRUPTED


def search(
    folder: Path,
    model: FloatModel,
    task: Task | DataSettings,
    settings: SearchSettings | None = None,
    scope: Scope | None = None,
    tune: CompressSettings | None = None,
    *,
    gradient: EntropySettings | None = None,
    points: int = POINTS,
    uniform: bool = False,
    processes: int = 1,
    dask: str | None = None,
    command: str = "",
    progress: Progress = silent,
) -> Found:
    """Search the compression of a model, or go on with a study that was left or that is to have more trials.

    Parameters
    ----------
    folder : Path
        The study's; made if it is not there. A study with the same settings goes on; with more trials than it has, it
        gets more.
    model : FloatModel
        Of any layers, projections, and with or without a head.
    task : Task or DataSettings
        What scores candidates, or what loads it. Data that are in memory only are kept in the study's folder. Without
        targets, the model is the teacher.
    settings : SearchSettings, optional
        Where no target of cycles or bits is asked for, the search has an aim of its own, as `aims.aims` gives it;
        weights that are left out are as `weights.weight_of` has them.
    scope : Scope, optional
    tune : CompressSettings, optional
        How candidates are trained; as suits the task, with the search's seed, if left out.
    gradient : EntropySettings, optional
        How the method ``entropy`` trains; if left out, at half of the rate of `tune`, in epochs that suit how many
        updates each has.
    points : int
        Most points of the final front.
    uniform : bool
        Whether models with one rank and width for all are trained and measured beside it.
    processes, dask
        Who evaluates, see `executors.workers`.
    command : str
        What a reader of the report repeats it with.
    progress : Progress

    Raises
    ------
    RunFolderError
        The folder holds something else, or a study of another model or with other settings; or no trial is feasible.
    ConfigError
        A setting is not legal, the model is too large for the accelerator, or the accelerator for the device.
    DataError
        The task does not suit the model.
    ToolError
        A tool is missing or failed, or predicted and measured cycles differ.
    """
    toolchain.compiler()
    study = StudyFolder(Path(folder))
    asked = Asked(model, task, settings or SearchSettings(), scope or Scope(), tune, gradient)
    if study.settings.is_file():
        asked.go_on(study)
    else:
        plan = replace(asked.plan(), name=f"gatewright-{study.root.resolve().name}", command=command)
        StudyFolder.create(study.root, plan, model, asked.memory)
    outcome = run_study(study.root, processes=processes, dask=dask, progress=progress)
    if outcome.reason == INTERRUPTED:
        return Found(study.root, outcome, None, {})
    tuning = study.plan.tune
    finish(
        study.root,
        points=points,
        settings=tuning,
        uniform=uniform,
        processes=processes,
        dask=dask,
        progress=progress,
    )
    return Found(study.root, outcome, recommended(study.root), study.points())
