import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import ConfigError, ToolError
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.baking import bake
from gatewright.hw.fpga.demand import Demand, demand, shortages
from gatewright.hw.fpga.devices import DEVICES, OPEN_DEVICES, VIVADO_DEVICE, device
from gatewright.hw.fpga.flows import write_flows
from gatewright.hw.fpga.serial import SERIAL_TOP
from gatewright.hw.fpga.verilog import AXI_TOP, TOP
from gatewright.hw.interface import Region, load_address

CONFIG = AcceleratorConfig(
    lanes=4,
    cell_lanes=1,
    weight_depth=256,
    index_depth=128,
    column_depth=32,
    accumulator_rows=16,
    activation_depth=64,
    bias_depth=16,
    state_depth=16,
    program_depth=16,
)


@pytest.fixture(scope="module")
def compiled():
    bundle = random_bundle(3, inputs=3, hidden=5, classes=2, lanes=CONFIG.lanes, unbalanced=0.5)
    return compile_bundle(bundle, CONFIG, mode="sparse")


@pytest.fixture(scope="module")
def flows(compiled, tmp_path_factory):
    """A folder, and the devices whose flows were written to it."""
    folder = tmp_path_factory.mktemp("flows")
    files = write_flows(folder, CONFIG, compiled, megahertz=80)
    assert sorted(files) == sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    return folder, [name for name in DEVICES if f"{name}/README.md" in files]


def test_every_flow_that_fits_is_written(flows):
    folder, written = flows
    assert written == [
        known.name for known in (*OPEN_DEVICES, VIVADO_DEVICE) if (folder / known.name).exists()
    ]
    assert {"ecp5-25k", "ecp5-45k", "ecp5-85k", VIVADO_DEVICE.name} <= set(written)
    readme = (folder / "README.md").read_text()
    for known in (*OPEN_DEVICES, VIVADO_DEVICE):
        assert f"| {known.name} |" in readme
        assert (f"| {known.name} | {known.family} | written |" in readme) == (known.name in written)
    for name in written:
        assert (folder / name / "README.md").read_text().startswith("# ")


def test_scripts_call_the_tools_with_files_that_exist(flows, tmp_path):
    folder, written = flows
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\necho "$(basename "$PWD")|$*"\n')
    tool.chmod(0o755)
    for name in written:
        if name == VIVADO_DEVICE.name:
            continue
        known = device(name)
        run = subprocess.run(
            [folder / name / "run.sh"],
            env={**os.environ, "YOSYS": str(tool), "NEXTPNR": str(tool), "SEED": "7"},
            capture_output=True,
            text=True,
            check=True,
        )
        synthesis, placement = run.stdout.splitlines()
        assert synthesis.startswith(f"{folder.name}|")
        assert f"rtl/{SERIAL_TOP}.sv" in synthesis
        assert known.synthesis.format(top=SERIAL_TOP, json=f"{name}/netlist.json") in synthesis
        assert "--seed 7" in placement
        assert " ".join(known.options) in placement
        for file in re.findall(r"constraints/\S+", placement):
            assert (folder / file).exists()
        assert (folder / "rtl" / f"{SERIAL_TOP}.sv").exists()
    assert 'FREQUENCY PORT "clk" 80 MHZ' in (folder / "constraints/gatewright.lpf").read_text()
    assert "-period 12.500" in (folder / "constraints/gatewright.xdc").read_text()


def test_the_vivado_script_is_tcl_that_finds_its_files(flows):
    tkinter = pytest.importorskip("tkinter")
    folder, _ = flows
    tcl = tkinter.Tcl()
    # Vivado's commands are recorded; everything else must be known to Tcl itself.
    vivado = (
        "create_project add_files set_property current_fileset get_runs launch_runs wait_on_run open_run "
        "report_utilization report_timing_summary"
    )
    tcl.eval("set calls {}")
    for command in vivado.split():
        tcl.eval(
            f"proc {command} {{args}} {{ lappend ::calls [list {command} {{*}}$args]; return {command} }}"
        )
    tcl.eval(f"source {{{folder / VIVADO_DEVICE.name / 'run.tcl'}}}")
    calls = [tcl.splitlist(call) for call in tcl.splitlist(tcl.eval("set calls"))]
    assert {call[0] for call in calls} == set(vivado.split())
    added = [path for call in calls if call[0] == "add_files" for path in tcl.splitlist(call[-1])]
    assert all(os.path.exists(path) for path in added)
    assert {os.path.basename(path) for path in added} == {
        f"{AXI_TOP}.sv",
        "gatewright.xdc",
        *(path.name for path in (folder / "rtl").glob("*.mem")),
    }


