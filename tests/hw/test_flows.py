import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from small_designs import Products

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import ConfigError
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.constraints import constraints_file
from gatewright.hw.fpga.demand import Demand, demand, shortages
from gatewright.hw.fpga.devices import DEVICES, ECP5, OPEN_DEVICES, VIVADO_DEVICE, device
from gatewright.hw.fpga.flows import write_flows
from gatewright.hw.fpga.implement import main
from gatewright.hw.fpga.serial import INSIDE, PLAIN_SERIAL_TOP, SERIAL_TOP, Instantiated, SerialPorts
from gatewright.hw.fpga.verilog import AXI_TOP, TOP, emit_component
from gatewright.hw.fpga.yosys import run_yosys
from gatewright.results import read_rows

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
        assert (f"| {known.name} | {known.family.name} | written |" in readme) == (known.name in written)
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
        top = PLAIN_SERIAL_TOP if known.family.name.startswith("iCE40") else SERIAL_TOP
        assert f"read_verilog -sv rtl/{INSIDE[top]}.sv rtl/{top}.sv;" in synthesis
        for command in known.family.synthesis:
            assert f"; {command.format(top=top)};" in synthesis
        assert f"; write_json {name}/netlist.json" in synthesis
        assert "--freq 80 --seed 7" in placement
        # A clock that is missed is a failure.
        assert "fail" not in placement
        assert " ".join(known.options) in placement
        named = re.findall(r"constraints/\S+", placement)
        assert len(named) == bool(known.family.constraints)
        for file in named:
            assert (folder / file).exists()
        assert all((folder / "rtl" / f"{module}.sv").exists() for module in (INSIDE[top], top))
    assert 'FREQUENCY PORT "clk" 80 MHZ' in (folder / "constraints/gatewright.lpf").read_text()
    assert "-period 12.500" in (folder / "constraints/gatewright.xdc").read_text()


@pytest.mark.parametrize("known", OPEN_DEVICES, ids=lambda known: known.name)
def test_every_family_reads_the_constraints_that_are_written_for_it(known):
    name, text = constraints_file(known, 80)
    assert bool(name) == bool(text) == bool(known.family.constraints)
    for port, pin in known.pins.items():
        assert re.search(rf"\b{port}\b.*\b{pin}\b|\b{pin}\b.*\b{port}\b", text)


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    """A folder like that of a delivered design, with a small one in it, and a device's script."""
    folder = tmp_path_factory.mktemp("placed")
    for part in ("rtl", "constraints", "ecp5-25k"):
        (folder / part).mkdir()
    products = Products(2)
    around = SerialPorts(Instantiated(AXI_TOP, products.signature.members, clocked=True))
    for module, component in {AXI_TOP: products, SERIAL_TOP: around}.items():
        (folder / "rtl" / f"{module}.sv").write_text(emit_component(component, module))
    name, constraints = constraints_file(device("ecp5-25k"), 80)
    (folder / "constraints" / name).write_text(constraints)
    return folder


