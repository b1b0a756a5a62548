"""Job files played by a program that CXXRTL wrote, in a child process."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gatewright.cosim.measurement import Verification
from gatewright.cosim.testbenches.recordings import Examiner, Recordings
from gatewright.cosim.traffic import read_log
from gatewright.errors import ToolError
from gatewright.hw.rtl.checks import CHECKS
from gatewright.progress import Progress, silent

_POLL_SECONDS = 0.1
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
    ToolError
        The simulation died, as it does where `gatewright.hw.rtl.checks.never` sees what it is told.
    """
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        examiners = [Examiner(given) for given in each]
        jobs = [job for examiner in examiners for job in examiner.jobs()]
        for number, job in enumerate(jobs):
            job.write(folder / f"{number}.job")
        cycles = run_player(simulation / "player", folder, len(jobs), progress)
        logs = iter(range(len(jobs)))
        for examiner, given in zip(examiners, each, strict=True):
            for _ in given.sequences:
                examiner.see(read_log(folder / f"{next(logs)}.seen", given.loaded.config)[-1])
    seconds = time.perf_counter() - begin
    return [
        Verification.of(given, examiner.report(cycles), cycles, seconds)
        for given, examiner in zip(each, examiners, strict=True)
    ]


def run_player(program: Path, folder: Path, jobs: int, progress: Progress = silent) -> int:
    """Play the job files of a folder, and leave the logs beside them; returns the simulated cycles.

    Raises
    ------
    ToolError
        The program died; the text says what it said.
    """
    out, err = folder / "player.out", folder / "player.err"
    with out.open("w") as told, err.open("w") as complained:
        try:
            child = subprocess.Popen(
                [program, str(jobs)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=complained,
                process_group=0,
            )
        except OSError as error:
            raise ToolError(f"{program} does not run ({error}); remove {program.parent}") from error
        try:
            while child.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(_POLL_SECONDS)
                started = sum(1 for _ in folder.glob("*.seen"))
                progress("simulating", max(0, started - 1), jobs, "")
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
    complaint = err.read_text(errors="replace").strip()
    if broken := _BROKEN.search(complaint):
        place = broken[1].replace(" ", ".") or "the top"
        raise ToolError(f"the hardware did what it never may: {broken[2].replace('_', ' ')} (in {place})")
    if child.returncode:
        raise ToolError(f"the simulation with CXXRTL failed (status {child.returncode}): {complaint}")
    progress("simulating", jobs, jobs, "")
    return int(out.read_text())
