"""Waves of one job: the bench of the vectors, built with tracing and run in Verilator."""

import json
import os
from pathlib import Path

from gatewright.cosim import processes
from gatewright.cosim.cache import cached
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.toolchain import environment, versions
from gatewright.cosim.vectors import BENCH, BENCH_TOP, Vectors
from gatewright.cosim.view import (
    VIEW,
    gtkwave_layout,
    op_names,
    surfer_layout,
    view_module,
    without_temporaries,
)
from gatewright.errors import DataError, MismatchError, ToolError
from gatewright.hw.fpga.verilog import TOP
from gatewright.progress import Progress, silent
from gatewright.storage import make_folder, write_text

_WAVES, _LAYOUT, _COMMANDS, _OPS = "waves.vcd", "waves.gtkw", "waves.sucl", "ops.txt"
_PROGRAM = f"V{BENCH_TOP}"
_LOG = "bench.log"
_LOG_LINES = 20


def write_waves(
    folder: Path,
    verilog: str,
    measurement: Measurement,
    job: int,
    *,
    baked: bool = False,
    progress: Progress = silent,
) -> str:
    """Run a measurement up to a job, and write the waves of that job and layouts for GTKWave and Surfer.

    The jobs before it run too, back to the one that starts from a fresh state; nothing is written of these.

    Parameters
    ----------
    folder : Path
        Made by this; gets ``waves.vcd``, ``waves.gtkw``, ``waves.sucl``, ``ops.txt``.
    verilog : str
        The delivered text of the plain top.
    measurement : Measurement
    job : int
        Which of its sequences, from 0.
    baked : bool
        The accelerator has the model in its memories.
    progress : Progress

    Returns
    -------
    str
        What the bench says: that all results are as expected.

    Raises
    ------
    DataError
        There is no such job, or a sequence does not suit the model.
    MismatchError
        A result is wrong; the waves are there.
    ToolError
        A tool is missing or failed.
    """
    chosen, number = _up_to(measurement, job)
    files = Vectors(chosen, baked).files()
    sources = {
        f"{BENCH_TOP}.sv": BENCH.read_text(),
        f"{VIEW}.sv": view_module(verilog, measurement.compiled.config),
        f"{TOP}.sv": without_temporaries(verilog),
    }
    progress("building the simulation with waves", 0, 1, "compiling")
    program = _build({**sources, "sizes.svh": files["sizes.svh"]})
    progress("building the simulation with waves", 1, 1, "")
    make_folder(folder)
    folder = folder.resolve()
    for name, text in files.items():
        write_text(folder / name, text)
    for name, text in (
        (_LAYOUT, gtkwave_layout(_WAVES, _OPS)),
        (_COMMANDS, surfer_layout()),
        (_OPS, op_names()),
    ):
        write_text(folder / name, text)
    try:
        with (folder / _LOG).open("wb") as log, environment():
            status = processes.run([program, f"+waves={number}"], cwd=folder, env=os.environ, log=log)
        said = (folder / _LOG).read_text(errors="replace")
    finally:
        for name in (*files, _LOG):
            (folder / name).unlink(missing_ok=True)
    if "FAIL:" in said:
        raise MismatchError(f"{folder} has the waves of a job with wrong results:\n{_tail(said)}")
    verdict = next((line for line in said.splitlines() if line.startswith("PASS:")), "")
    if status or not verdict:
        raise ToolError(f"the simulation with waves failed with status {status}:\n{_tail(said)}")
    return verdict


def check_job(measurement: Measurement, job: int) -> None:
    """Refuse a job that a measurement does not have.

    Raises
    ------
    DataError
        The text says which jobs there are.
    """
    count = len(measurement.sequences)
    if not 0 <= job < count:
        raise DataError(f"there are jobs 0 to {count - 1}, no job {job}")


def _up_to(measurement: Measurement, job: int) -> tuple[Measurement, int]:
    """Return the jobs that a job goes on from, with it as the last, and its number among them."""
    check_job(measurement, job)
    fresh, skips = measurement.freshness, measurement.skips
    first = max(k for k in range(job + 1) if fresh[k])
    chosen = slice(first, job + 1)
    part = Measurement(measurement.compiled, measurement.sequences[chosen], skips[chosen], fresh[chosen])
    return part, job - first


def _build(texts: dict[str, str]) -> Path:
    """Return the simulation's program, built if the cache does not hold it."""
    # VCD, as Verilator's FST needs headers of lz4, which the package index does not have.
    options = ["--binary", "--trace-vcd", "--assert", "-Wno-fatal", "-Wno-lint", "+define+GATEWRIGHT_WAVES"]
    # It runs for one job, so that compiling would take longer than what it saves.
    makefile = ["-MAKEFLAGS", "OPT_FAST=-O0"]
    arguments = [*options, *makefile]
    key = json.dumps([texts, arguments, versions()])

    def fill(partial: Path, whole: Path) -> None:
        for name, text in texts.items():
            (partial / name).write_text(text)
        sources = [name for name in texts if name.endswith(".sv")]
        command = ["verilator", *arguments, "--top-module", BENCH_TOP, *sources]
        log = partial / "build.log"
        with log.open("wb") as stream, environment():
            status = processes.run(command, cwd=partial, env=os.environ, log=stream)
        if status:
            text = log.read_text(errors="replace")
            raise ToolError(f"building the simulation with waves failed:\n{_tail(text)}")
        (partial / "obj_dir" / _PROGRAM).rename(whole / _PROGRAM)

    return cached(key, fill) / _PROGRAM


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-_LOG_LINES:])
