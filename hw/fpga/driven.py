"""Verilog of the tops that a host drives through registers alone."""

from functools import partial

from gatewright.hw.bridge.line import LineKind
from gatewright.hw.bridge.top import SerialAccelerator
from gatewright.hw.compiler.image import Image
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.verilog import Top, emit_top
from gatewright.hw.rtl.mapped import MappedTop

MAPPED_TOP = "gatewright_mapped"
"""Name of the top module with AXI4-Lite alone."""

BOARD_TOP = "gatewright_on_board"
"""Name of the top module behind a line to a host: what is the same on every board."""

_MAPPED = Top(MAPPED_TOP, MappedTop, mailbox=True)
_ON_BOARD = {line: Top(BOARD_TOP, partial(SerialAccelerator, line=line), mailbox=True) for line in LineKind}


def emit_mapped(config: AcceleratorConfig, image: Image | None = None) -> str:
    """Do what `verilog.emit` does for the accelerator behind AXI4-Lite alone, with the top module `MAPPED_TOP`."""
    return emit_top(_MAPPED, config, image)


def emit_on_board(
    config: AcceleratorConfig, image: Image | None = None, line: LineKind = LineKind.UART
) -> str:
    """Do what `verilog.emit` does for the accelerator behind a line, with the top module `BOARD_TOP`."""
    return emit_top(_ON_BOARD[line], config, image)
