"""Registers of an ECP5's block RAMs and multipliers: flip-flops beside them move in, which Yosys does not do."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

_OPERAND_BITS = 18
_PRODUCT_BITS = 36
_PSEUDO_DUAL_WIDTH = 36
"""Width of port A of a DP16KD by which nextpnr knows that A only writes and B only reads; B then has all outputs."""

Cell = dict[str, Any]


def absorb(netlist: str) -> str:
    """Move flip-flops into the block RAM that they alone read, and into the multiplier that they feed or read.

    A block RAM gives data 5.6 ns after the clock, 1.0 ns with its output register (speed grade 6); a multiplier takes
    3.9 ns and the routing to and from it, 3.5 ns in all between registers of its own. The netlist does what it did:
    only flip-flops move that load at rising edges of one clock, have no reset, and begin with zero as the registers of
    the blocks do. They move

    - to a port of a block RAM, if all bits that are read of it go to such flip-flops and nowhere else, and these load
      when the port reads: always, or with the same enable;
    - to the product of a multiplier, on the same condition, if they always load;
    - to the operands of a multiplier, if every bit of both comes from such flip-flops or is zero, because nextpnr
      times a multiplier with one registered operand as if it had none; and if no logic is in front of them, which
      would get the way to the multiplier, too. A flip-flop that others read stays for them, and a copy moves.

    Parameters
    ----------
    netlist : str
        Flat and mapped to primitives of the ECP5, as ``write_json`` of Yosys writes it.

    Returns
    -------
    str
        The same design.
    """
    design = json.loads(netlist)
    _Netlist(top_module(design)).absorb()
    return json.dumps(design)


def top_module(design: dict) -> dict:
    """Return the top module of a netlist that was read from JSON."""
    return next(each for each in design["modules"].values() if int(each["attributes"].get("top", "0"), 2))


def readers(module: dict) -> Counter:
    """Count the pins of cells and ports that read each net."""
    ports = [port["bits"] for port in module["ports"].values() if port["direction"] != "input"]
    inputs = [
        bits
        for cell in module["cells"].values()
        for name, bits in cell["connections"].items()
        if cell["port_directions"][name] != "output"
    ]
    return Counter(net for bits in (*ports, *inputs) for net in bits)


class _Netlist:
    """Cells, and who reads and drives the nets between them; a net is a number, or a string where it is constant."""

    def __init__(self, module: dict):
        self.cells: dict[str, Cell] = module["cells"]
        self.readers = readers(module)
        plain = {name: cell for name, cell in self.cells.items() if _is_plain(cell)}
        self.loading = {_net(cell, "DI"): name for name, cell in plain.items()}
        self.driving = {_net(cell, "Q"): name for name, cell in plain.items()}
        self.logic = {
            net
            for cell in self.cells.values()
            if cell["type"] not in ("TRELLIS_FF", "DP16KD")
            for name, bits in cell["connections"].items()
            if cell["port_directions"][name] == "output"
            for net in bits
        }

    def absorb(self) -> None:
        multipliers = [cell for cell in self.cells.values() if cell["type"] == "MULT18X18D"]
        for memory in [cell for cell in self.cells.values() if cell["type"] == "DP16KD"]:
            self._read_registered(memory)
        for multiplier in multipliers:
            self._register_product(multiplier)
        for multiplier in multipliers:
            self._register_operands(multiplier)

    def _read_registered(self, memory: Cell) -> None:
        parameters, connections = memory["parameters"], memory["connections"]
        pseudo_dual = int(parameters["DATA_WIDTH_A"], 2) == _PSEUDO_DUAL_WIDTH
        if pseudo_dual and isinstance(_net(memory, "CLKA"), str):
            # A ROM has no clock for writing; but nextpnr times half of the outputs by that.
            connections["CLKA"] = connections["CLKB"]
        for sides in ["AB"] if pseudo_dual else ["A", "B"]:
            port = sides[-1]
            found = self._behind(memory, [f"DO{side}{bit}" for side in sides for bit in range(_OPERAND_BITS)])
            plain = parameters[f"CLK{port}MUX"] == f"CLK{port}" and _net(memory, f"RST{port}") == "0"
            # What the register does where it loads and the port does not read is not documented.
            reads = _net(memory, f"CE{port}")
            if plain and self._loads(found.values()) == {(_net(memory, f"CLK{port}"), reads)}:
                self._move(memory, found)
                for side in sides:
                    parameters[f"REGMODE_{side}"] = "OUTREG"
                    connections[f"OCE{side}"] = [reads]

    def _register_product(self, multiplier: Cell) -> None:
        found = self._behind(multiplier, [f"P{bit}" for bit in range(_PRODUCT_BITS)])
        clock = _always(self._loads(found.values()))
        if clock is not None:
            self._move(multiplier, found)
            _clock(multiplier, "OUTPUT", clock)

    def _register_operands(self, multiplier: Cell) -> None:
        inputs = [f"{operand}{bit}" for operand in "AB" for bit in range(_OPERAND_BITS)]
        bits = {name: net for name in inputs if (net := _net(multiplier, name)) not in ("0", "x")}
        if not all(net in self.driving for net in bits.values()):
            return
        before = {net: _net(self.cells[self.driving[net]], "DI") for net in bits.values()}
        clock = _always(self._loads(self.driving[net] for net in before))
        straight = self.logic.isdisjoint(before.values())
        if not straight or clock is None or _net(multiplier, "CLK0") not in (None, clock):
            return
        for name, net in bits.items():
            multiplier["connections"][name] = [before[net]]
            self.readers[before[net]] += 1
            self.readers[net] -= 1
        for net in before:
            if not self.readers[net]:
                self._remove(self.driving[net])
        for operand in "AB":
            _clock(multiplier, f"INPUT{operand}", clock)

    def _behind(self, cell: Cell, outputs: Iterable[str]) -> dict[str, str]:
        """Give the flip-flop behind each output that is read; none at all if one goes elsewhere."""
        found = {}
        for output in outputs:
            net = _net(cell, output)
            if not self.readers[net]:
                continue
            if self.readers[net] > 1 or net not in self.loading:
                return {}
            found[output] = self.loading[net]
        return found

    def _loads(self, flip_flops: Iterable[str]) -> set:
        """Give by which clocks they load, each with its enable."""
        return {(_net(self.cells[name], "CLK"), _enable(self.cells[name])) for name in flip_flops}

    def _move(self, cell: Cell, found: dict[str, str]) -> None:
        for output, name in found.items():
            cell["connections"][output] = self.cells[name]["connections"]["Q"]
            self._remove(name)

    def _remove(self, name: str) -> None:
        flip_flop = self.cells.pop(name)
        loaded = _net(flip_flop, "DI")
        self.readers[loaded] -= 1
        del self.driving[_net(flip_flop, "Q")]
        if self.loading[loaded] == name:
            del self.loading[loaded]


def _is_plain(cell: Cell) -> bool:
    """Whether a cell is a flip-flop that loads at rising edges, has no reset, and begins with zero."""
    if cell["type"] != "TRELLIS_FF":
        return False
    parameters = cell["parameters"]
    rising = parameters["CLKMUX"] == "CLK" and _enable(cell) is not None
    reset = parameters["LSRMUX"] != "LSR" or _net(cell, "LSR") != "0"
    return rising and not reset and parameters["REGSET"] == "RESET"


def _enable(flip_flop: Cell) -> int | str | None:
    """Give the net by which a flip-flop is enabled, "1" for always; None if it is the inverse of a net."""
    # Yosys puts a space behind text that could be taken for a number.
    match flip_flop["parameters"]["CEMUX"].strip():
        case "1":
            return "1"
        case "CE":
            return _net(flip_flop, "CE")
        case _:
            return None


def _always(loads: set) -> int | str | None:
    """Give the clock of flip-flops that load at each of its edges, if that holds for all."""
    ((clock, enable),) = loads if len(loads) == 1 else ((None, None),)
    return clock if enable == "1" else None


def _net(cell: Cell, port: str) -> int | str | None:
    """Give what a port of one bit is connected to."""
    bits = cell["connections"].get(port)
    return bits[0] if bits else None


def _clock(multiplier: Cell, register: str, clock: int | str | None) -> None:
    """Switch a register of a multiplier on."""
    # nextpnr writes no choice of enable and reset for the product, which then has the first of each.
    for port, net in (("CLK0", clock), ("CE0", "1"), ("RST0", "0")):
        multiplier["connections"][port] = [net]
        multiplier["port_directions"][port] = "input"
        multiplier["parameters"][f"REG_{register}_{port[:-1]}"] = port
    multiplier["parameters"]["GSR"] = "DISABLED"
