"""What crosses the accelerator's ports: layouts shared by the RTL and everything that drives it."""

import enum

from amaranth.hdl import signed
from amaranth.lib import data

from gatewright.hw.skipping import SHARE_BITS, Skip


class Region(enum.IntEnum):
    """Memories on the load bus: bits 31..28 of its address."""

    PROGRAM = 0
    """lane field: 32-bit quarter of the op (0 = lowest); offset: op."""
    WEIGHT = 1
    """lane field: lane; offset: word; data: 8 bits."""
    INDEX = 2
    """lane field: lane; offset: entry; data: `index_bits` bits."""
    BIAS = 3
    """lane field: position in the group; offset: group; data: 32 bits."""
    COLUMN = 4
    """lane field: 0 for the offset of the column's words, 1 for their count; offset: entry of the column table."""


LOAD_ADDRESS = data.StructLayout({"offset": 16, "lane": 12, "region": 4})
"""Address of one word of a memory."""

LOAD = data.StructLayout({"data": 32, "address": LOAD_ADDRESS})
"""Payload of the load bus: one memory word per transfer."""

JOB = data.StructLayout({"steps": 30, "fresh": 1, "skip": max(Skip).bit_length(), "threshold": SHARE_BITS})
"""A sequence to run: its number of steps, at least 1. `fresh` starts from zero state; otherwise the state
is carried over from the job before. `skip` is a `skipping.Skip`, and `threshold` what the share of zeros must reach in
a step where that is AUTO, in 256ths."""


def element(activation_bits: int) -> data.StructLayout:
    """Payload of the input stream: an element of x; `last` marks the final element of the sequence."""
    return data.StructLayout({"data": signed(activation_bits), "last": 1})


RESULT = data.StructLayout({"data": signed(32), "last": 1})
"""Payload of the output stream; `last` marks the final element of a vector."""

CYCLE_COUNTERS = ("cycles", "matrix", "drain", "chain_wait", "interlock", "input_wait", "output_wait")
"""Cycles of the latest job: from its start to the end of its last op; with the lanes multiplying; with the drain unit
at work; with the matrix engine waiting for a vector that is still being produced; with the sequencer holding back an
op, whose unit is ready, because of a hazard; waiting for the input stream; with an output waiting to be taken."""

EVENT_COUNTERS = ("skipped", "inputs", "zero_inputs")
"""Events of the latest job: column steps skipped as zero; elements of x taken; of these, zeros."""

COUNTERS = data.StructLayout(dict.fromkeys(CYCLE_COUNTERS + EVENT_COUNTERS, 32))
"""The performance counters."""


class ErrorCode(enum.IntEnum):
    """Value of the `error` port: the first error since reset or since the latest accepted job."""

    NONE = 0
    OPCODE = 1
    """Unknown opcode or condition in the program."""
    NO_END = 2
    """The program ran past the program memory without an op marked `end`."""
    STEPS = 3
    """A job of zero steps."""
    LOAD_ADDRESS = 4
    """A load outside the memories."""
    LOAD_BUSY = 5
    """A load while a job was running; it was not carried out."""
    LENGTH = 6
    """The sequence's last element came before the job had all it needs, or was still to come when it had."""


def load_address(region: Region, lane: int, offset: int) -> int:
    """Give the 32-bit load-bus address of one memory word."""
    return (int(region) << 28) | (lane << 16) | offset
