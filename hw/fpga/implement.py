"""Runs the flow of a delivered folder with the tools that Python packages bring."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gatewright.errors import GatewrightError, ToolError
from gatewright.hw.fpga.constraints import constraints_file
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.place import Placement, place
from gatewright.hw.fpga.serial import INSIDE, serial_top
from gatewright.hw.fpga.synthesis import netlist
from gatewright.progress import Progress, silent
from gatewright.results import write_rows


def implement(
    folder: Path, name: str, megahertz: float, seed: int = 1, progress: Progress = silent
) -> Placement:
    """Synthesise, place and route the serial top of a folder that `write_flows` made.

    The constraints are those in the folder. Rows go to ``rows.json`` in the device's own folder.

    Parameters
    ----------
    folder : Path
    name : str
        Name of the device.
    megahertz : float
        Clock frequency that must be reached.
    seed : int
        Of the placer.
    progress : Progress

    Raises
    ------
    ConfigError
        There is no such device.
    ToolError
        A tool is missing or failed, or the clock is too slow; the text then tells the slowest path.
    """
    target = device(name)
    rtl = folder / "rtl"
    top = serial_top(target.family)
    text = "".join((rtl / f"{module}.sv").read_text(encoding="utf-8") for module in (INSIDE[top], top))
    memories = sorted(rtl.glob("*.mem"))
    mapped = netlist(text, progress, top=top, family=target.family, files=memories)
    file, _ = constraints_file(target, megahertz)
    constraints = (folder / "constraints" / file).read_text(encoding="utf-8") if file else None
    (placed,) = place(
        mapped, target, (seed,), megahertz=megahertz, constraints=constraints, progress=progress
    )
    write_rows(folder / name / "rows.json", placed.rows())
    if placed.megahertz < megahertz:
        raise ToolError(
            f"{name} reaches {placed.megahertz:.1f} MHz with seed {seed}, not {megahertz:g}; the slowest path: "
            f"{placed.path_text()}. Try another --seed, or build with a slower --clock"
        )
    return placed


def main(folder: Path, name: str, megahertz: float, arguments: Sequence[str]) -> int:
    """Be the script of a device's folder: print what was reached, and return the exit status.

    Parameters
    ----------
    folder : Path
        That of the device.
    name, megahertz
        As for `implement`.
    arguments : sequence of str
        Of the command line.
    """
    parser = argparse.ArgumentParser(description=f"Synthesise, place and route for {name}.")
    parser.add_argument("--seed", type=int, default=1, help="another seed places differently")
    seed = parser.parse_args(arguments).seed

    def tell(what: str, done: int, total: int, remark: str) -> None:
        print(f"{what} {done}/{total} {remark}", file=sys.stderr, flush=True)

    try:
        placed = implement(folder.resolve().parent, name, megahertz, seed, tell)
    except GatewrightError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{placed.megahertz:.1f} MHz ({megahertz:g} asked for)")
    for count, used in placed.used.items():
        print(f"{count.replace('_', ' ')}: {used:,} of {placed.available.get(count, 0):,}")
    print(f"slowest path: {placed.path_text()}")
    return 0
