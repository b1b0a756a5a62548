"""Compress a float model to a score and a volume: drop what contributes least, then narrow the weights."""

from dataclasses import asdict, dataclass

from gatewright.flow.inputs import Data, as_model, as_task, suited
from gatewright.flow.quantise import settings_of
from gatewright.flow.settings import CompressChoice
from gatewright.flow.size import stored_bits
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import Outcome, Requirement, SimplifySettings, compress_to
from gatewright.sw.tasks import taught_by


@dataclass(frozen=True)
class Simplified:
    """The best model that was found, and every round on the way.

    Parameters
    ----------
    outcome : Outcome
    rows : list of Row
    """

    outcome: Outcome
    rows: list[Row]

    @property
    def bundle(self) -> Bundle:
        """The model."""
        return self.outcome.bundle


def simplify(
    model,
    data: Data,
    requirement: Requirement,
    how: SimplifySettings | None = None,
    choice: CompressChoice | None = None,
    *,
    name: str = "model",
    progress: Progress = silent,
) -> Simplified:
    """Compress a float model until it meets a volume, as long as it has the score that is asked for.

    A requirement that cannot be met is no error: the outcome has the best model, and says why.

    Parameters
    ----------
    model : as `as_model` takes it
    data : as `as_task` takes it
    requirement : Requirement
        Score in the metric of the data, and bits of the emitted image.
    how : SimplifySettings, optional
    choice : CompressChoice, optional
    name : str
        Of the model, in its rows.
    progress : Progress

    Raises
    ------
    ConfigError, DataError, AccumulatorOverflowError
        As `compress_to` has them.
    """
    how = how or SimplifySettings()
    task, dense = suited(as_task(data), as_model(model))
    task = taught_by(task, dense)
    settings = settings_of(task, choice or CompressChoice())
    outcome = compress_to(
        task, dense, requirement, lambda bundle: stored_bits(bundle, how.lanes), settings, how, progress
    )
    metric, seed = task.metric, settings.seed

    def row(what: str, value: float, **at) -> Row:
        return Row(what, metric.unit, value, at | metric.labels, seed)

    rows = []
    for number, each in enumerate(outcome.rounds, 1):
        told = {key: value for key, value in asdict(each).items() if key != "score" and value is not None}
        rows.append(row("round_score", each.score, model=name, round=number, **told))
    rows += [
        row("score", value, model=name, split=split) for split, value in outcome.bundle.notes["scores"].items()
    ]
    rows.append(Row("stored_bits", "bits", outcome.volume, {"model": name, **asdict(requirement)}, seed))
    met = {"model": name, "reason": outcome.reason}
    rows.append(Row("requirement_met", "yes or no", int(outcome.met), met, seed))
    return Simplified(outcome, rows)
