"""From Verilator's C++ to a program.

With Verilator's own makefile most of a small accelerator's compilation is not of the accelerator: 12 of 30 seconds are
Verilator's library, the same for all, and 8 are its headers, which every file includes. So the library is compiled once
and cached, and the files are joined into few units.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from cocotb_tools import config

from gatewright.cosim import processes
from gatewright.cosim.cache import cached
from gatewright.cosim.toolchain import versions

OPTIMISED = {"-O0": 0, "-O1": 1_000_000, "-O2": 10_000_000}
"""The compiler's levels of optimisation, and the number of simulated cycles from which each is worth its time.

With 8 lanes a level takes 2.8, 5.3 and 9.7 seconds, and then simulates 185,000, 415,000 and 480,000 cycles a second.
With more lanes both the compilation and a cycle take longer in proportion, so the numbers of cycles stay.
"""

UNIT_BYTES = 2_000_000
"""Of a unit of text, if there is more than that: units are compiled side by side, and a larger one takes gigabytes."""

_RULES = Path(__file__).with_name("simulation.mk")
_MAIN = config.share_dir / "lib" / "verilator" / "verilator.cpp"


def levels(cycles: int) -> list[str]:
    """Return the level of optimisation for a number of cycles, and those above it, which serve as well."""
    return list(OPTIMISED)[sum(cycles >= least for least in OPTIMISED.values()) - 1 :]


def compile_program(folder: Path, program: str, log: IO, main: Path | None = None) -> None:
    """Compile what Verilator wrote to a folder, in the environment of `toolchain.environment`.

    Parameters
    ----------
    folder : Path
    program : str
        Name of the file to make there.
    log : file
        Takes what the tools print.
    main : Path, optional
        The C++ file with the program's beginning; cocotb's unless given.

    Raises
    ------
    RuntimeError
        A compiler failed.
    ToolError
        The cache cannot take the library.
    """
    slow = sorted(folder.glob("Vtop*__Slow.cpp"))
    fast = sorted(set(folder.glob("Vtop*.cpp")) - set(slow))
    units = [*_join(folder, "fast", [main or _MAIN, *fast]), *_join(folder, "slow", slow)]
    # By a name of its own, as the cache's path may hold what make or a shell takes for something else.
    (folder / "objects").symlink_to(_library(folder, log))
    _make(folder, ["program", f"UNITS={' '.join(units)}", f"PROGRAM={program}"], log)


def _join(folder: Path, name: str, files: Iterable[Path]) -> list[str]:
    """Write units that include the files; returns their names."""
    units: list[list[Path]] = [[]]
    for path in files:
        size = sum(each.stat().st_size for each in units[-1])
        if units[-1] and size + path.stat().st_size > UNIT_BYTES:
            units.append([])
        units[-1].append(path)
    names = [f"{name}{number}" for number in range(len(units))]
    for unit, paths in zip(names, units, strict=True):
        (folder / f"{unit}.cpp").write_text("".join(f'#include "{path}"\n' for path in paths))
    return names


def _library(folder: Path, log: IO) -> Path:
    """Return the cached objects of Verilator's library, compiled as this simulation wants them."""
    plan = folder / "library.log"
    try:
        with plan.open("w") as stream:
            _make(folder, ["library", "--dry-run"], stream)
    except RuntimeError:
        log.write(plan.read_text())
        raise

    def fill(_: Path, whole: Path) -> None:
        _make(folder, ["library"], log)
        for path in folder.glob("verilated*.o"):
            shutil.move(path, whole)

    return cached(f"library of simulations {versions()} {plan.read_text()}", fill)


def _make(folder: Path, words: Sequence[str], log: IO) -> None:
    jobs = f"-j{os.cpu_count() or 1}"
    command: list[str | Path] = ["make", "--no-print-directory", jobs, "-f", _RULES, *words]
    if code := processes.run(command, cwd=folder, env=os.environ, log=log):
        raise RuntimeError(f"command failed with return code {code}")
