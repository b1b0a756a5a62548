"""What crosses the accelerator's ports: layouts shared by the RTL and everything that drives it."""

import enum

from amaranth.hdl import signed
from amaranth.lib import data


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


LOAD_ADDRESS = data.StructLayout({"offset": 16, "lane": 12, "region": 4})
"""Address of one word of a memory."""

LOAD = data.StructLayout({"data": 32, "address": LOAD_ADDRESS})
"""Payload of the load bus: one memory word per transfer."""

JOB = data.StructLayout({"steps": 16, "fresh": 1})
"""A sequence to run: its number of steps, at least 1. `fresh` starts from zero state; otherwise the state
is carried over from the job before."""

RESULT = data.StructLayout({"data": signed(32), "last": 1})
"""Payload of the output stream; `last` marks the final element of a vector."""

COUNTERS = data.StructLayout(
    {
        "cycles": 32,
        "matrix": 32,
        "drain": 32,
        "input_wait": 32,
        "output_wait": 32,
    }
)
"""Cycles of the latest job: from its start to the end of its last op; with the matrix engine multiplying in
every lane; with the drain unit at work; waiting for the input stream; with an output waiting to be taken."""


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


def load_address(region: Region, lane: int, offset: int) -> int:
    """Give the 32-bit load-bus address of one memory word."""
    return (int(region) << 28) | (lane << 16) | offset
