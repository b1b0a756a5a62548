"""The Verilated simulation: built once for each text, run in a child process."""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Verilator

from gatewright.cosim import processes
from gatewright.cosim.cache import cached, held
from gatewright.cosim.compilation import compile_program, levels
from gatewright.cosim.processes import Patience
from gatewright.cosim.toolchain import environment, versions
from gatewright.cosim.traffic import harness_parameters
from gatewright.errors import BrokenRuleError, ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.verilog import emit
from gatewright.hw.rtl.checks import CHECKS
from gatewright.progress import Progress, silent

TOP = "gatewright_harness"
"""Top module of the simulations that the harness drives."""

HARNESS = Path(__file__).with_name("harness.sv")
"""The harness around the emitted accelerator."""

_TIMESCALE = ("1ns", "1ps")
_BUILD_ARGS = [
    "--timing",
    "--assert",
    "-O3",
    "-Wno-fatal",
    "-Wno-lint",
]
# cocotb's runner makes every signal public, which costs speed; the harness marks those that benches need.
_HARNESS_ARGS = ["--no-public-flat-rw"]
# Rewriting the assertions of everything that a bench imports takes seconds; the benches say themselves what is wrong.
_ENVIRONMENT = {"COCOTB_REWRITE_ASSERTION_FILES": ""}
# What cocotb's runner raises when a command fails or something that it needs is missing.
_RUNNER_ERRORS = (RuntimeError, OSError, ValueError)
_LOG_LINES = 30
# What registers, and memories of zeros, begin with in the emitted text.
_REGISTER = re.compile(r"^(  reg .*?) = \d+'[hd][0-9a-f]+;$", re.MULTILINE)
_ZEROS = re.compile(
    r"^  initial begin(?: : \w+\n    integer entry;)?\n(?:    .* = \d+'[hd]0+;\n)+  end\n", re.MULTILINE
)
_BROKEN = re.compile(rf"Assertion failed in (\S+?)(?:\.{CHECKS})?\.never_(\w+)")

MILLIONS = 5_000_000
"""Cycles of a simulation of which nobody knows yet how long it will run."""

PULSE = "pulse"
"""File that the harness adds to while cycles pass."""


def build(
    config: AcceleratorConfig,
    progress: Progress = silent,
    *,
    verilog: str | None = None,
    adapter: str = "",
    power_up: bool = False,
    cycles: int = MILLIONS,
) -> Path:
    """Return the folder of the simulation of one accelerator, built if the cache does not hold it.

    The key is everything that the result depends on: Verilog, harness, parameters, flags and tool versions. See
    `gatewright.cosim.cache.cached` for how the cache is kept.

    Parameters
    ----------
    config : AcceleratorConfig
    progress : Progress
        Told about the build.
    verilog : str, optional
        The text to simulate, of the module `gatewright_accelerator`; the emitted one unless given.
    adapter : str
        Text that is compiled beside it: of that module, where `verilog` has another top.
    power_up : bool
        Let registers and memories begin with anything, as `simulate` says, in place of what the text gives them.
    cycles : int
        About how many will be simulated: the more, the longer the compiler may take to make each faster.

    Raises
    ------
    ToolError
        A tool is missing or the build failed; the text ends with the end of its log.
    """
    progress("building the simulation", 0, 1, "emitting Verilog")
    text = emit(config) if verilog is None else verilog
    parameters = harness_parameters(config)
    folder = build_verilog(text, parameters, progress, adapter=adapter, power_up=power_up, cycles=cycles)
    progress("building the simulation", 1, 1, "")
    return folder


def build_verilog(
    verilog: str,
    parameters: dict[str, int],
    progress: Progress = silent,
    *,
    adapter: str = "",
    top: str = TOP,
    power_up: bool = False,
    cycles: int = MILLIONS,
) -> Path:
    """Do what `build` does, for given harness parameters.

    With another `top`, that module of the text is simulated by itself, and its ports are the bench's to drive.
    """
    texts = {"accelerator.sv": _ZEROS.sub("", _REGISTER.sub(r"\1;", verilog)) if power_up else verilog}
    if adapter:
        texts["adapter.sv"] = adapter
    if top == TOP:
        texts["harness.sv"] = HARNESS.read_text()
    arguments = _build_args(top, power_up)
    keys = {
        level: json.dumps([texts, top, parameters, _TIMESCALE, arguments, versions(), level])
        for level in levels(cycles)
    }
    for key in keys.values():
        if entry := held(key):
            return entry
    level, key = next(iter(keys.items()))

    def fill(partial: Path, whole: Path) -> None:
        progress("building the simulation", 0, 1, "compiling")
        _compile(partial, whole, texts, parameters, top, arguments, level)

    return cached(key, fill)


def _build_args(top: str, power_up: bool) -> list[str]:
    unknown = "unique" if power_up else "fast"
    values = ["--x-assign", unknown, "--x-initial", unknown]
    return [*_BUILD_ARGS, *values, *(_HARNESS_ARGS if top == TOP else ())]


