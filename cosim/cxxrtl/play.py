"""Job files played by a program that CXXRTL wrote, in a child process."""

import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from gatewright.cosim import processes
from gatewright.cosim.measurement import Verification
from gatewright.cosim.player import verification
from gatewright.cosim.testbenches.recordings import Recordings, examine, write_jobs
from gatewright.errors import BrokenRuleError, ToolError
from gatewright.hw.rtl.checks import CHECKS
from gatewright.progress import Progress, silent

_BROKEN = re.compile(rf"^Assertion failed in (.*?) ?{CHECKS} never_(\w+)$", re.MULTILINE)


def play(simulation: Path, each: Sequence[Recordings], progress: Progress = silent) -> list[Verification]:
    """Run models of one configuration, one after the other, in one simulation.

    Parameters
    ----------
    simulation : Path
        What `translate.build` returns.
    each : sequence of Recordings
    progress : Progress
        Told about every finished sequence.

    Raises
    ------
    BrokenRuleError
        The simulation died as `gatewright.hw.rtl.checks.never` saw what it is told.
    ToolError
        It died otherwise.
    """
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        examiners = write_jobs(folder, each)
        count = sum(len(given.sequences) for given in each)
        cycles = run_player(simulation / "player", folder, count, progress)
        reports = examine(folder, examiners, cycles)
    seconds = time.perf_counter() - begin
    return [verification(given, report, cycles, seconds) for given, report in zip(each, reports, strict=True)]


def run_player(program: Path, folder: Path, jobs: int, progress: Progress = silent) -> int:
    """Play the job files of a folder, and leave the logs beside them; returns the simulated cycles.

    Raises
    ------
    BrokenRuleError, ToolError
        As `play`; the text says what the program said.
    """
    log = folder / "player.log"

    def watch() -> None:
        started = sum(1 for _ in folder.glob("*.seen"))
        progress("simulating", max(0, started - 1), jobs, "")

    with log.open("w") as stream:
        status = processes.run([program, str(jobs)], cwd=folder, env=os.environ, log=stream, watch=watch)
    said = log.read_text(errors="replace").strip()
    if broken := _BROKEN.search(said):
        place = broken[1].replace(" ", ".") or "the top"
        raise BrokenRuleError(
            f"the hardware did what it never may: {broken[2].replace('_', ' ')} (in {place})"
        )
    if status:
        raise ToolError(
            f"the simulation with CXXRTL failed (status {status}): {said}; remove {program.parent}"
        )
    progress("simulating", jobs, jobs, "")
    return int(said)
