"""Train a float model on a task."""

from dataclasses import dataclass, replace

from gatewright.flow.inputs import Data, as_task
from gatewright.flow.settings import TrainChoice, plain
from gatewright.flow.uncertainty import float_interval_rows
from gatewright.progress import Progress, silent
from gatewright.results import Row, score_row
from gatewright.sw.compress.behaviour import scored_rows
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks import Task, baseline
from gatewright.sw.training import train_float


@dataclass(frozen=True)
class Trained:
    """A trained model and its scores.

    Parameters
    ----------
    model : FloatModel
    rows : list of Row
        Scores on validation and test, those of a baseline, and the validation score after each epoch.
    """

    model: FloatModel
    rows: list[Row]


def train(
    data: Data,
    choice: TrainChoice | None = None,
    *,
    name: str = "float",
    intervals: bool = True,
    progress: Progress = silent,
) -> Trained:
    """Train a float LSTM with a linear head.

    Parameters
    ----------
    data : as `as_task` takes it
        With targets.
    choice : TrainChoice, optional
        What is not to be the task's own choice.
    name : str
        Of the model, in its rows.
    intervals : bool
        As for `quantise`.
    progress : Progress

    Raises
    ------
    DataError
        The data are malformed or have no targets.
    ConfigError
        A setting is outside its range.
    DivergenceError
        Training diverged.
    """
    choice = choice or TrainChoice()
    task = as_task(data, seed=choice.seed)
    model = train_float(task, replace(task.training, **plain(choice)), progress)
    found = {split: model.score(getattr(task, split), task.metric) for split in ("validation", "test")}
    notes = {"task": task.name, "metric": task.metric.name, "scores": found}
    rows = list(_rows(task, model, found, name, choice.seed))
    if intervals:
        rows += float_interval_rows(model, task, name, choice.seed)
    return Trained(replace(model, notes=model.notes | notes), rows)


def _rows(task: Task, model: FloatModel, found: dict[str, float], name: str, seed: int):
    def row(what: str, value: float, **at) -> Row:
        return score_row(what, task.metric, value, at, seed)

    yield from scored_rows(task)
    yield row("baseline_score", baseline(task), split="test")
    for split, value in found.items():
        yield row("float_score", value, model=name, split=split)
    for epoch, value in enumerate(model.history, 1):
        yield row("training_progress", value, epoch=epoch)
