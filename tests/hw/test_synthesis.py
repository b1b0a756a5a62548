import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import ToolError
from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.area.resources import Counts, Resources
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.demand import demand
from gatewright.hw.fpga.devices import ECP5
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import emit, emit_component

MULTIPLIER = """
module multiplier(input clk, input signed [7:0] a, b, output reg signed [15:0] y);
  always @(posedge clk) y <= a * b;
endmodule
"""


def test_sums_over_cells():
    cells = {
        "LUT4": 10,
        "CCU2C": 3,
        "TRELLIS_DPR16X4": 2,
        "TRELLIS_FF": 7,
        "DP16KD": 4,
        "PDPW16KD": 1,
        "PFUMX": 9,
    }
    modules = {"lanes": Counts.of_cells(cells), "ports": Counts(1, 0, 2, 3)}
    resources = Resources.of_modules("synthesis", modules, cells)
    assert resources.luts == 10 + 2 * 3 + 6 * 2 + 2
    assert (resources.multipliers, resources.block_ram, resources.flip_flops) == (1, 5, 7 + 3)
    rows = {(row.name, row.parameters.get("type")): row.value for row in resources.rows()}
    assert rows["cells", "PFUMX"] == 9
    assert rows["luts", None] == 30
    assert rows["multipliers", None] == 1


def test_one_multiplier():
    told = []
    resources = synthesise(MULTIPLIER, lambda *step: told.append(step), top="multiplier")
    assert resources.cells["MULT18X18D"] == resources.multipliers == 1
    assert resources.flip_flops <= 16
    assert not [name for name in resources.cells if name.startswith("$")]
    assert [step[1] for step in told] == list(range(1, told[-1][2] + 1))


class Store(wiring.Component):
    """A block RAM that is read and written in the same cycle."""

    def __init__(self, attributes):
        self.attributes = attributes
        super().__init__({"row": In(9), "old": In(9), "word": In(36), "write": In(1), "read": Out(36)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=36, depth=512, init=[], attrs=self.attributes)
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [read.addr.eq(self.row), self.read.eq(read.data)]
        m.d.comb += [write.addr.eq(self.old), write.data.eq(self.word), write.en.eq(self.write)]
        return m


def test_no_logic_for_collisions_that_a_memory_rules_out():
    careful = synthesise(emit_component(Store({}), "store"), top="store")
    assert careful.block_ram == 1
    assert careful.luts >= 36
    assert careful.flip_flops >= 36
    assert synthesise(emit_component(Store({"collision": "none"}), "store"), top="store").cells == {
        "DP16KD": 1
    }


def test_broken_verilog():
    with pytest.raises(ToolError, match="syntax error"):
        synthesise("module broken(", top="broken")


@pytest.mark.slow
def test_accelerator():
    config = AcceleratorConfig(
        lanes=4,
        cell_lanes=1,
        weight_depth=4096,
        index_depth=512,
        accumulator_rows=16,
        activation_depth=32,
        bias_depth=16,
        state_depth=16,
        program_depth=16,
    )
    resources = synthesise(emit(config))
    # One in each lane; in each cell lane f·c, i·g, o·tanh(c) and the five interpolations; one for column addresses.
    assert resources.multipliers == config.lanes + 8 * config.cell_lanes + 1
    assert demand(config, ECP5).multipliers == resources.multipliers
    assert demand(config, ECP5).luts < resources.luts
    assert resources.block_ram == estimate_resources(config).block_ram


@pytest.mark.slow
def test_a_baked_model_takes_less():
    bundle = random_bundle(3, inputs=3, hidden=5, classes=2, lanes=4)
    config = smallest_config([(bundle, "sparse")], lanes=4, cell_lanes=1)
    image = compile_bundle(bundle, config, mode="sparse").image
    loaded, baked = synthesise(emit(config)), synthesise(emit(config, image))
    assert baked.luts < 0.85 * loaded.luts
    assert baked.flip_flops < loaded.flip_flops
    assert baked.block_ram <= loaded.block_ram
    assert baked.multipliers == loaded.multipliers
