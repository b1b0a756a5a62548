"""Compress a float model to a score and a volume: drop what contributes least, then narrow the weights."""

from dataclasses import dataclass

from gatewright.flow.inputs import Data, Model, as_model, as_task
from gatewright.flow.settings import CompressChoice
from gatewright.flow.size import stored_bits
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import Outcome, Requirement, SimplifySettings, compress_to


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
    model: Model,
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
    choice = choice or CompressChoice()
    task, dense = as_task(data), choice.taught(as_model(model))
    settings = choice.compression(task.compression)
    outcome = compress_to(
        task, dense, requirement, lambda bundle: stored_bits(bundle, how.lanes), settings, how, progress
    )
    return Simplified(outcome, list(outcome.rows(name)))
