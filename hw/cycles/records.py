"""What the compiled loop of `machine` works on: records of 64-bit integers."""

from typing import NamedTuple

import numpy as np


def _integers(*names):
    return np.dtype([(name, np.int64) for name in names])


OP = _integers(
    "kind",
    "count",
    "vector",
    "buffer",
    "alternate",
    "private",
    "elements",
    "word_steps",
    "first_column",
    "latency",
    "interval",
)
"""An op of the program. `kind`: as `machine` defines. `count`: column steps, readings of accumulators, or elements.
`vector`: the one that it reads or writes. `elements`: of a column step, or written for a reading. `word_steps`:
column steps in an activation word. `first_column`: place of its first column step in `words`. `latency`: from a
reading to the write, or to the offer. `interval`: cycles from one reading to the next."""

EVENT = _integers("step", "op", "issue", "first", "last", "skips")
"""An op that was executed: cycles of its issue and of its first and last work, 0 if it has none; if it skips zeros."""

COUNTS = _integers("cycles", "matrix", "drain", "chain_wait", "interlock", "skipped", "inputs")
"""Counters, by their names in `gatewright.hw.interface.COUNTERS`."""


class Timing(NamedTuple):
    """Latencies of the units in cycles, and their sizes.

    Parameters
    ----------
    start : int
        From a job to its first op.
    first_look : int
        From the acceptance of a matrix op to the first choice of a column.
    arrival : int
        From the selection of a column to the queue before the lanes.
    first_read : int
        From the issue of a matrix op to its first reading of an accumulator, at least.
    retire, write : int
        From the last word of a column to the cycle in which it is counted out, and in which its sums are written.
    lead, write_lead : int
        From an announcement, and from when an element counts as written, to the cycle behind its write, which may take
        more to be seen.
    slots, credits : int
        Matrix ops under way; columns between selection and lanes.
    room, buffer : int
        Readings of accumulators, and elements, under way to the output stream.
    output : int
        From the read of an element to its offer.
    counted : int
        From the offer of a write to the balance of zeros that counts it.
    """

    start: int
    first_look: int
    arrival: int
    first_read: int
    retire: int
    write: int
    lead: int
    write_lead: int
    slots: int
    credits: int
    room: int
    buffer: int
    output: int
    counted: int


SLOT = _integers("op", "held", "columns", "buffer", "event", "first_flag", "skips")
"""A matrix op under way. `columns` of it are selected and not retired; while `held`, there are more. Zeros are passed
over if it `skips`."""

COLUMN = _integers("time", "words", "slot")
"""A column, and when it arrives at the queue; once it was taken, when it retires."""

_SEQUENCER = _integers("step", "number", "action", "event", "first_flag")
"""The op `number` of the time step, and what is done with it; the next executed op's place in the timeline, and of its
flags."""

RESULT = _integers("time", "last")
"""An element for the output stream: when it is offered, and whether it is the last of its vector."""

_FRONT = _integers(
    "scanned",
    "begin",
    "current",
    "finished",
    "left",
    "room",
    "step",
    "word_end",
    "limit",
    "seen",
    "known",
    "sure",
    "outstanding",
    "returned",
    "dropped",
)
"""The front end. The slot of the op that the scanner has, and the cycle from which on its words may come to the choice;
the slots of the op of the choice, of that which it is done with in this cycle, and in the cycle before; whether there
is a free slot; the first column step that is neither selected nor known to be zero, and the end of those in its
activation word; the elements of its vector that the scanner knows of, those of the word that it gives, and those that
the choice knows of; the cycle from which on the choice knows of all; columns between it and the lanes, and those of
them that are gone and give their credits back in this cycle; the slot of one that was dropped in the cycle before."""

_LANES = _integers("selected", "arrived", "queued", "taken", "retired", "last_word")
"""Numbers of columns that got so far; the cycle of the last word of those taken."""

_INPUT = _integers("vector", "left", "written", "event")

_DRAIN = _integers("op", "buffer", "begin", "unread", "unfinished", "event")
"""`begin` is the cycle of the first reading; `unread` and `unfinished` count readings."""

_OUTPUT = _integers("vector", "left", "number", "there", "read", "sent", "event")
"""`there` are the elements that it knows of; `read` and `sent` count those of all ops."""

WRITE = _integers("time", "share")
"""Activations written in a cycle, and what they add to the balance of zeros."""

_BALANCE = _integers("sparse", "sum", "inputs", "drains", "first", "end")
"""The balance of zeros: whether the next step skips; its sum; elements of x and writes of the drain unit so far; of the
writes on the way to the sum, the first and the end."""

_MERGE = _integers("held", "second")

UNITS = np.dtype(
    [
        ("sequencer", _SEQUENCER),
        ("front", _FRONT),
        ("lanes", _LANES),
        ("taker", _INPUT),
        ("drain", _DRAIN),
        ("giver", _OUTPUT),
        ("merge", _MERGE),
        ("balance", _BALANCE),
        ("counts", COUNTS),
    ]
)
"""The registers of all units, those of the input and output unit as `taker` and `giver`, and the counters."""
