"""The Verilated simulation: built once for each text, run in a child process."""

import hashlib
import json
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner
from filelock import FileLock

from gatewright.cosim.toolchain import SET_CACHE, cache_folder, environment, versions
from gatewright.cosim.traffic import harness_parameters
from gatewright.errors import ToolError
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

QUICK_LANES = 128
"""With more lanes a simulation is built without optimising, as compiling hundreds of lanes would take longer than what
they are simulated for."""

_POLL_SECONDS = 0.1


def build(
    config: AcceleratorConfig,
    progress: Progress = silent,
    *,
    verilog: str | None = None,
    adapter: str = "",
    power_up: bool = False,
) -> Path:
    """Return the folder of the simulation of one accelerator, built if the cache does not hold it.

    The key is everything that the result depends on: Verilog, harness, parameters, flags and tool versions. A build
    appears in the cache whole or not at all, so what a killed build leaves is never taken for one; of two processes
    that want the same build, one waits for the other.

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

    Raises
    ------
    ToolError
        A tool is missing or the build failed; the text ends with the end of its log.
    """
    progress("building the simulation", 0, 1, "emitting Verilog")
    text = emit(config) if verilog is None else verilog
    quick = config.lanes > QUICK_LANES
    parameters = harness_parameters(config)
    folder = build_verilog(text, parameters, progress, adapter=adapter, quick=quick, power_up=power_up)
    progress("building the simulation", 1, 1, "")
    return folder


def build_verilog(
    verilog: str,
    parameters: dict[str, int],
    progress: Progress = silent,
    *,
    adapter: str = "",
    top: str = TOP,
    quick: bool = False,
    power_up: bool = False,
) -> Path:
    """Do what `build` does, for given harness parameters.

    With another `top`, that module of the text is simulated by itself, and its ports are the bench's to drive. What is
    built with `quick` is built sooner and runs slower.
    """
    texts = {"accelerator.sv": _ZEROS.sub("", _REGISTER.sub(r"\1;", verilog)) if power_up else verilog}
    if adapter:
        texts["adapter.sv"] = adapter
    if top == TOP:
        texts["harness.sv"] = HARNESS.read_text()
    arguments = _build_args(top, power_up)
    key = json.dumps([texts, top, parameters, _TIMESCALE, arguments, versions(), quick])

    def fill(partial: Path, whole: Path) -> None:
        progress("building the simulation", 0, 1, "compiling")
        _compile(partial, whole, texts, parameters, top, arguments, quick)

    return cached(key, fill)


def cached(key: str, fill: Callable[[Path, Path], None]) -> Path:
    """Return the folder of a simulation, filled if the cache does not hold it.

    Parameters
    ----------
    key : str
        Everything that the contents depend on.
    fill : callable
        Takes a folder to work in, and one in it whose contents are kept.

    Raises
    ------
    ToolError
        The cache cannot be written to; and what `fill` raises.
    """
    builds = cache_folder() / "builds"
    entry = builds / hashlib.sha256(key.encode()).hexdigest()[:32]
    # Looked for before the lock is taken, so that a cache which may only be read serves too.
    if entry.is_dir():
        return entry
    try:
        builds.mkdir(exist_ok=True)
        with FileLock(entry.with_suffix(".lock")):
            if not entry.is_dir():
                for left in builds.glob(f"{entry.name}.*.partial"):
                    shutil.rmtree(left, ignore_errors=True)
                # Of a name of its own: the compiler that a killed build left behind may still be writing to the last.
                partial = Path(tempfile.mkdtemp(".partial", f"{entry.name}.", builds))
                whole = partial / "whole"
                whole.mkdir()
                fill(partial, whole)
                whole.rename(entry)
                shutil.rmtree(partial)
    except OSError as error:
        raise ToolError(f"cannot write to the cache folder {builds} ({error}); {SET_CACHE}") from error
    return entry


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
    quick: bool,
) -> None:
    log = partial / "build.log"
    for name, text in texts.items():
        (partial / name).write_text(text)
    runner = get_runner("verilator")
    try:
        with environment(quick):
            runner.build(
                sources=[partial / name for name in texts],
                hdl_toplevel=top,
                parameters=parameters,
                build_args=arguments,
                build_dir=partial,
                timescale=_TIMESCALE,
                always=True,
                log_file=log,
            )
        for name in (top, *texts, log.name):
            (partial / name).rename(whole / name)
    except (*_RUNNER_ERRORS, SystemExit) as error:
        raise ToolError(f"building the simulation failed: {error}\n{_tail(log)}") from error


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
    ToolError
        The simulation died, as it does where `gatewright.hw.rtl.checks.never` sees what it is told, or other than the
        given tests ran; the text ends with the end of the log.
    """
    folder = Path(folder)
    log, xml = folder / "simulation.log", folder / "results.xml"
    runner = get_runner("verilator")
    failures: list[str] = []
    random = [] if power_up is None else ["+verilator+rand+reset+2", f"+verilator+seed+{power_up}"]

    def run() -> None:
        try:
            runner.test(
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
        except (*_RUNNER_ERRORS, SystemExit) as error:
            failures.append(str(error))

    with environment():
        child = threading.Thread(target=run)
        start = time.perf_counter()
        child.start()
        while child.is_alive():
            child.join(_POLL_SECONDS)
            if watch is not None:
                watch()
        seconds = time.perf_counter() - start
    if broken := _BROKEN.search(_read(log)):
        raise ToolError(
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
