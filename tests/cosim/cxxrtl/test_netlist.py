"""What synthesis makes of the smallest accelerator computes what the golden model does, in as many cycles."""

import json
from dataclasses import replace

import pytest

from gatewright.cosim.cxxrtl.netlist import build_netlist, with_models
from gatewright.cosim.cxxrtl.play import play
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.player import prepare
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import ToolError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.fpga.absorb import top_module
from gatewright.hw.fpga.synthesis import netlist
from gatewright.hw.fpga.verilog import emit

pytestmark = pytest.mark.slow

LEAN = {"serial_cell": 1, "zero_skipping": 0, "auto_skipping": 0, "private": 0}


@pytest.fixture(scope="module")
def wanted():
    bundle = random_bundle(11, inputs=3, hidden=4, classes=2, lanes=4, activation_bits=8)
    config = replace(smallest_config([(bundle, "dense")], lanes=4, cell_lanes=1), **LEAN)
    sequences = [random_inputs(k, bundle, steps, zeros=0.3) for k, steps in enumerate((1, 5, 2))]
    compiled = compile_bundle(bundle, config, mode="dense", hidden_results="all")
    return Measurement(compiled, sequences, fresh=[True, True, False])


@pytest.fixture(scope="module")
def synthesised(wanted):
    return netlist(emit(wanted.compiled.config))


@pytest.fixture
def design(synthesised):
    return json.loads(synthesised)


def cells(design, kind):
    return [cell for _, cell in sorted(top_module(design)["cells"].items()) if cell["type"] == kind]


def test_netlist_equals_golden_model_and_cycle_model(synthesised, design, wanted):
    kinds = {cell["type"] for cell in top_module(design)["cells"].values()} - {"$scopeinfo"}
    assert kinds == {
        *("LUT4", "PFUMX", "L6MUX21", "CCU2C", "TRELLIS_FF"),
        *("TRELLIS_DPR16X4", "DP16KD", "MULT18X18D"),
    }
    simulation = build_netlist(synthesised)
    plain, stalled = play(simulation, [prepare(wanted), prepare(wanted, stalls=True, seed=3)])
    for found in (plain, stalled):
        assert found.mismatches == 0, found.report
        assert found.integers_compared == sum(wanted.compiled.result_count(len(x)) for x in wanted.sequences)
    for number, prediction in enumerate(wanted.predict()):
        for name, value in prediction.counters.items():
            assert plain.counters[name][number] == value


def test_one_other_table_is_found(design, wanted):
    tables = [name for name in sorted(top_module(design)["cells"]) if name.startswith("matrix.lane1.")]
    lut = next(cell for name in tables if (cell := top_module(design)["cells"][name])["type"] == "LUT4")
    lut["parameters"]["INIT"] = lut["parameters"]["INIT"].translate(str.maketrans("01", "10"))
    (found,) = play(build_netlist(json.dumps(design)), [prepare(wanted)])
    assert found.mismatches > 0
    assert "sequence 0, step 0, " in found.report


@pytest.mark.parametrize(
    ("kind", "part", "change", "what"),
    [
        ("DP16KD", "parameters", {"CLKBMUX": "INV"}, "a falling clock"),
        ("DP16KD", "parameters", {"DATA_WIDTH_B": "100"}, "words of less than 9 bits"),
        ("DP16KD", "connections", {"WEB": ["1"]}, "a port B that writes"),
        ("DP16KD", "connections", {"RSTB": [2]}, "an asynchronous reset"),
        ("DP16KD", "connections", {"CSA1": ["1"]}, "chip selects"),
        ("MULT18X18D", "parameters", {"REG_PIPELINE_CLK": "CLK0"}, "a register .* between the stages"),
        ("MULT18X18D", "parameters", {"REG_INPUTA_CLK": "NONE"}, "a register for one operand"),
        ("MULT18X18D", "parameters", {"REG_OUTPUT_CLK": "CLK1"}, "a clock other than CLK0"),
        ("MULT18X18D", "connections", {"CE0": [2]}, "an enable or reset"),
    ],
)
def test_cells_without_a_model_are_refused(design, kind, part, change, what):
    for cell in cells(design, kind):
        cell[part] |= change
    with pytest.raises(ToolError, match=f"cell .* has {what}, of which there is no model"):
        with_models(json.dumps(design))
