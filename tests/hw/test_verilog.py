import json
import re
import subprocess
import sys

import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from gatewright.cosim.toolchain import lint
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.driven import MAPPED_TOP, emit_mapped
from gatewright.hw.fpga.verilog import AXI_TOP, TOP, emit, emit_axi, emit_component
from gatewright.hw.fpga.yosys import run_yosys
from gatewright.hw.interface import COUNTERS, LOAD_ADDRESS, ErrorCode
from gatewright.hw.ops import ARGUMENTS, HEADER_LAYOUT, Opcode

CONFIG = AcceleratorConfig(
    lanes=4,
    cell_lanes=1,
    weight_depth=64,
    index_depth=32,
    accumulator_rows=4,
    activation_depth=32,
    bias_depth=4,
    state_depth=4,
    program_depth=4,
)


@pytest.fixture(scope="module")
def verilog():
    return emit(CONFIG)


class Store(wiring.Component):
    """A memory of zeros, a table, a signal of no bits, and an array."""

    def __init__(self, init):
        self.init = init
        super().__init__({"address": In(3), "data": In(4), "read": Out(4), "table": Out(4), "none": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = memory.Memory(shape=unsigned(4), depth=8, init=[])
        m.submodules.rom = rom = memory.Memory(shape=unsigned(4), depth=8, init=self.init)
        write, read, table = store.write_port(), store.read_port(), rom.read_port()
        nothing = Signal(0)
        array = Signal(data.ArrayLayout(4, 2))
        m.d.comb += [
            write.en.eq(1),
            write.addr.eq(self.address),
            write.data.eq(self.data),
            read.addr.eq(self.address),
            table.addr.eq(self.address),
            array[1].eq(read.data),
            self.read.eq(array[1]),
            self.table.eq(table.data),
            self.none.eq(nothing.any()),
        ]
        return m


def test_memories_of_zeros_are_loops_left_out_of_synthesis():
    text = emit_component(Store([1, 2, 3, 4, 5, 6, 7, 0]), "store")
    loops = re.findall(
        r"`ifndef SYNTHESIS\n  initial begin : fill\d+\n    integer entry;\n"
        r"    for .* \w+\[entry\] = 4'h0;\n  end\n`endif",
        text,
    )
    assert len(loops) == 1
    assert "entry < 8;" in loops[0]
    assert "= 32'h07654321;" in text


def test_zeros_of_32_bits_are_loops_too(verilog):
    """Yosys writes them in decimal; accumulators have this width by default."""
    assert CONFIG.accumulator_bits == 32
    assert re.search(r"\[entry\] = 32'h0;", verilog)
    assert not re.search(r"\[\d+\] = \d+'d0;", verilog)


def test_signals_of_no_bits_are_left_out():
    text = emit_component(Store([1] * 8), "store")
    assert "[-1:0]" not in text


def test_elements_of_arrays_cannot_be_taken_for_bits():
    text = emit_component(Store([1] * 8), "store")
    assert r"\array.1 " in text
    assert not re.search(r"\\\S*\[", text)


def test_text_does_not_depend_on_the_hash_seed(verilog):
    code = (
        "import sys, json; from gatewright.hw.config import AcceleratorConfig;"
        "from gatewright.hw.fpga.verilog import emit;"
        "sys.stdout.write(emit(AcceleratorConfig.from_json(json.loads(sys.argv[1]))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, json.dumps(CONFIG.to_json())],
        env={"PYTHONHASHSEED": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert run.stdout == verilog


def test_text_depends_on_the_configuration(verilog):
    other = AcceleratorConfig(**CONFIG.to_json() | {"weight_depth": 128})
    assert emit(other) != verilog


def test_no_trace_of_the_machine(verilog):
    assert "/" not in re.sub(r"//|/\*|\*/", "", verilog)
    assert "git sha1" not in verilog


def test_header_gives_configuration_and_layouts(verilog):
    header = verilog.partition("/* verilator")[0]
    configuration = re.search(r"Configuration: (.*)", header)[1]
    assert AcceleratorConfig.from_json(json.loads(configuration)) == CONFIG
    assert re.search(r"input  \[8:0\] +unsigned +i__payload\n//     \[7:0\] +signed +data\n", header)
    assert re.search(rf"output \[{COUNTERS.size - 1}:0\] +unsigned counters", header)
    lane = LOAD_ADDRESS["lane"]
    low = 32 + lane.offset
    assert f"[{low + lane.width - 1}:{low}]" in re.search(r".* lane\n", header)[0]
    assert f"{ErrorCode.LOAD_BUSY.value} LOAD_BUSY" in header
    first, width = next(iter(ARGUMENTS[Opcode.MATVEC].items()))
    low = HEADER_LAYOUT.size
    assert re.search(rf"MATVEC = 2\n// +\[{low + width - 1}:{low}\] +unsigned {first}\n", header)


def test_ports_of_the_top_module(verilog):
    ports = re.search(rf"^module {TOP}\((.*?)\);", verilog, re.MULTILINE)[1].split(", ")
    streams = [
        f"{name}__{part}" for name in ("load", "job", "i", "o") for part in ("payload", "valid", "ready")
    ]
    assert sorted(ports) == sorted([*streams, "clk", "rst", "busy", "error", "counters"])


def test_yosys_reads_it(verilog):
    checks = ["read_verilog -sv source", f"hierarchy -check -top {TOP}", "proc", "check -assert"]
    assert run_yosys(verilog, [*checks, "tee -q -o result stat"], seconds=60)


def test_verilator_has_no_complaint(verilog):
    assert lint(verilog, TOP) == []


LITE = {
    "aw": ("addr", "prot", "valid", "ready"),
    "w": ("data", "strb", "valid", "ready"),
    "b": ("resp", "valid", "ready"),
    "ar": ("addr", "prot", "valid", "ready"),
    "r": ("data", "resp", "valid", "ready"),
}
STREAMS = [f"{side}_axis_t{name}" for side in "sm" for name in ("data", "valid", "ready", "last")]


@pytest.mark.parametrize(
    ("emit_top", "top", "streams"), [(emit_axi, AXI_TOP, STREAMS), (emit_mapped, MAPPED_TOP, [])]
)
def test_axi_tops_have_the_names_that_tools_look_for(emit_top, top, streams):
    text = emit_top(CONFIG)
    ports = re.search(rf"^module {top}\(([^)]*)\);", text, re.MULTILINE)[1].replace("\n", "").split(", ")
    expected = ["aclk", "aresetn", *streams]
    expected += [f"s_axi_{channel}{name}" for channel, names in LITE.items() for name in names]
    assert sorted(ports) == sorted(expected)
    assert lint(text, top) == []
    header = text.partition("/* verilator")[0]
    assert re.search(r"0x00c ro STATUS\n//     \[0:0\] +unsigned busy\n", header)
    assert "besides clk" not in header
    assert ("0x804 ro OUTPUT" in header) == (top == MAPPED_TOP)


def test_the_style_of_memories_is_the_only_attribute(verilog):
    assert set(re.findall(r"\(\* (\w+)", verilog)) == {"ram_style", "no_rw_check"}