def _compile(
    partial: Path,
    whole: Path,
    texts: dict[str, str],
    parameters: dict[str, int],
    top: str,
    arguments: list[str],
    level: str,
) -> None:
    log = partial / "build.log"
    for name, text in texts.items():
        (partial / name).write_text(text)
    try:
        with environment(level):
            _Runner().build(
                sources=[partial / name for name in texts],
                hdl_toplevel=top,
                parameters=parameters,
                build_args=arguments,
                build_dir=partial,
                timescale=_TIMESCALE,
                always=True,
                log_file=log,
            )
            with log.open("a") as stream:
                compile_program(partial, top, stream)
        for name in (top, *texts, log.name):
            (partial / name).rename(whole / name)
    except (*_RUNNER_ERRORS, SystemExit) as error:
        raise ToolError(f"building the simulation failed: {error}\n{_tail(log)}") from error


class _Runner(Verilator):
    """cocotb's runner, with each command in a process group of its own."""

    def __init__(self, watch: Callable[[], None] | None = None):
        super().__init__()
        self._watch = watch

    def _build_command(self) -> list[Any]:
        verilator, _ = super()._build_command()  # The other is make, with Verilator's own rules.
        return [verilator]

    def _execute_cmds(self, cmds: Sequence[Any], cwd: Any, stdout: IO | None = None) -> None:
        for command in cmds:
            if code := processes.run(command, cwd=cwd, env=self.env, log=stdout, watch=self._watch):
                raise RuntimeError(f"command failed with return code {code}")


@dataclass(frozen=True)
class Outcome:
    """What became of a bench.

    Parameters
    ----------
    seconds : float
        From the start of the child process to its end.
    failed : int
        Tests that failed.
    log : str
        End of the simulation's log.
    """

    seconds: float
    failed: int
    log: str


def simulate(
    simulation: Path,
    bench: str,
    folder: Path,
    *,
    tests: list[str],
    top: str = TOP,
    seed: int = 0,
    power_up: int | None = None,
    watch: Callable[[], None] | None = None,
) -> Outcome:
    """Run tests of a bench in a child process.

    Parameters
    ----------
    simulation : Path
        What `build` gave.
    bench : str
        Name of the module with the cocotb tests.
    folder : Path
        Working folder of the simulation; the bench finds its parameters there and leaves its results there.
    tests : list of str
        The tests to run.
    top : str
        Top module of the simulation.
    seed : int
        Seed of the bench's random numbers.
    power_up : int, optional
        Seed, from 1 on, of what registers and memories begin with; for what was built with `power_up`.
    watch : callable, optional
        Called several times a second while the simulation runs.

    Raises
    ------
    BrokenRuleError
        The simulation died as `gatewright.hw.rtl.checks.never` saw what it is told.
    ToolError
        The simulation died otherwise, or other than the given tests ran, or it does not advance; the text ends with
        the end of the log.
    """
    folder = Path(folder)
    log, xml = folder / "simulation.log", folder / "results.xml"
    failures: list[str] = []
    random = [] if power_up is None else ["+verilator+rand+reset+2", f"+verilator+seed+{power_up}"]

    def job() -> str:
        return f"the simulation of {bench}, in job file {len([*folder.glob('*.seen')]) - 1},"

    patience = Patience([log, folder / PULSE], job)

    def look() -> None:
        patience.look()
        if watch is not None:
            watch()

    start = time.perf_counter()
    try:
        with environment():
            _Runner(look).test(
                test_module=bench,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                testcase=tests,
                seed=seed,
                extra_env=_ENVIRONMENT,
                plusargs=random,
                build_dir=simulation,
                test_dir=folder,
                results_xml=str(xml),
                log_file=log,
            )
    except ToolError as error:
        raise ToolError(f"{error}\n{_tail(log)}") from error
    except (*_RUNNER_ERRORS, SystemExit) as error:
        failures.append(str(error))
    seconds = time.perf_counter() - start
    if broken := _BROKEN.search(_read(log)):
        raise BrokenRuleError(
            f"the hardware did what it never may: {broken[2].replace('_', ' ')} (in {broken[1]})\n{_tail(log)}"
        )
    try:
        ran, failed = get_results(xml)
    except (RuntimeError, SyntaxError) as error:
        failures.append(str(error))
        ran = failed = 0
    if failures or ran != len(tests):
        reason = "; ".join([*failures, f"{ran} of {len(tests)} tests ran"])
        raise ToolError(f"the simulation of {bench} failed: {reason}\n{_tail(log)}")
    return Outcome(seconds, failed, _tail(log))


def _read(log: Path) -> str:
    try:
        return log.read_text(errors="replace")
    except OSError:
        return "(no log)"


def _tail(log: Path) -> str:
    return "\n".join(_read(log).splitlines()[-_LOG_LINES:])