@pytest.mark.slow
def test_a_delivered_script_runs_without_programs_on_the_path(flows, placed):
    script = (flows[0] / "ecp5-25k" / "run.py").read_text()
    (placed / "ecp5-25k" / "run.py").write_text(script)
    run = subprocess.run(
        [sys.executable, placed / "ecp5-25k" / "run.py", "--seed", "2"],
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "(80 asked for)" in run.stdout
    assert "multipliers: 2 of 28" in run.stdout
    (frequency,) = [row for row in read_rows(placed / "ecp5-25k/rows.json") if row.name == "placed_frequency"]
    assert (frequency.seed, frequency.value > 80) == (2, True)


@pytest.mark.slow
def test_a_clock_that_is_missed_fails_and_tells_where(placed, capsys):
    assert main(placed / "ecp5-25k", "ecp5-25k", 900, []) == 1
    told = capsys.readouterr().err
    assert re.search(r"ecp5-25k reaches \d+\.\d MHz with seed 1, not 900; the slowest path: ", told)
    assert "ns logic" in told
    assert "--seed" in told


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
    assert {os.path.basename(path) for path in added} == {f"{AXI_TOP}.sv", "gatewright.xdc"}


@pytest.mark.slow
@pytest.mark.parametrize("top", [TOP, AXI_TOP, *INSIDE])
def test_baked_memories_hold_the_image_and_cannot_be_written(flows, compiled, top):
    folder, _ = flows
    text = "".join(
        (folder / "rtl" / f"{module}.sv").read_text() for module in (INSIDE.get(top), top) if module
    )
    commands = [
        "read_verilog -sv -D SYNTHESIS source",
        f"hierarchy -check -top {top}",
        "proc",
        "memory_collect",
        "flatten",
        "delete */t:$scopeinfo",
        "write_json result",
    ]
    netlist = json.loads(run_yosys(text, commands, seconds=60))
    cells = netlist["modules"][top]["cells"].values()
    memories = {
        cell["parameters"]["MEMID"]: cell["parameters"] for cell in cells if cell["type"] == "$mem_v2"
    }
    places = {"weight": "weight_memory", "index": "index_memory", "column": "offset|count", "bias": "biases"}
    places["program"] = r"fetch\.memory"
    for kind, words in compiled.image.contents(CONFIG).items():
        names = [name for name in memories if re.search(rf"\b({places[kind]})(\$\d+)?$", name)]
        # In the order of the netlist, which is not that of the lanes; memories of zeros are left out.
        found = []
        for name in names:
            parameters = memories[name]
            assert int(parameters["WR_PORTS"], 2) == 0
            bits, init = int(parameters["WIDTH"], 2), int(parameters["INIT"], 2)
            found.append([init >> bits * k & (1 << bits) - 1 for k in range(int(parameters["SIZE"], 2))])
        assert sorted(found) == sorted([list(each) for each in words if any(each)])


def test_a_model_for_other_hardware(compiled, tmp_path):
    with pytest.raises(ConfigError, match="another configuration"):
        write_flows(tmp_path, replace(CONFIG, weight_depth=128), compiled)


def test_shortages():
    small = Demand(luts=100, block_rams=1, single_port_rams=0, multipliers=4)
    assert shortages(small, device("ecp5-25k")) == []
    assert shortages(small, device("ice40-hx8k")) == ["needs 4 multipliers, has 0"]
    many = Demand(luts=30_000, block_rams=57, single_port_rams=1, multipliers=4)
    assert shortages(many, device("ecp5-25k")) == [
        "needs 30000 look-up tables, has 24288",
        "needs 57 block RAMs, has 56",
        "needs 1 single-port RAMs, has 0",
    ]


def test_demand_follows_the_configuration():
    config = AcceleratorConfig(lanes=16, cell_lanes=2, narrowest_weight=8)
    plain = demand(config, ECP5)
    assert plain.multipliers == 16 + 8 * 2 + 1
    assert demand(replace(config, narrowest_weight=4), ECP5).multipliers == 2 * 16 + 8 * 2 + 1
    assert plain.block_rams > 16 * 4096 * 8 / (18 * 1024)
    # The zero flags: a cell of LUT RAM has 64 bits, and takes six look-up tables.
    sums = 16 * 32
    assert plain.luts == sums + 1024 * 6 // 64
    in_tables = demand(replace(config, block_accumulators=0), ECP5)
    assert in_tables.luts == sums + round((2 * 16 * 32 * 32 + 1024) * 6 / 64)
    # Without RAM in look-up tables, each of its bits takes one.
    assert demand(config, device("ice40-hx8k").family).luts == sums + 1024


def test_single_port_rams_hold_weights_and_indices_where_there_are_any():
    config = AcceleratorConfig(lanes=4, cell_lanes=1, single_port=1, weight_depth=16384, index_depth=1024)
    up5k, hx8k = device("ice40-up5k").family, device("ice40-hx8k").family
    # Two lanes in 16 bits: a word of 8 bits each, and an index of 5 bits, written as two nibbles.
    assert demand(config, up5k).single_port_rams == 2 + 2
    assert demand(config, hx8k).single_port_rams == demand(config, ECP5).single_port_rams == 0
    held = 4 * 16384 * 8 // 4096 + -(-4 * 5 // 16) * 4
    assert demand(config, hx8k).block_rams == demand(config, up5k).block_rams + held


def test_the_scripts_of_vivado_are_sound_tcl(flows):
    folder = flows[0] / VIVADO_DEVICE.name
    command = [sys.executable, "-m", "tclint.tclint", "--style-line-length", "120"]
    scripts = [folder / "run.tcl", folder / "ip.tcl"]
    done = subprocess.run([*command, *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    broken = folder / "broken.tcl"
    broken.write_text(scripts[1].read_text().replace("set opened [", "set opened ["[:-1], 1))
    done = subprocess.run([*command, broken], capture_output=True, text=True, check=False)
    broken.unlink()
    assert done.returncode != 0


def test_the_scripts_of_vivado_name_files_and_ports_that_are_there(flows):
    folder = flows[0] / VIVADO_DEVICE.name
    text = (folder / "ip.tcl").read_text() + (folder / "run.tcl").read_text()
    for name in re.findall(r"\.\. rtl (\S+)\]", text) + re.findall(r"join \$sources (\S+)\]", text):
        assert (flows[0] / "rtl" / name).is_file()
    (buses,) = re.findall(r"foreach bus \{(.*?)\}", text)
    ports = (flows[0] / "rtl" / f"{AXI_TOP}.sv").read_text()
    assert all(re.search(rf"\b{bus}_\w*valid\b", ports) for bus in buses.split())
