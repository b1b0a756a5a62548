"""A core file for FuseSoC (CAPI2), so that a build is a dependency like any other."""

from collections.abc import Collection

from gatewright import __version__
from gatewright.hw.fpga.verilog import AXI_TOP, TOP

CORE = "gatewright.core"
"""Name of the file."""

_TEXT = """\
CAPI=2:
name: gatewright:gatewright:{axi}:{version}
description: LSTM accelerator with AXI4-Lite registers and AXI4-Stream data

filesets:
  axi:
    files: [rtl/{axi}.sv]
    file_type: systemVerilogSource
  plain:
    files: [rtl/{plain}.sv]
    file_type: systemVerilogSource
{constraints}
targets:
  default:
    description: the top with AXI ports, for a design that depends on it
    filesets: {default}
    toplevel: {axi}

  plain:
    description: the same with the plain ports of streams in place of AXI
    filesets: [plain]
    toplevel: {plain}

  lint:
    description: Verilator's lint of the top with AXI ports
    filesets: [axi]
    toplevel: {axi}
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]

  sim:
    description: the top with AXI ports as a C++ model of Verilator, for a bench in C++
    filesets: [axi]
    toplevel: {axi}
    flow: sim
    flow_options:
      tool: verilator
      mode: cc
      exe: "false"
      verilator_options: [-Wno-fatal]
"""

_CONSTRAINTS = """\
  vivado:
    files: [constraints/gatewright.xdc]
    file_type: xdc
"""


def core_file(constraints: Collection[str]) -> str:
    """Return the text of the core file.

    Parameters
    ----------
    constraints : collection of str
        The constraints that the build has, by path: those for Vivado go with the default target there.
    """
    vivado = "constraints/gatewright.xdc" in constraints
    return _TEXT.format(
        axi=AXI_TOP,
        plain=TOP,
        version=__version__,
        constraints=_CONSTRAINTS if vivado else "",
        default='[axi, "tool_vivado? (vivado)"]' if vivado else "[axi]",
    )
