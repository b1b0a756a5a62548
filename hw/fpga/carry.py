"""Carry chains of an ECP5: a small table before an adder moves into it, which Yosys does not do."""

import json
from itertools import permutations
from typing import Any

from gatewright.hw.fpga.absorb import readers, top_module

Cell = dict[str, Any]

_ADD = "1001011010101010"
"""Table of a half of a CCU2C that adds inputs A and B, with C = 0 and D = 1."""


def fold(netlist: str) -> str:
    """Move look-up tables that choose or gate one summand of an adder into the adder.

    Each half of a CCU2C has a table of four inputs, of which an addition takes two. It gives the sum, A xor B, and if
    that is 0 the carry, A; but the carry looks at the table where C and D are 0. So B may be any function of three
    inputs that is 0 where two of them are: a choice of two nets, a gate.

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
    module = top_module(design)
    cells: dict[str, Cell] = module["cells"]
    read_by = readers(module)
    tables = {cell["connections"]["Z"][0]: name for name, cell in cells.items() if cell["type"] == "LUT4"}
    for adder in [cell for cell in cells.values() if cell["type"] == "CCU2C"]:
        for half in "01":
            connections = adder["connections"]
            fixed = connections[f"C{half}"] + connections[f"D{half}"]
            if adder["parameters"][f"INIT{half}"] != _ADD or fixed != ["0", "1"]:
                continue
            for summand, other in ("AB", "BA"):
                (net,) = connections[f"{summand}{half}"]
                found = _inputs(cells[tables[net]]) if net in tables and read_by[net] == 1 else None
                if found is not None:
                    nets, table = found
                    connections[f"A{half}"] = connections[f"{other}{half}"]
                    for port, chosen in zip("BCD", nets, strict=True):
                        connections[f"{port}{half}"] = [chosen]
                    adder["parameters"][f"INIT{half}"] = table
                    del cells[tables.pop(net)]
                    break
    return json.dumps(design)


def _inputs(lut: Cell) -> tuple[tuple[int | str, ...], str] | None:
    """Give the nets of B, C and D, and the table, with which an adder has a look-up table's output as its summand.

    None if it cannot: the look-up table has four inputs, or is 1 whatever one of them where the others are 0.
    """
    pins = [lut["connections"][port][0] for port in "ABCD"]
    nets = sorted({net for net in pins if isinstance(net, int)})
    if len(nets) > 3:
        return None
    table = lut["parameters"]["INIT"]
    candidates: list[int | str] = [*nets, *["0"] * (3 - len(nets))]
    for order in permutations(candidates):

        def summand(b: int, c: int, d: int, order=order) -> int:
            known = dict(zip(order, (b, c, d), strict=True)) | {"0": 0, "1": 1, "x": 0}
            return int(table[~sum(known[pin] << bit for bit, pin in enumerate(pins))])

        if not any(summand(b, 0, 0) for b in (0, 1)):
            # From the highest address down: D, C, B, A.
            rows = [(d, c, b, a) for d in (1, 0) for c in (1, 0) for b in (1, 0) for a in (1, 0)]
            return order, "".join(str(a ^ summand(b, c, d)) for d, c, b, a in rows)
    return None
