"""Synthesise the accelerator of a build, and place it on a device."""

from collections.abc import Sequence
from pathlib import Path

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.place import place_accelerator
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import TOP
from gatewright.progress import Progress, silent
from gatewright.results import Row, write_rows
from gatewright.run import RunFolder


def synth(
    folder: str | Path,
    *,
    place_on: str | None = None,
    seeds: Sequence[int] = (1, 2, 3),
    progress: Progress = silent,
) -> list[Row]:
    """Synthesise the plain top of a build for ECP5; with the name of a device, also place and route it for each seed.

    Raises
    ------
    RunFolderError
        There is no build in the folder.
    ConfigError
        There is no such device.
    ToolError
        A tool is missing or failed.
    """
    run = RunFolder.open(Path(folder))
    run.need("build")
    target = device(place_on) if place_on else None
    rows = synthesise((run.rtl / f"{TOP}.sv").read_text(), progress).rows()
    if target:
        placements = place_accelerator(AcceleratorConfig.load(run.config), target, seeds, progress)
        rows += [row for placement in placements for row in placement.rows()]
    write_rows(run.rows("synth"), rows)
    return rows
