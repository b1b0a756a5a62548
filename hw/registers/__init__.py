"""Descriptions of the registers for people and tools, all from the one table in `hw.rtl.axi_registers`."""

from collections.abc import Mapping

from gatewright.hw.fpga.verilog import AXI_TOP
from gatewright.hw.registers.c_header import HEADER, c_header
from gatewright.hw.registers.documents import json_document, markdown
from gatewright.hw.registers.ipxact import ipxact
from gatewright.hw.rtl.axi import AxiTop
from gatewright.hw.rtl.axi_registers import Register, registers


def descriptions(top: AxiTop) -> dict[str, str]:
    """Return the texts of the files that describe the registers of an accelerator with AXI ports, by file name."""
    table: Mapping[str, Register] = registers(baked=bool(top.contents))
    return {
        "registers.md": "# Registers\n\n" + markdown(table),
        "registers.json": json_document(table),
        HEADER: c_header(table),
        f"{AXI_TOP}.xml": ipxact(table, top),
    }
