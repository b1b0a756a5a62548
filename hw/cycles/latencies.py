"""Latencies of the units, as the RTL defines them."""

from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.records import Timing
from gatewright.hw.ops import Op, Opcode
from gatewright.hw.rtl.cell import CellLane
from gatewright.hw.rtl.column_layout import CREDITS, SLOTS
from gatewright.hw.rtl.drain import ROUNDING_LATENCY
from gatewright.hw.rtl.io import BUFFER, OUTPUT_LATENCY
from gatewright.hw.rtl.reduction import SUM_LATENCY
from gatewright.hw.rtl.serial_cell import SerialCell
from gatewright.hw.rtl.stages import (
    ARRIVAL,
    COUNTED,
    FIRST_LOOK,
    FIRST_READ,
    FIRST_WORD,
    LEAD,
    RETIRE,
    STORE,
    SUM_READ,
    WRITE,
    WRITE_LEAD,
)

_START = 3
"""Cycles from the acceptance of a job to the sequencer's first look at an op."""


def timing(config: AcceleratorConfig) -> Timing:
    """Give the latencies of the sequencer and the matrix engine, and their sizes."""
    return Timing(
        start=_START,
        first_look=FIRST_LOOK,
        arrival=ARRIVAL,
        first_read=FIRST_READ,
        retire=RETIRE,
        write=WRITE,
        lead=LEAD - STORE,
        write_lead=WRITE_LEAD - STORE,
        slots=SLOTS,
        credits=CREDITS,
        room=total_latency(config) + 2,
        buffer=BUFFER,
        output=OUTPUT_LATENCY,
        counted=COUNTED,
    )


def depth(op: Op, config: AcceleratorConfig) -> int:
    """Cycles from the issue of an op to its first result, if it waits for nothing: an element or a product that is
    stored, or a result that is offered."""
    match op.opcode:
        case Opcode.INPUT:
            return 1
        case Opcode.MATVEC:
            return FIRST_WORD + WRITE
        case Opcode.CELL:
            return 1 + cell_latency(config)
        case Opcode.REDUCE:
            return 1 + (send_latency(config) if op.arguments["send"] else reduce_latency(config))
        case Opcode.OUTPUT:
            return 2 + OUTPUT_LATENCY


def cell_latency(config: AcceleratorConfig) -> int:
    """Cycles from a reading of accumulators to the write of the hidden values that `CELL` makes of it."""
    if config.serial_cell:
        return total_latency(config) + ROUNDING_LATENCY + SerialCell.LATENCY
    return sum_latency(config) + CellLane.LATENCY


def reduce_latency(config: AcceleratorConfig) -> int:
    """Cycles from a reading of accumulators to the write of the value that `REDUCE` makes of it."""
    return total_latency(config) + ROUNDING_LATENCY


def send_latency(config: AcceleratorConfig) -> int:
    """Cycles from a reading of accumulators to the offer of the sum that `REDUCE` sends."""
    return total_latency(config) + 1


def sum_latency(config: AcceleratorConfig) -> int:
    """Cycles from a reading of accumulators to `drain_lanes` sums."""
    return SUM_READ + exact_log2(config.lanes // config.drain_lanes) + SUM_LATENCY


def total_latency(config: AcceleratorConfig) -> int:
    """Cycles from a reading of accumulators to one sum."""
    return sum_latency(config) + exact_log2(config.drain_lanes)
