"""Compress a float model to a score and a volume: drop what contributes least, then narrow the weights."""

from contextlib import suppress
from dataclasses import dataclass, replace

from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.settings import SearchSettings
from gatewright.errors import CapacityError
from gatewright.flow.inputs import Data, Model, as_model, as_task
from gatewright.flow.settings import CompressChoice
from gatewright.flow.size import stored_bits, usual_lanes
from gatewright.flow.uncertainty import interval_rows, with_intervals
from gatewright.hw.compiler.choose import HardwareChoice, choose_config
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import (
    Outcome,
    Requirement,
    SimplifySettings,
    compress_to,
    suited,
    uniform_spec,
)
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.compress.sample import sample_of
from gatewright.sw.mode import POLICY
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks import Task

WHOLE = "whole, 8 bits"
"""The name of the model that was not simplified, in the rows."""


@dataclass(frozen=True)
class Simplified:
    """The best model that was found, and every round on the way.

    Parameters
    ----------
    outcome : Outcome
    rows : list of Row
        Of the rounds and of the model, and bits and cycles per step of the whole model in 8 bits beside it.
    """

    outcome: Outcome
    rows: list[Row]

    @property
    def bundle(self) -> Bundle:
        """The model."""
        return self.outcome.bundle

    @property
    def model(self) -> FloatModel:
        """The simplified float model, before it was quantised: where a search may start."""
        return self.outcome.simplified


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
        With the lanes of `usual_lanes` if left out.
    choice : CompressChoice, optional
    name : str
        Of the model, in its rows.
    progress : Progress

    Raises
    ------
    ConfigError, DataError, AccumulatorOverflowError
        As `compress_to` has them.
    """
    choice = choice or CompressChoice()
    task, dense = as_task(data), choice.taught(as_model(model))
    how = how or SimplifySettings(lanes=usual_lanes(dense.network))
    settings = choice.compression(task.compression)
    outcome = compress_to(
        task, dense, requirement, lambda bundle: stored_bits(bundle, how.lanes), settings, how, progress
    )
    task, dense = suited(task, dense)
    outcome = replace(outcome, bundle=with_intervals(outcome.bundle, dense, task))
    spec = uniform_spec(dense.network, lanes=how.lanes)
    sample = dense.standardise(sample_of(task).sequences)
    whole = calibrate(dense.network, sample, spec).bundle(dense.mean, dense.deviation, dense.labels)
    rows = [*outcome.rows(name), *interval_rows(outcome.bundle, name)]
    cycles = {name: cycles_per_step(outcome.bundle, task, how.lanes)}
    # A model that no accelerator held before it was simplified has neither bits nor cycles.
    with suppress(CapacityError):
        bits = stored_bits(whole, how.lanes)
        cycles[WHOLE] = cycles_per_step(whole, task, how.lanes)
        rows.append(Row("stored_bits", "bits", bits, {"model": WHOLE}, settings.seed))
    rows += [
        Row("cycles_predicted_per_step", "cycles", value, {"model": each}, settings.seed)
        for each, value in cycles.items()
    ]
    return Simplified(outcome, rows)


def cycles_per_step(bundle: Bundle, task: Task, lanes: int) -> float:
    """Return the cycles per step of a bundle on the smallest accelerator of so many lanes, by the exact model.

    They are those of some validation sequences.

    Raises
    ------
    CapacityError, ConfigError
        No accelerator of so many lanes holds it.
    """
    config = choose_config([(bundle, POLICY)], HardwareChoice(lanes=lanes))
    sequences = spread(task.validation, SearchSettings.recordings, SearchSettings.steps)
    return Costs.of(bundle, config, sequences, task.every_step).cycles
