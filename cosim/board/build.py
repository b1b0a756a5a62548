"""Executables of delivered tops, built once for each text."""

import json
import os
from pathlib import Path

from gatewright.cosim import processes
from gatewright.cosim.cache import cached
from gatewright.cosim.toolchain import environment, versions
from gatewright.errors import ToolError
from gatewright.progress import Progress, silent

_FOLDER = Path(__file__).parent
_HEADER = "clocked.h"
_PROGRAM = "simulation"
_ARGUMENTS = (
    "--cc",
    "--exe",
    "--build",
    "--assert",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "-Wno-fatal",
    "-Wno-lint",
    "--prefix",
    "Vtop",
)
_LOG_LINES = 20


def build(verilog: str, top: str, main: str, progress: Progress = silent) -> Path:
    """Return the program that simulates a top, built if the cache does not hold it.

    Parameters
    ----------
    verilog : str
        Text with the module `top`.
    top : str
    main : str
        The C++ file of this folder that drives it.
    progress : Progress
        Told about the build.

    Raises
    ------
    ToolError
        A tool is missing or the build failed; the text ends with the end of its log.
    """
    texts = {f"{top}.sv": verilog, **{name: (_FOLDER / name).read_text() for name in (main, _HEADER)}}
    key = json.dumps([texts, top, main, _ARGUMENTS, versions()])

    def fill(partial: Path, whole: Path) -> None:
        progress("building the simulated board", 0, 1, "compiling")
        for name, text in texts.items():
            (partial / name).write_text(text)
        log = partial / "build.log"
        command = ["verilator", *_ARGUMENTS, "--top-module", top, "--Mdir", str(partial / "obj")]
        command += [
            "-CFLAGS",
            f"-I{partial}",
            "-o",
            _PROGRAM,
            str(partial / f"{top}.sv"),
            str(partial / main),
        ]
        with environment(), log.open("w") as stream:
            if code := processes.run(command, cwd=partial, env=dict(os.environ), log=stream):
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
                raise ToolError(f"building the simulated board failed (status {code}):\n{tail}")
        (partial / "obj" / _PROGRAM).rename(whole / _PROGRAM)

    program = cached(key, fill) / _PROGRAM
    progress("building the simulated board", 1, 1, "")
    return program
