"""Search the compression of a float model, and the hardware; the study is a folder of named models."""

from dataclasses import dataclass, replace
from pathlib import Path

from gatewright.cosim.search import start
from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.start import POINTS, Found, Scope
from gatewright.flow.inputs import Data, Model, as_model, as_task
from gatewright.flow.settings import CompressChoice, WorkerSettings
from gatewright.flow.study import is_study
from gatewright.progress import Progress, silent
from gatewright.reports.study_report import write_study_report
from gatewright.sw.compress.scaling import scaled_where_it_pays
from gatewright.sw.metrics import Metric
from gatewright.sw.tasks import DataSettings, Task


@dataclass(frozen=True)
class Searched:
    """What came of a search.

    Parameters
    ----------
    found : Found
        Why it ended, the recommended point, and the models of the final front by name.
    report : Path
        Its HTML file.
    """

    found: Found
    report: Path

    @property
    def bundle(self):
        """The recommended model."""
        from gatewright.flow.study import point_of

        return point_of(self.found.folder, "best")


def search(
    model: Model,
    data: Data,
    folder: str | Path,
    settings: SearchSettings | None = None,
    scope: Scope | None = None,
    choice: CompressChoice | None = None,
    *,
    metric: str | Metric = "",
    points: int = POINTS,
    uniform: bool = False,
    workers: WorkerSettings | None = None,
    command: str = "",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Searched:
    """Search the compression of a model, or go on with a study that was left or that is to have more trials.

    Candidates are evaluated by processes, which import the script that they come from: there, the call is to be under
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    model : as `as_model` takes it
    data : as `as_task` takes it
        Data in memory are kept in the study's folder.
    folder : path
        Of the study.
    settings, scope : optional
        As `gatewright.cosim.search.start.search` takes them.
    choice : CompressChoice, optional
        How candidates and final points are trained; what is None is the data's own choice.
    metric : str
        As `as_task` takes it.
    points : int
        Most points of the final front.
    uniform : bool
        Whether models with one rank and width for all are trained and measured beside it.
    workers : WorkerSettings, optional
    command : str
        What a reader of the report repeats it with.
    overwrite : bool
        Begin anew, in place of a study that is there.
    progress : Progress

    Raises
    ------
    RunFolderError, ConfigError, DataError, ToolError
        As `gatewright.cosim.search.start.search` has them.
    """
    settings, workers = settings or SearchSettings(), workers or WorkerSettings()
    choice = choice or CompressChoice()
    task = as_task(data, metric=metric, seed=settings.seed)
    # Raw features go in at one scale, as they do where a model is quantised.
    dense = scaled_where_it_pays(choice.taught(as_model(model)), task.train.sequences)
    root = Path(folder)
    if overwrite and is_study(root):
        StudyFolder.open(root).remove()
    tune = replace(choice.compression(task.compression), seed=settings.seed)
    found = start.search(
        root,
        dense,
        _lasting(task),
        settings,
        scope,
        tune,
        points=points,
        uniform=uniform,
        processes=workers.count,
        dask=workers.dask,
        command=command,
        progress=progress,
    )
    return Searched(found, write_study_report(root))


def _lasting(task: Task) -> Task | DataSettings:
    """Return what loads a task again in any process; the task itself where the data are in memory only."""
    source = task.source
    if source is None:
        return task
    return (
        replace(source, source=str(Path(source.source).resolve())) if Path(source.source).exists() else source
    )
