"""Descriptions of the registers for people and tools, all from the one table in `hw.rtl.axi_registers`."""

from collections.abc import Mapping

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.driven import MAPPED_TOP
from gatewright.hw.fpga.verilog import AXI_TOP
from gatewright.hw.registers.c_header import HEADER, c_header
from gatewright.hw.registers.documents import json_document, markdown
from gatewright.hw.registers.ipxact import ipxact
from gatewright.hw.rtl.axi import bus_ports, stream_ports
from gatewright.hw.rtl.axi_registers import Register, registers


def descriptions(
    config: AcceleratorConfig, *, baked: bool = False, mapped: bool = False, board: bool = False
) -> dict[str, str]:
    """Return the texts of the files that describe the registers of an accelerator, by file name.

    Parameters
    ----------
    config : AcceleratorConfig
    baked : bool
        It has a baked model.
    mapped : bool
        It comes behind registers alone too: that top and the mailbox are described as well.
    board : bool
        It comes behind a board's bridge too, which has the mailbox.
    """
    table = registers(baked)
    components = {f"{AXI_TOP}.xml": ipxact(table, config, AXI_TOP, bus_ports() | stream_ports(config))}
    if mapped or board:
        table = registers(baked, mailbox=True)
    if mapped:
        components[f"{MAPPED_TOP}.xml"] = ipxact(table, config, MAPPED_TOP, bus_ports())
    return _documents(table) | components


def _documents(table: Mapping[str, Register]) -> dict[str, str]:
    return {
        "registers.md": "# Registers\n\n" + markdown(table),
        "registers.json": json_document(table),
        HEADER: c_header(table),
    }
