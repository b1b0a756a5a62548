import json

import pytest

from gatewright.hw.area.modules import cells_by_module

VERILOG = """// A header.
module \\top.matrix.lane0 (clk);
  reg sum;
endmodule
module \\top.matrix (clk);
endmodule
module top(clk);
endmodule
"""


def cell(kind, inputs, outputs, line=None):
    return {
        "type": kind,
        "attributes": {} if line is None else {"src": f"source:{line}.3-{line}.9"},
        "port_directions": {f"I{bit}": "input" for bit in inputs} | {f"O{bit}": "output" for bit in outputs},
        "connections": {f"I{bit}": [bit] for bit in inputs} | {f"O{bit}": [bit] for bit in outputs},
    }


def netlist(**cells):
    return json.dumps({"modules": {"top": {"attributes": {"top": "1"}, "cells": cells}}})


def modules_of(**cells):
    """Count the cells of each module that has some."""
    return {name: dict(found) for name, found in cells_by_module(netlist(**cells), VERILOG).items() if found}


@pytest.mark.parametrize(("line", "module"), [(2, "lanes"), (3, "lanes"), (5, "matrix"), (7, "ports")])
def test_a_register_is_of_the_module_of_its_text(line, module):
    assert modules_of(register=cell("TRELLIS_FF", [1], [2], line)) == {module: {"TRELLIS_FF": 1}}


def test_logic_goes_with_what_it_leads_to():
    found = modules_of(
        first=cell("LUT4", [1], [2]),
        second=cell("LUT4", [2], [3]),
        register=cell("TRELLIS_FF", [3], [4], 3),
        port=cell("LUT4", [4], [5]),
    )
    assert found == {"lanes": {"LUT4": 2, "TRELLIS_FF": 1}, "ports": {"LUT4": 1}}


def test_logic_that_runs_in_a_circle_is_counted():
    assert modules_of(one=cell("LUT4", [1], [2]), other=cell("LUT4", [2], [1])) == {"ports": {"LUT4": 2}}


def test_a_memory_is_of_the_module_that_holds_it():
    cells = {
        "matrix.lane11.accumulators0.buffer1.0.0": cell("DP16KD", [1], [2]),
        "accelerator.drain.buffer.storage.0.0": cell("TRELLIS_DPR16X4", [3], [4]),
        "drainage.0.0": cell("TRELLIS_DPR16X4", [5], [6]),
        "scope": cell("$scopeinfo", [], []),
    }
    assert modules_of(**cells) == {
        "lanes": {"DP16KD": 1},
        "drain": {"TRELLIS_DPR16X4": 1},
        "ports": {"TRELLIS_DPR16X4": 1},
    }
