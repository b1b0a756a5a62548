"""Folders that FPGA tools run in: Verilog, constraints and a script for each flow."""

from collections.abc import Iterator
from pathlib import Path

from gatewright.errors import ConfigError
from gatewright.hw.boards.board import Board
from gatewright.hw.boards.folder import board_folder
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.constraints import constraints_file, placer_options
from gatewright.hw.fpga.demand import demand, shortages
from gatewright.hw.fpga.devices import DEVICES, ECP5, VIVADO_DEVICE, Device
from gatewright.hw.fpga.driven import BOARD_TOP, MAPPED_TOP, emit_mapped, emit_on_board
from gatewright.hw.fpga.fusesoc import CORE, core_file
from gatewright.hw.fpga.serial import INSIDE, PLAIN_SERIAL_TOP, SERIAL_TOP, emit_serial, serial_top
from gatewright.hw.fpga.verilog import AXI_TOP, TOP, emit, emit_axi
from gatewright.hw.registers import descriptions
from gatewright.hw.rtl.axi_registers import ADDRESS_BITS
from gatewright.storage import make_folder, undone, whole_file

_README = """\
# Gatewright for FPGAs

`rtl/` has the accelerator with plain ports (`{plain}`) and with AXI ports (`{axi}`). No package has pins for all of
them, so nextpnr places it behind shift registers, to tell area and clock frequency: `{serial}` instantiates that with
AXI ports, `{plain_serial}`, for an iCE40, that with plain ones.
{memories}

`registers/` describes the registers of the AXI ports: Markdown, JSON, a C header, and the top as IP-XACT (IEEE
1685-2014). `gatewright.core` is for FuseSoC.

| flow | device | state |
|---|---|---|
{flows}
"""

_BAKED = """\
A model is baked in: the memories that hold it can only be read, and there is nothing to load."""

_NOT_BAKED = "The memories are empty: a model is loaded at run time."

_OPEN_README = """\
# {family}, {device}

`python run.py` synthesises with Yosys and places with {placer} ({package}, speed {speed}) for a clock of {clock} MHz,
and fails if that is missed. It needs no more than `pip install gatewright {wheel}`, and takes `--seed` for another
placement. Result: `rows.json`.

`./run.sh` does the same with the programs `yosys` and `{placer}`, if there are any (set `YOSYS` and `NEXTPNR` for
other names, `SEED` for another placement){difference}. Result: `report.json`.
"""

_DIFFERENCE = ", but leaves registers outside block RAMs and multipliers, so that it is slower"

_RUN = """\
\"\"\"Synthesises, places and routes for {device} where Gatewright is installed: see README.md.\"\"\"

import sys
from pathlib import Path

from gatewright.hw.fpga.implement import main

sys.exit(main(Path(__file__).parent, "{device}", {clock}, sys.argv[1:]))
"""

_OPEN_SCRIPT = """\
#!/bin/sh
# Tools run in the folder above, with relative paths: WebAssembly builds see nothing else.
set -eu
cd "$(dirname "$0")/.."
"${{YOSYS:-yosys}}" -p "read_verilog -sv rtl/{inside}.sv rtl/{top}.sv; {synthesis}; write_json {device}/netlist.json"
"${{NEXTPNR:-{placer}}}" --json {device}/netlist.json --report {device}/report.json {options} --seed "${{SEED:-1}}"
"""

_VIVADO_README = """\
# Vivado

`vivado -mode batch -source run.tcl` makes a project with the AXI top, and synthesises and implements it out of context
for `{part}`; change `part` in the script for another device, also of UltraScale+. Reports: `reports/`. Gatewright only
writes these scripts and constraints: it does not run Vivado.

For a block design, `source ip.tcl` in the project that has one: it packages the AXI top as an IP in `ip/`, and adds
that folder to the project's IP repositories. Vivado infers the interfaces `s_axi`, `s_axis` and `m_axis` from the names
of the ports. Then:

1. Add the IP. Connect `aclk` to the clock of the design, and `aresetn` to the `peripheral_aresetn` of its reset block.
2. Connect `s_axi` to an AXI interconnect or SmartConnect, and assign it {range} of addresses.
3. Connect `s_axis` (elements of {bits} bits, a sequence's last one with `tlast`) and `m_axis` (results of 32 bits, the
   final one of each vector with `tlast`) to an AXI DMA in direct register mode, with transfers of as many bytes as a
   sequence and its results have. `m_axis` has a `tlast` for each vector, so a receiving transfer ends with each: ask
   for one vector in each, or put a FIFO there that gathers them.
4. Registers, load images and the formats of elements and results: `../registers/`, `../images/`, `../wire.json`.
"""

_VIVADO_SCRIPT = """\
set part {part}
set here [file dirname [file normalize [info script]]]
set sources [file join $here .. rtl]

create_project -force {top} [file join $here project] -part $part
add_files [file join $sources {top}.sv]
add_files -fileset constrs_1 [file join $here .. constraints gatewright.xdc]
set_property top {top} [current_fileset]
set options {{STEPS.SYNTH_DESIGN.ARGS.MORE OPTIONS}}
set_property -name $options -value {{-mode out_of_context}} -objects [get_runs synth_1]

launch_runs impl_1
wait_on_run impl_1
open_run impl_1
file mkdir [file join $here reports]
report_utilization -file [file join $here reports utilization.rpt]
report_timing_summary -file [file join $here reports timing.rpt]
"""

