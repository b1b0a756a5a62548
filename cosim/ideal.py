"""The cycles that sequences would take on lanes that never idle: what no schedule of the same work can beat."""

from collections.abc import Iterable, Mapping

import numpy as np

from gatewright.cosim.measurement import Measurement
from gatewright.hw.cycles.ideal import column_cycles
from gatewright.hw.cycles.model import OpTime
from gatewright.hw.ops import Op


def ideal_cycles(measurement: Measurement) -> list[float]:
    """Return for each sequence its useful multiply-accumulates over those that the lanes can do in a cycle.

    Useful are those with a true non-zero weight in what is executed: no recurrent product in the first step of a fresh
    sequence, and no column steps that are skipped as zero. In a cycle a lane does as many as a word has weights.

    Raises
    ------
    DataError
        A sequence does not suit the model.
    """
    compiled = measurement.compiled
    program, columns = compiled.image.program, column_cycles(compiled)
    found = []
    for job, prediction in measurement.predicted(timeline=True):
        executed = [each for each in prediction.timeline if each.op in columns]
        found.append(_worked(program, columns, executed, job.trace.flags if job.trace else None))
    return found


def _worked(
    program: tuple[Op, ...],
    columns: Mapping[int, np.ndarray],
    executed: Iterable[OpTime],
    flags: np.ndarray | None,
) -> float:
    """Add up the column steps of executed ops; of those that skip, those that are not zero."""
    total, flagged = 0.0, 0
    for each in executed:
        cycles = columns[each.op]
        if flags is not None and not program[each.op].arguments["private"]:
            if each.skips:
                cycles = cycles[flags[flagged : flagged + len(cycles)] != 0]
            flagged += len(columns[each.op])
        total += float(cycles.sum())
    return total
