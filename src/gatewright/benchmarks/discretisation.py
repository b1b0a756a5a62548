"""What discretising the search by gradient costs, on spoken digits."""

from collections.abc import Sequence

from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.search.differentiable import discretisation_rows
from gatewright.sw.search.settings import EntropySettings
from gatewright.sw.tasks import load_task
from gatewright.sw.training import train_float

KEPT = (8, 16, 32)
"""Components that the differentiable search keeps."""


def bench_discretisation(
    progress: Progress = silent, *, task: str = "digits", seeds: Sequence[int] = (0, 1)
) -> list[Row]:
    """Measure what discretising a differentiable search costs, with and without entropy losses.

    Gives the rows of `discretisation_rows`.
    """
    data = load_task(task, seed=0)
    dense = train_float(data, data.training, progress)
    return discretisation_rows(data, dense, EntropySettings.of(data.compression), KEPT, seeds, progress)