_VIVADO_IP = """\
# Packages the top with AXI ports as an IP, in a project of its own, and adds it to the project that is open.
set here [file dirname [file normalize [info script]]]
set opened [current_project -quiet]

create_project -force {top}_ip [file join $here ip_project] -part {part}
add_files [file join $here .. rtl {top}.sv]
set_property top {top} [current_fileset]
ipx::package_project -root_dir [file join $here ip] -vendor gatewright -library gatewright -import_files -force
set core [ipx::current_core]
set_property name {top} $core
set_property display_name "Gatewright LSTM accelerator" $core
foreach bus {{s_axi s_axis m_axis}} {{
    ipx::associate_bus_interfaces -busif $bus -clock aclk $core
}}
ipx::update_checksums $core
ipx::save_core $core
close_project

if {{$opened ne ""}} {{
    current_project $opened
    set repositories [get_property ip_repo_paths [current_project]]
    lappend repositories [file join $here ip]
    set_property ip_repo_paths $repositories [current_project]
    update_ip_catalog
}}
"""


def write_flows(
    folder: Path,
    config: AcceleratorConfig,
    compiled: Compiled | None = None,
    *,
    megahertz: float = 100,
    mapped: bool = False,
    board: Board | None = None,
) -> list[str]:
    """Write a folder with all that FPGA tools need, and a script for each device that the accelerator may fit.

    Parameters
    ----------
    folder : Path
        Is made; files of the same names are overwritten.
    config : AcceleratorConfig
    compiled : Compiled, optional
        A model for `config` that is baked in; without it the memories are loaded at run time.
    megahertz : float
        Clock frequency that the constraints ask for.
    mapped : bool
        Also write the top behind AXI4-Lite alone.
    board : Board, optional
        Also write what a bitstream for this board is made from.

    Returns
    -------
    list of str
        Every file that was written, relative to the folder, with ``/`` between names. ``README.md`` says why the flow
        of a device was not.

    Raises
    ------
    ConfigError
        `compiled` is for another configuration, or the clock is wrong for the board.
    ToolError
        Yosys is missing or failed.
    """
    if compiled is not None and compiled.config != config:
        raise ConfigError("the model was compiled for another configuration")
    missing = {name: shortages(demand(config, known.family), known) for name, known in DEVICES.items()}
    files = dict(_rtl(config, compiled, mapped, board is not None))
    if board is not None:
        image = None if compiled is None else compiled.image
        files[f"rtl/{BOARD_TOP}.sv"] = emit_on_board(config, image, board.line)
        files |= board_folder(board, megahertz)
    for name, known in DEVICES.items():
        if not missing[name]:
            files |= _vivado(known, config, megahertz) if known is VIVADO_DEVICE else _open(known, megahertz)
    files[CORE] = core_file(files)
    files["README.md"] = _README.format(
        plain=TOP,
        axi=AXI_TOP,
        serial=SERIAL_TOP,
        plain_serial=PLAIN_SERIAL_TOP,
        memories=_NOT_BAKED if compiled is None else _BAKED,
        flows="\n".join(
            f"| {name} | {known.family.name} | {'; '.join(missing[name]) or 'written'} |"
            for name, known in DEVICES.items()
        ),
    )
    with undone(folder, files):
        for name, text in files.items():
            path = Path(folder) / name
            make_folder(path.parent)
            with whole_file(path) as partial:
                partial.write_text(text)
                if path.suffix == ".sh":
                    partial.chmod(0o755)
    return list(files)


def _rtl(
    config: AcceleratorConfig, compiled: Compiled | None, mapped: bool, board: bool
) -> Iterator[tuple[str, str]]:
    """Yield the Verilog, and the descriptions of the registers."""
    image = None if compiled is None else compiled.image
    yield f"rtl/{TOP}.sv", emit(config, image)
    yield f"rtl/{AXI_TOP}.sv", emit_axi(config, image)
    if mapped:
        yield f"rtl/{MAPPED_TOP}.sv", emit_mapped(config, image)
    for top in INSIDE:
        yield f"rtl/{top}.sv", emit_serial(top, config, baked=image is not None)
    for name, text in descriptions(config, baked=image is not None, mapped=mapped, board=board).items():
        yield f"registers/{name}", text


def _xdc(megahertz: float) -> str:
    return f"create_clock -name aclk -period {1000 / megahertz:.3f} [get_ports aclk]\n"


def _open(device: Device, megahertz: float) -> dict[str, str]:
    family = device.family
    file, constraints = constraints_file(device, megahertz)
    top = serial_top(family)
    known = {
        "device": device.name,
        "family": family.name,
        "placer": family.placer,
        "wheel": family.wheel,
        "package": device.package,
        "speed": device.speed,
        "clock": f"{megahertz:g}",
        "difference": _DIFFERENCE if family is ECP5 else "",
        "top": top,
        "inside": INSIDE[top],
        "synthesis": "; ".join(family.synthesis).format(top=top),
        "options": " ".join(placer_options(device, file and f"constraints/{file}", megahertz)),
    }
    texts = {"README.md": _OPEN_README, "run.py": _RUN, "run.sh": _OPEN_SCRIPT}
    files = {f"{device.name}/{name}": text.format(**known) for name, text in texts.items()}
    return files | ({f"constraints/{file}": constraints} if file else {})


def _vivado(device: Device, config: AcceleratorConfig, megahertz: float) -> dict[str, str]:
    (part,) = device.options
    ports = {"range": f"{1 << ADDRESS_BITS - 10} KiB", "bits": config.activation_bits}
    return {
        "constraints/gatewright.xdc": _xdc(megahertz),
        f"{device.name}/README.md": _VIVADO_README.format(part=part, **ports),
        f"{device.name}/run.tcl": _VIVADO_SCRIPT.format(part=part, top=AXI_TOP),
        f"{device.name}/ip.tcl": _VIVADO_IP.format(part=part, top=AXI_TOP),
    }
