"""Synthesise the accelerator of a build, and place it on a device."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from gatewright.flow.estimate import estimate
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.place import place_accelerator
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import TOP
from gatewright.progress import Progress, silent
from gatewright.quantities import RESOURCES
from gatewright.results import Row, read_rows, write_rows
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


def placed_lines(folder: str | Path) -> list[str]:
    """Return what a placement means: time and throughput of a build's first model, and percent of the device.

    Raises
    ------
    RunFolderError
        There is no build in the folder, or it has not been placed.
    """
    run = RunFolder.open(Path(folder))
    rows = read_rows(run.rows("synth"))
    found = estimate(folder)
    shares = []
    for name, title in RESOURCES.items():
        placed = list(rows.lines(f"placed_{name}", "device", "available"))
        used = [count for count, device, _ in placed if device == found.device]
        if used:
            available = next(available for _, device, available in placed if device == found.device)
            shares.append(f"{title} {100 * median(used) / available:.1f} %")
    return [
        f"{found.clock.text}: {found.microseconds_per_step:,.4g} µs per step, "
        f"{found.inferences_per_second:,.4g} inferences of {found.steps} steps per second",
        f"of {found.device}: {', '.join(shares)}",
    ]
