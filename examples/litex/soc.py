"""A LiteX SoC with a VexRiscv and the accelerator, and firmware that runs a sequence on it with the C driver.

    python soc.py fpga --model model.auto --elements elements.txt -o soc

writes the SoC to the folder ``soc``, compiles the firmware, and simulates both with Verilator.
"""

import argparse
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import litex.soc
import numpy as np
from litex.build.generic_platform import Pins, Subsignal
from litex.build.io import CRG
from litex.build.sim import SimPlatform
from litex.soc.integration.builder import Builder
from litex.soc.integration.common import get_mem_data
from litex.soc.integration.soc_core import SoCCore

import gatewright.host
from gatewright.cosim import toolchain
from gatewright.integration.litex import add_gatewright

HERE = Path(__file__).parent
DRIVER = Path(gatewright.host.__file__).parent / "c"

CLOCK = 100e6
ROM_BYTES, SRAM_BYTES = 0x10000, 0x2000
CYCLES = 5_000_000
"""Limit of the simulation."""

_TARGET = ["-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m"]

_IO = [
    ("sys_clk", 0, Pins(1)),
    (
        "serial",
        0,
        Subsignal("source_valid", Pins(1)),
        Subsignal("source_ready", Pins(1)),
        Subsignal("source_data", Pins(8)),
        Subsignal("sink_valid", Pins(1)),
        Subsignal("sink_ready", Pins(1)),
        Subsignal("sink_data", Pins(8)),
    ),
]


class SoC(SoCCore):
    """VexRiscv, ROM, SRAM, UART and the accelerator.

    Parameters
    ----------
    build : Path
        Folder of a build with the top behind registers alone.
    firmware : callable
        Called when the SoC's headers are there; returns the file of the ROM's contents.
    """

    def __init__(self, build, firmware):
        platform = SimPlatform("SIM", _IO, name="sim")
        self.crg = CRG(platform.request("sys_clk"))
        super().__init__(
            platform,
            CLOCK,
            cpu_type="vexriscv",
            integrated_rom_size=ROM_BYTES,
            integrated_sram_size=SRAM_BYTES,
            uart_name="sim",
            ident="Gatewright on LiteX",
            ident_version=False,
        )
        self.firmware = firmware
        add_gatewright(self, build / "rtl" / "gatewright_mapped.sv")

    def init_mems(self, **_):
        """Compile the firmware once its headers are there: LiteX calls this before it writes the Verilog."""
        program = self.firmware()
        self.init_rom("rom", contents=get_mem_data(str(program), endianness=self.cpu.endianness))


class Sequence:
    """A sequence for a model of a build.

    Parameters
    ----------
    build : Path
    model : str
        ``NAME.STORAGE``, as the image is called.
    elements : int array [steps, inputs]
    """

    def __init__(self, build: Path, model: str, elements: np.ndarray):
        self.build, self.model, self.elements = build.resolve(), model, elements
        formats = json.loads((build / "wire.json").read_text())["models"]
        (told,) = [each for each in formats if f"{each['name']}.{each['storage']}" == model]
        steps = len(elements)
        times = {"all": steps, "last": 1}
        self.defines = {
            "STEPS": steps,
            "INPUTS": told["input"]["size"],
            "RESULTS": sum(times[each["steps"]] * each["size"] for each in told["results"]),
            "SKIP": told["skip"],
            "THRESHOLD": told["threshold"],
        }

    def compile(self, folder: Path) -> Path:
        """Compile the firmware with the SoC's generated headers; return the contents of its ROM."""
        data = folder / "elements.bin"
        data.write_bytes(self.elements.astype("<i2").tobytes())
        defines = {
            **self.defines,
            "IMAGE": f'"{self.build}/images/{self.model}.bin"',
            "ELEMENTS": f'"{data}"',
        }
        include = [
            folder / "software" / "include",
            resources.files(litex.soc) / "software" / "include",
            resources.files(litex.soc) / "cores" / "cpu" / "vexriscv",
            DRIVER,
            self.build / "registers",
        ]
        command = [
            *(sys.executable, "-m", "ziglang", "cc", *_TARGET, "-O2", "-g0", "-ffreestanding", "-nostdlib"),
            *(f"-I{path}" for path in include),
            *(f"-D{name}={value}" for name, value in defines.items()),
            *("-T", HERE / "firmware.ld", HERE / "start.S", HERE / "firmware.c", DRIVER / "gatewright.c"),
            *("-o", folder / "firmware.elf"),
        ]
        # The linker looks for the generated memory regions in its working folder.
        run(command, include[0])
        program = folder / "firmware.bin"
        copy = ["objcopy", "-O", "binary", folder / "firmware.elf", program]
        run([sys.executable, "-m", "ziglang", *copy], folder)
        return program


def run(command: list, folder: Path) -> None:
    """Run a command in a folder; if it fails, end with what it said last."""
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit((done.stdout + done.stderr)[-3000:])


def make(sequence: Sequence, folder: Path) -> Path:
    """Write the SoC with its firmware to a folder; return the simulation's program."""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    soc = SoC(sequence.build, lambda: sequence.compile(folder))
    builder = Builder(soc, output_dir=str(folder), compile_software=False)
    # LiteX writes all files; its own simulation needs libevent and json-c, this bench needs Verilator alone.
    builder.build(run=False)
    gateware = folder / "gateware"
    sources = [HERE / "bench.sv", *(Path(path) for path, *_ in soc.platform.sources)]
    options = ["-Wno-fatal", "-Wno-lint", "-MAKEFLAGS", "OPT_FAST=-O0", f"-DCYCLES={CYCLES}"]
    command = ["verilator", "--binary", *options, "--top-module", "bench", *sources]
    with toolchain.environment():
        run(command, gateware)
    return gateware / "obj_dir" / "Vbench"


def main() -> int:
    """Make the SoC, run it and print what the firmware says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("build", type=Path, help="folder of a build for a host without streams")
    parser.add_argument("--model", required=True, help="NAME.STORAGE, as the image is called")
    parser.add_argument("--elements", type=Path, required=True, help="integers, one step a line")
    parser.add_argument("-o", "--output", type=Path, default=Path("soc"), help="folder that is made")
    given = parser.parse_args()
    elements = np.loadtxt(given.elements, dtype=np.int64, ndmin=2)
    program = make(Sequence(given.build, given.model, elements), given.output)
    return subprocess.run([program], cwd=program.parent.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
