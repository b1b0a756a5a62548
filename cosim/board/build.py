"""Executables of delivered tops, built once for each text."""

import json
import os
from pathlib import Path

from gatewright.cosim import processes
from gatewright.cosim.cache import cached
from gatewright.cosim.compilation import compile_program
from gatewright.cosim.toolchain import environment, versions
from gatewright.errors import ToolError
from gatewright.progress import Progress, silent

_FOLDER = Path(__file__).parent
_HEADERS = ("clocked.h", "noise.h")
_PROGRAM = "simulation"
_ARGUMENTS = (
    "--cc",
    "--exe",
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
    texts = {f"{top}.sv": verilog, **{name: (_FOLDER / name).read_text() for name in (main, *_HEADERS)}}
    key = json.dumps([texts, top, main, _ARGUMENTS, versions()])

    def fill(partial: Path, whole: Path) -> None:
        progress("building the simulated board", 0, 1, "compiling")
        for name, text in texts.items():
            (partial / name).write_text(text)
        log = partial / "build.log"
        command: list[str | Path] = [
            "verilator",
            *_ARGUMENTS,
            "--top-module",
            top,
            "--Mdir",
            partial,
            partial / f"{top}.sv",
        ]
        try:
            with environment(), log.open("w") as stream:
                if code := processes.run(command, cwd=partial, env=os.environ, log=stream):
                    raise RuntimeError(f"verilator failed with return code {code}")
                compile_program(partial, _PROGRAM, stream, partial / main)
        except RuntimeError as error:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
            raise ToolError(f"building the simulated board failed: {error}\n{tail}") from error
        (partial / _PROGRAM).rename(whole / _PROGRAM)

    program = cached(key, fill) / _PROGRAM
    progress("building the simulated board", 1, 1, "")
    return program