def test_baked_memories_hold_what_the_load_bus_would_bring(flows, compiled):
    folder, _ = flows
    image = {int(address): int(value) for address, value in compiled.image.load_words()}
    seen = set()

    def compare(file, depth, region, lanes, bits):
        words = [int(line, 16) for line in (folder / "rtl" / file).read_text().split()]
        assert len(words) == depth
        for offset, word in enumerate(words):
            for place, lane in enumerate(lanes):
                address = load_address(region, lane, offset)
                assert word >> bits * place & (1 << bits) - 1 == image.get(address, 0)
                seen.add(address)

    for lane in range(CONFIG.lanes):
        compare(f"weight_{lane}.mem", CONFIG.weight_depth, Region.WEIGHT, [lane], 8)
        compare(f"index_{lane}.mem", CONFIG.index_depth, Region.INDEX, [lane], CONFIG.index_bits)
    compare("bias.mem", CONFIG.bias_depth, Region.BIAS, range(CONFIG.drain_lanes), 32)
    compare("program.mem", CONFIG.program_depth, Region.PROGRAM, range(4), 32)
    for lane, name in enumerate(("offset", "count")):
        compare(f"column_{name}.mem", CONFIG.column_depth, Region.COLUMN, [lane], 16)
    assert set(image) <= seen


def test_yosys_reads_every_text_with_its_memory_files(flows):
    folder, _ = flows
    for top in (TOP, AXI_TOP, SERIAL_TOP):
        code = (
            "from pyosys import libyosys as yosys\n"
            f"yosys.run_pass('read_verilog -sv -D SYNTHESIS {top}.sv')\n"
            f"yosys.run_pass('hierarchy -check -top {top}')\n"
            "yosys.run_pass('proc')\n"
            "yosys.run_pass('select -assert-min 1 t:$meminit*')\n"
        )
        subprocess.run([sys.executable, "-c", code], cwd=folder / "rtl", check=True, capture_output=True)


def test_a_memory_that_the_verilog_lacks(compiled):
    with pytest.raises(ToolError, match="no memory for: WEIGHT 0"):
        bake("module gatewright_accelerator();\nendmodule\n", compiled)


def test_a_model_for_other_hardware(compiled, tmp_path):
    with pytest.raises(ConfigError, match="another configuration"):
        write_flows(tmp_path, replace(CONFIG, weight_depth=128), compiled)


def test_shortages():
    small = Demand(luts=100, lut_ram_bits=640, block_ram_bits=1000, multipliers=4)
    assert shortages(small, device("ecp5-25k")) == []
    assert shortages(small, device("ice40-hx8k")) == ["needs 4 multipliers, has 0"]
    many = replace(small, luts=30_000, block_ram_bits=56 * 18 * 1024 + 1)
    assert [text.split(",")[0] for text in shortages(many, device("ecp5-25k"))] == [
        "needs 30060 look-up tables",
        f"needs {56 * 18 * 1024 + 1} bits of block RAM",
    ]
    # Without RAM in look-up tables, each of its bits takes one.
    assert shortages(replace(small, multipliers=0, lut_ram_bits=7_600), device("ice40-hx8k")) == [
        "needs 7700 look-up tables, has 7680"
    ]


def test_demand_follows_the_configuration():
    plain = demand(AcceleratorConfig(lanes=16, cell_lanes=2, narrowest_weight=8))
    assert plain.multipliers == 16 + 8 * 2 + 1
    assert (
        demand(AcceleratorConfig(lanes=16, cell_lanes=2, narrowest_weight=4)).multipliers
        == 2 * 16 + 8 * 2 + 1
    )
    assert plain.block_ram_bits > 16 * 4096 * 8
    # Two copies of the zero flags, and nothing else.
    assert plain.lut_ram_bits == 2 * 1024
    in_tables = demand(AcceleratorConfig(lanes=16, cell_lanes=2, block_accumulators=0))
    assert in_tables.lut_ram_bits == 2 * 16 * 32 * 32 + 2 * 1024
