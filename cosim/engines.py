"""The simulators that play job files on the delivered text, by name.

Verilator has the harness in SystemVerilog, CXXRTL one in C++ that does the same in each cycle.
"""

from collections.abc import Sequence
from pathlib import Path

from gatewright.cosim import player, simulator, toolchain
from gatewright.cosim.cxxrtl import play as cxxrtl
from gatewright.cosim.cxxrtl import translate
from gatewright.cosim.measurement import Verification
from gatewright.cosim.testbenches.recordings import Recordings
from gatewright.custody import Engine
from gatewright.hw.config import AcceleratorConfig
from gatewright.progress import Progress, silent


def check(engine: Engine) -> None:
    """Raise the `ToolError` that a missing tool of an engine will raise, before anything is done."""
    if engine == "cxxrtl":
        toolchain.compiler(())
        translate.runtime()
    else:
        toolchain.compiler()


def build(
    engine: Engine,
    config: AcceleratorConfig,
    progress: Progress = silent,
    *,
    verilog: str | None = None,
    cycles: int = simulator.MILLIONS,
) -> Path:
    """Return the folder of a simulation of the plain top, as `simulator.build` does."""
    if engine == "cxxrtl":
        return translate.build(config, progress, verilog=verilog)
    return simulator.build(config, progress, verilog=verilog, cycles=cycles)


def run(
    engine: Engine,
    config: AcceleratorConfig,
    each: Sequence[Recordings],
    progress: Progress = silent,
    *,
    verilog: str | None = None,
) -> list[Verification]:
    """Run models of one configuration, one after the other, in one simulation of the plain top.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    cycles = sum(given.expected_cycles for given in each)
    simulation = build(engine, config, progress, verilog=verilog, cycles=cycles)
    if engine == "cxxrtl":
        return cxxrtl.play(simulation, each, progress)
    return player.play(simulation, each, progress)
