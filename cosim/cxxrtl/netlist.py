"""An ECP5's netlist as a simulation: what synthesis made of the delivered text, held against the golden model."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from gatewright.cosim.cxxrtl.translate import build_design
from gatewright.errors import ToolError
from gatewright.hw.fpga.absorb import readers, top_module
from gatewright.hw.fpga.verilog import TOP
from gatewright.progress import Progress, silent

CELLS = Path(__file__).with_name("ecp5_cells.v")
"""Behaviour of the cells of which Yosys ships none; that of all others is Yosys's own."""

_READ = (
    "read_json source",
    "read_verilog -nosynthesis -DNO_INCLUDES +/ecp5/cells_sim.v",
    f"read_verilog -overwrite {CELLS.name}",
)

Cell = dict[str, Any]


def build_netlist(netlist: str, progress: Progress = silent) -> Path:
    """Return the folder of the simulation of a netlist, built if the cache does not hold it.

    Parameters
    ----------
    netlist : str
        Of the plain top for ECP5, as `gatewright.hw.fpga.synthesis.netlist` gives it.
    progress : Progress
        Told about the build.

    Raises
    ------
    ToolError
        A tool is missing or the build failed; or a cell is used in a way that has no model here.
    """
    return build_design(with_models(netlist), _READ, progress, files=[CELLS], quick=True)


def with_models(netlist: str) -> str:
    """Put the models of ``ecp5_cells.v`` in the place of block RAMs and multipliers, with pins gathered to ports.

    Raises
    ------
    ToolError
        A cell is used in a way that has no model.
    """
    design = json.loads(netlist)
    module = top_module(design)
    read = readers(module)
    nets = (net for cell in module["cells"].values() for pins in cell["connections"].values() for net in pins)
    unused = count(1 + max((net for net in nets if isinstance(net, int)), default=0))
    for name, cell in module["cells"].items():
        if cell["type"] == "DP16KD":
            _block_ram(name, cell, read, unused)
        elif cell["type"] == "MULT18X18D":
            _multiplier(name, cell, unused)
    # The others are boxes for the types of cells, which `_READ` fills.
    design["modules"] = {TOP: module}
    return json.dumps(design)


def _block_ram(name: str, cell: Cell, read: Counter, unused: Iterator[int]) -> None:
    parameters = cell["parameters"]
    width = {side: int(parameters[f"DATA_WIDTH_{side}"], 2) for side in "AB"}
    registered = parameters["REGMODE_B"] == "OUTREG"
    pins = {pin: (nets or ["0"])[0] for pin, nets in cell["connections"].items()}
    wide = width["B"] == 36
    _require(name, {*width.values()} <= {9, 18, 36}, "words of less than 9 bits")
    _require(name, parameters["CLKAMUX"] == "CLKA" and parameters["CLKBMUX"] == "CLKB", "a falling clock")
    _require(name, pins.get("WEB", "0") == "0", "a port B that writes")
    _require(name, parameters["RESETMODE"] == "SYNC" or pins.get("RSTB", "0") == "0", "an asynchronous reset")
    _require(
        name, all(pins.get(f"CS{side}{k}", "0") == "0" for side in "AB" for k in range(3)), "chip selects"
    )
    _require(
        name, wide or not any(read[pins.get(f"DOA{k}")] for k in range(18)), "a port A that reads by itself"
    )
    _require(
        name,
        not wide or (parameters["REGMODE_A"] == "OUTREG") == registered,
        "an output register for half of a word",
    )
    rows = [f"{int(parameters.get(f'INITVAL_{k:02X}', '0'), 2):0320b}" for k in range(64)]
    # Rows of 18 bits, each in 20 bits of a parameter, the first one in the lowest.
    words = [row[300 - 20 * k : 320 - 20 * k][2:] for row in rows for k in range(16)]
    _replace(
        cell,
        "ecp5_block_ram",
        {"DATA_WIDTH_A": width["A"], "DATA_WIDTH_B": width["B"], "REGISTERED": int(registered)},
        inputs={"ADA": 14, "DIA": 18, "DIB": 18, "ADB": 14}
        | dict.fromkeys(("CLKA", "CEA", "WEA", "CLKB", "CEB", "RSTB", "OCEB"), 0),
        outputs={"DOA": 18, "DOB": 18},
        unused=unused,
    )
    cell["parameters"]["INIT"] = "".join(reversed(words))


def _multiplier(name: str, cell: Cell, unused: Iterator[int]) -> None:
    parameters, pins = cell["parameters"], cell["connections"]
    clocks = {
        register: parameters.get(f"REG_{register}_CLK", "NONE")
        for register in ("INPUTA", "INPUTB", "INPUTC", "PIPELINE", "OUTPUT")
    }
    on = [register for register, clock in clocks.items() if clock != "NONE"]
    _require(name, {clocks[register] for register in on} <= {"CLK0"}, "a clock other than CLK0")
    _require(name, not {"INPUTC", "PIPELINE"} & set(on), "a register for operand C or between the stages")
    _require(name, ("INPUTA" in on) == ("INPUTB" in on), "a register for one operand")
    _require(name, not on or (pins["CE0"] == ["1"] and pins["RST0"] == ["0"]), "an enable or reset")
    _require(name, all(pins.get(f"SOURCE{side}", ["0"]) == ["0"] for side in "AB"), "a cascade")
    _replace(
        cell,
        "ecp5_multiplier",
        {"REGISTERED_INPUTS": int("INPUTA" in on), "REGISTERED_OUTPUT": int("OUTPUT" in on)},
        inputs={"A": 18, "B": 18} | dict.fromkeys(("CLK0", "SIGNEDA", "SIGNEDB"), 0),
        outputs={"P": 36},
        unused=unused,
    )


def _require(name: str, holds: bool, what: str) -> None:
    if not holds:
        raise ToolError(
            f"the netlist cannot be simulated: cell {name} has {what}, of which there is no model"
        )


def _replace(
    cell: Cell,
    kind: str,
    parameters: Mapping[str, int],
    inputs: Mapping[str, int],
    outputs: Mapping[str, int],
    unused: Iterator[int],
) -> None:
    """Make a cell one of another type, with ports of so many of its pins; 0 for a pin by itself."""
    pins = cell["connections"]
    ports = {
        port: [pins[pin][0] if pins.get(pin) else "0" for pin in _pins(port, width)]
        for port, width in inputs.items()
    }
    ports |= {
        port: [pins[pin][0] if pins.get(pin) else next(unused) for pin in _pins(port, width)]
        for port, width in outputs.items()
    }
    cell["type"] = kind
    cell["parameters"] = {name: f"{value:032b}" for name, value in parameters.items()}
    cell["connections"] = ports
    cell["port_directions"] = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")


def _pins(port: str, width: int) -> list[str]:
    return [f"{port}{k}" for k in range(width)] if width else [port]
