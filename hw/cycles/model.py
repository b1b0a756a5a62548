"""Cycles of a compiled model, exact."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from gatewright.errors import DataError
from gatewright.hw.compiler.image import Compiled, Image
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles import machine
from gatewright.hw.cycles.latencies import cell_latency, reduce_latency, send_latency, timing
from gatewright.hw.cycles.records import COLUMN, COUNTS, EVENT, OP, RESULT, SLOT, UNITS, WRITE, Timing
from gatewright.hw.ops import Op, Opcode, When
from gatewright.hw.rtl.serial_cell import SerialCell
from gatewright.hw.skipping import WHOLE, Skip


class ActivationTrace(Protocol):
    """What skipping zeros depends on, as `gatewright.cosim.golden.Golden.run` gives it."""

    @property
    def flags(self) -> np.ndarray:
        """Whether a column step is not zero (uint8), for those of all executed ``MATVEC`` in broadcast orientation."""

    @property
    def inputs(self) -> np.ndarray:
        """Whether an element of x is zero (bool), for all in order."""

    @property
    def drained(self) -> np.ndarray:
        """Elements and zeros (int64 [writes, 2]) of each write of a ``CELL`` or ``REDUCE`` to a vector, in order."""


class OpTime(NamedTuple):
    """When an op was executed, in cycles after the one in which the job was accepted.

    Parameters
    ----------
    step : int
        Of the job, from 0.
    op : int
        Its place in the program.
    issue : int
        The unit took it.
    first, last : int
        Its first and last work, 0 where there was none. INPUT: an element is taken. MATVEC: a word's address is on
        the lanes. CELL, REDUCE: from the first reading of accumulators to the last write or transfer. OUTPUT: an
        element is read.
    skips : int
        1 for a MATVEC that passes over zeros, else 0.
    """

    step: int
    op: int
    issue: int
    first: int
    last: int
    skips: int = 0


@dataclass(frozen=True)
class Prediction:
    """Cycles of one job.

    Parameters
    ----------
    counters : dict of int
        What the accelerator's counters of the same names (`gatewright.hw.interface.COUNTERS`) will be: all but
        ``zero_inputs``.
    timeline : list of OpTime
        All ops that were executed, in order; empty unless asked for.
    sparse : bool
        Whether the next step would skip zeros, if the hardware decides.
    """

    counters: dict[str, int]
    timeline: list[OpTime]
    sparse: bool = True

    @property
    def cycles(self) -> int:
        """Cycles of the job: those in which the accelerator is busy."""
        return self.counters["cycles"]


def predict(
    compiled: Compiled,
    steps: int,
    fresh: bool = True,
    skip: Skip | bool = Skip.NEVER,
    trace: ActivationTrace | None = None,
    *,
    sparse: bool = True,
    timeline: bool = False,
) -> Prediction:
    """Predict the cycles of one job; they are those of the RTL, each of them.

    The input stream has an element whenever one is wanted, and results are taken at once. Without `skip` the cycles
    depend on the configuration and the program alone.

    Parameters
    ----------
    compiled : Compiled
        The model. Its program must be sound, as the golden model checks.
    steps : int
        Time steps of the sequence.
    fresh : bool
        The job starts from a zero state.
    skip : Skip or bool
        Whether zero activations are passed over.
    trace : ActivationTrace, optional
        Of this sequence; needed where zeros may be skipped, and for what the hardware decides last.
    sparse : bool
        Where the hardware decides and the job is not fresh: what it decided last.
    timeline : bool
        Give the timeline, too.

    Raises
    ------
    DataError
        There are no steps, or the trace is missing or not of this sequence.
    ConfigError
        Zeros cannot be skipped.
    """
    compiled.config.check_skip(skip)
    if steps < 1:
        raise DataError(f"a job must have at least one step, not {steps}")
    program, words = _records(compiled)
    runs = _all_runs(compiled, fresh)
    if skip == Skip.AUTO and not compiled.config.auto_skipping:
        skip = Skip.ALWAYS
    flags = _flags(compiled, runs, steps, trace) if skip else np.zeros(0, dtype=np.uint8)
    # Hardware that can decide weighs the zeros of every job, as the next one may carry on and leave it to the hardware.
    shares = _shares(compiled, trace) if compiled.config.auto_skipping and trace else _NO_SHARES
    choice = _Skipping(flags, int(skip), shares, sparse or fresh)
    units, events = _run(program, runs, words, choice, timing(compiled.config), steps, timeline)
    counters = dict(zip(COUNTS.names, units["counts"].tolist(), strict=True))
    counters |= {"input_wait": 0, "output_wait": 0}
    return Prediction(
        counters, [OpTime(*event) for event in events.tolist()], bool(units["balance"]["sparse"])
    )


class _Skipping(NamedTuple):
    """What decides which columns a job passes over, as the compiled loop takes it."""

    flags: np.ndarray
    skip: int
    shares: tuple[np.ndarray, np.ndarray]
    sparse: bool


_NO_SHARES = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)


def _shares(compiled: Compiled, trace: ActivationTrace) -> tuple[np.ndarray, np.ndarray]:
    """Give what each element of x, and each write of the drain unit, adds to the balance of zeros."""
    threshold = compiled.modes.threshold
    elements, zeros = trace.drained.T
    return WHOLE * trace.inputs.astype(np.int64) - threshold, WHOLE * zeros - threshold * elements


def _run(
    program, runs, words, choice: _Skipping, times: Timing, steps: int, timeline: bool
) -> tuple[np.void, np.ndarray]:
    """Run the compiled loop; gives the units at its end, and the ops that were executed if asked for."""
    units = np.zeros(1, dtype=UNITS)[0]
    units["drain"]["op"] = machine.NONE
    for name in ("scanned", "current", "finished", "left", "dropped"):
        units["front"][name] = machine.NONE
    units["front"]["room"] = True
    units["balance"]["sparse"] = choice.sparse
    slots = np.zeros(times.slots, dtype=SLOT)
    flight, queue = np.zeros((2, machine.RING), dtype=COLUMN)
    sums, elements = np.zeros(times.room, dtype=RESULT), np.zeros(times.buffer, dtype=RESULT)
    events = np.zeros(steps * len(program) if timeline else 0, dtype=EVENT)
    writes = np.zeros(machine.RING, dtype=WRITE)
    machine.run_job(
        program,
        runs,
        words,
        choice.flags,
        choice.skip,
        choice.shares,
        times,
        steps,
        units,
        slots,
        flight,
        queue,
        sums,
        elements,
        writes,
        events,
    )
    return units, events[events["issue"] > 0]


def _all_runs(compiled: Compiled, fresh: bool) -> np.ndarray:
    """Give whether each op runs, bool [not first or first, not last or last, ops]."""
    return np.array(
        [
            [[_runs(op.when, first, last, fresh) for op in compiled.image.program] for last in (False, True)]
            for first in (False, True)
        ]
    )


def _runs(when: When, first: bool, last: bool, fresh: bool) -> bool:
    match when:
        case When.ALWAYS:
            return True
        case When.CARRIED:
            return not (first and fresh)
        case When.FIRST:
            return first
        case When.LAST:
            return last
        case When.NOT_LAST:
            return not last


def _records(compiled: Compiled) -> tuple[np.ndarray, np.ndarray]:
    """Give the program for the compiled loop, and the words of each column step."""
    config, program = compiled.config, compiled.image.program
    records = np.zeros(len(program), dtype=OP)
    words = [np.zeros(0, dtype=np.int64)]
    columns = 0
    for record, op in zip(records, program, strict=True):
        for name, value in _fields(op, config).items():
            record[name] = value
        if op.opcode == Opcode.MATVEC:
            record["first_column"] = columns
            words.append(column_words(op.arguments, compiled.image))
            columns += len(words[-1])
    return records, np.concatenate(words)


def _fields(op: Op, config: AcceleratorConfig) -> dict[str, int]:
    a = op.arguments
    accumulators = {name: a[name] for name in ("buffer", "alternate") if name in a}
    match op.opcode:
        case Opcode.INPUT:
            return {"kind": machine.INPUT, "count": a["count"], "vector": a["destination"]}
        case Opcode.MATVEC:
            return accumulators | {
                "kind": machine.MULTIPLY,
                "count": a["columns"],
                "vector": a["source"],
                "private": a["private"],
                "elements": config.lanes if a["private"] else config.groups,
                "word_steps": 1 if a["private"] else config.group_lanes,
            }
        case Opcode.CELL:
            return accumulators | {
                "kind": machine.DRAIN,
                "count": a["groups"],
                "vector": a["destination"],
                "elements": config.cell_lanes,
                "latency": cell_latency(config),
                "interval": SerialCell.INTERVAL if config.serial_cell else 1,
            }
        case Opcode.REDUCE:
            return accumulators | {
                "kind": machine.SEND if a["send"] else machine.DRAIN,
                "count": a["count"],
                "vector": a["destination"],
                "elements": 1,
                "latency": send_latency(config) if a["send"] else reduce_latency(config),
                "interval": 1,
            }
        case Opcode.OUTPUT:
            return {"kind": machine.OUTPUT, "count": a["count"], "vector": a["source"]}


def column_words(arguments: dict[str, int], image: Image) -> np.ndarray:
    """Give the words of each column step of a ``MATVEC``."""
    columns = arguments["columns"]
    if arguments["table"]:
        return image.columns[arguments["table_base"] :][:columns, 1]
    return np.full(columns, arguments["words"], dtype=np.int64)


def _flags(compiled: Compiled, runs: np.ndarray, steps: int, trace: ActivationTrace | None) -> np.ndarray:
    if trace is None:
        raise DataError("the cycles of skipping zeros depend on the data: give the golden model's trace")
    wanted = _flag_count(compiled, runs, steps)
    if len(trace.flags) != wanted:
        raise DataError(f"the trace has {len(trace.flags)} column steps, the job {wanted}: it is another's")
    return trace.flags


def flag_count(compiled: Compiled, steps: int, fresh: bool = True) -> int:
    """Give the column steps of broadcast orientation in a job: the flags that a trace of it has."""
    return _flag_count(compiled, _all_runs(compiled, fresh), steps)


def _flag_count(compiled: Compiled, runs: np.ndarray, steps: int) -> int:
    columns = np.array(
        [
            op.arguments["columns"] if op.opcode == Opcode.MATVEC and not op.arguments["private"] else 0
            for op in compiled.image.program
        ]
    )
    step = np.arange(steps)
    return int((runs @ columns)[(step == 0).astype(int), (step == steps - 1).astype(int)].sum())
