"""The cycles that sequences would take on lanes that never idle: what no schedule of the same work can beat."""

from collections.abc import Iterable, Mapping

import numpy as np

from gatewright.cosim.golden import Golden
from gatewright.cosim.measurement import Measurement
from gatewright.hw.cycles.ideal import column_cycles
from gatewright.hw.cycles.model import predict
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
    compiled, skips = measurement.compiled, measurement.skips
    program, columns, golden = compiled.image.program, column_cycles(compiled), Golden(compiled)
    found = []
    for x, fresh, skip in zip(measurement.sequences, measurement.freshness, skips, strict=True):
        # Every sequence is run, as what is zero in the next may depend on the state that it leaves.
        trace = golden.run(x, fresh, trace=True)[1] if any(skips) else None
        prediction = predict(compiled, len(x), fresh, skip, trace, timeline=True)
        executed = [each.op for each in prediction.timeline if each.op in columns]
        found.append(_worked(program, columns, executed, trace.flags if skip and trace else None))
    return found


def _worked(
    program: tuple[Op, ...],
    columns: Mapping[int, np.ndarray],
    executed: Iterable[int],
    flags: np.ndarray | None,
) -> float:
    """Add up the column steps of executed ops; with flags, those of broadcast orientation that are not zero."""
    total, flagged = 0.0, 0
    for place in executed:
        cycles = columns[place]
        if flags is not None and not program[place].arguments["private"]:
            cycles = cycles[flags[flagged : flagged + len(cycles)] != 0]
            flagged += len(columns[place])
        total += float(cycles.sum())
    return total
