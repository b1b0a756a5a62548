"""The delivered text, or a netlist of it, as a program: Yosys reads it and writes C++, which is compiled."""

import json
import os
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path

from gatewright.cosim import processes
from gatewright.cosim.cache import cached
from gatewright.cosim.toolchain import compiler, compiler_version
from gatewright.errors import ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.verilog import TOP, emit
from gatewright.hw.fpga.yosys import run_yosys
from gatewright.progress import Progress, silent

PLAYER = Path(__file__).with_name("player.cc")
"""The program around the accelerator."""

QUICK_LANES = 128
"""With more lanes a program is compiled without optimising, as compiling hundreds of lanes would take longer than what
they are simulated for."""

_SECONDS = 3600
_LOAD_PORT = "load__valid"
"""A port of every text whose memories are loaded."""
_TEXT = ("read_verilog -sv -nosynthesis source",)
"""Without what Yosys says by itself: that it reads for synthesis, which hides the checks."""

# Flat and with what nobody reads gone, a cycle is one pass over the logic, and the compiler has half the work.
_WRITE = (
    f"hierarchy -check -top {TOP}",
    "proc",
    "flatten",
    "opt_expr",
    "opt_merge",
    "opt_clean -purge",
    "write_cxxrtl -g0 result",
)
_LOG_LINES = 30


def build(config: AcceleratorConfig, progress: Progress = silent, *, verilog: str | None = None) -> Path:
    """Return the folder of the simulation of one accelerator, built if the cache does not hold it.

    Parameters
    ----------
    config : AcceleratorConfig
    progress : Progress
        Told about the build.
    verilog : str, optional
        The text to simulate, of the module `gatewright_accelerator`; the emitted one unless given.

    Raises
    ------
    ToolError
        A tool is missing or the build failed; the text ends with the end of its log.
    """
    progress("building the simulation", 0, 1, "emitting Verilog")
    text = emit(config) if verilog is None else verilog
    # A baked memory is no longer than its contents. What is fetched ahead beyond them is not used.
    bounded = _LOAD_PORT in text
    folder = build_design(text, _TEXT, progress, quick=config.lanes > QUICK_LANES, bounded=bounded)
    progress("building the simulation", 1, 1, "")
    return folder


def build_design(
    source: str,
    read: Sequence[str],
    progress: Progress = silent,
    *,
    files: Sequence[Path] = (),
    quick: bool = False,
    bounded: bool = True,
) -> Path:
    """Do what `build` does, for anything that Yosys reads.

    Parameters
    ----------
    source : str
        The design, whose top is the module `gatewright_accelerator`.
    read : sequence of str
        Yosys's commands that read it from the file ``source``.
    progress : Progress
        Told about the build.
    files : sequence of Path
        What the commands read beside it.
    quick : bool
        Built sooner, and slower.
    bounded : bool
        A read outside of a memory stops the simulation; else it gives zeros.
    """
    include, yosys = runtime(), metadata.version("pyosys")
    flags = ["-std=c++20", "-O0" if quick else "-O2", *(() if bounded else ("-DCXXRTL_NDEBUG",))]
    commands = [*read, *_WRITE]
    texts = [source, PLAYER.read_text(), *(path.read_text() for path in files)]
    key = json.dumps(["cxxrtl", texts, commands, flags, yosys, compiler_version()])

    def fill(partial: Path, whole: Path) -> None:
        progress("building the simulation", 0, 1, "translating to C++")
        (partial / "accelerator.cc").write_text(run_yosys(source, commands, files=files, seconds=_SECONDS))
        (partial / "player.cc").write_text(texts[1])
        progress("building the simulation", 0, 1, "compiling")
        _compile(partial, whole / "player", [*flags, f"-I{include}"])

    return cached(key, fill)


def _compile(folder: Path, program: Path, flags: list[str]) -> None:
    command = [compiler(()), *flags, "player.cc", "-o", str(program)]
    log = folder / "build.log"
    with log.open("w") as stream:
        status = processes.run(command, cwd=folder, env=os.environ, log=stream)
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        raise ToolError(f"building the simulation failed (status {status}):\n{tail}")


def shared() -> Path:
    """Return the folder of what Yosys ships: headers, and models of the cells of FPGAs.

    Raises
    ------
    ToolError
        The package `pyosys` is not installed, or lacks it.
    """
    spec = util.find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ToolError("simulation with CXXRTL needs Yosys: pip install pyosys")
    folder = Path(spec.origin).parent / "share"
    if not folder.is_dir():
        raise ToolError(f"{folder.parent} has no folder `share`: pip install --force-reinstall pyosys")
    return folder


def runtime() -> Path:
    """Return the folder with the headers of what CXXRTL writes; raises what `shared` does."""
    folder = shared() / "include" / "backends" / "cxxrtl" / "runtime"
    if not (folder / "cxxrtl" / "cxxrtl.h").is_file():
        raise ToolError(f"{folder} lacks the headers of CXXRTL: pip install 'pyosys>=0.70'")
    return folder
