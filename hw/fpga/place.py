"""Placement and routing with nextpnr: what a design takes on a device, how fast it runs, and what holds it back."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from gatewright.errors import ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.absorb import top_module
from gatewright.hw.fpga.constraints import constraints_file, placer_options
from gatewright.hw.fpga.devices import Device
from gatewright.hw.fpga.nextpnr import run_nextpnr
from gatewright.hw.fpga.serial import COMPONENT, PLAIN_SERIAL_TOP, emit_serial
from gatewright.hw.fpga.synthesis import netlist
from gatewright.hw.fpga.verilog import emit
from gatewright.progress import Progress, silent
from gatewright.results import Row


@dataclass(frozen=True)
class PathPart:
    """Part of a path between registers that lies in one module.

    Parameters
    ----------
    module : str
        Instances from the top down with dots between them; empty for the top itself. Cells go by the names that Yosys
        left them, so that a register at the border of a module may count as of the module outside.
    cells : tuple of str
        Cells in order.
    logic : float
        Nanoseconds in cells.
    routing : float
        Nanoseconds on the way to them.
    """

    module: str
    cells: tuple[str, ...]
    logic: float
    routing: float


@dataclass(frozen=True)
class Placement:
    """One design, placed and routed once.

    Parameters
    ----------
    device : Device
    seed : int
        Of the placer.
    megahertz : float
        Highest clock frequency by static timing analysis.
    used, available : dict of int
        What the design takes, and what the device has, by the names in `quantities.COUNTED`,
        as far as the placer tells it.
    critical_path : tuple of PathPart
        The slowest path between registers.
    """

    device: Device
    seed: int
    megahertz: float
    used: dict[str, int]
    available: dict[str, int]
    critical_path: tuple[PathPart, ...]

    def rows(self) -> list[Row]:
        """Give the frequency, what is used of what the device has, and the slowest path as result rows."""
        where = {"device": self.device.name, "package": self.device.package, "speed": self.device.speed}
        rows = [Row("placed_frequency", "MHz", self.megahertz, where, self.seed)]
        for name, count in self.used.items():
            parameters = {**where, "available": self.available[name]}
            rows.append(Row(f"placed_{name}", "count", count, parameters, self.seed))
        for place, part in enumerate(self.critical_path):
            parameters = {**where, "part": place, "module": part.module, "cell": part.cells[-1]}
            rows.append(Row("critical_path_logic", "ns", part.logic, parameters, self.seed))
            rows.append(Row("critical_path_routing", "ns", part.routing, parameters, self.seed))
        return rows

    def path_text(self) -> str:
        """Tell the slowest path in words."""
        return ", ".join(
            f"{part.module or 'top'} ({part.logic:.1f} ns logic, {part.routing:.1f} ns routing)"
            for part in self.critical_path
        )


def place_accelerator(
    config: AcceleratorConfig, target: Device, seeds, progress: Progress = silent
) -> list[Placement]:
    """Synthesise, place and route one accelerator for each seed.

    No package has a pin for every port, so the ports are shift registers, which changes no path inside.

    Parameters
    ----------
    config : AcceleratorConfig
    target : Device
        One that nextpnr knows.
    seeds : sequence of int
    progress : Progress
    """
    text = emit(config) + emit_serial(PLAIN_SERIAL_TOP, config)
    mapped = netlist(text, progress, top=PLAIN_SERIAL_TOP, family=target.family)
    return place(mapped, target, seeds, progress=progress)


def place(
    netlist: str,
    device: Device,
    seeds: Sequence[int] = (1, 2, 3),
    *,
    megahertz: float = 120,
    constraints: str | None = None,
    seconds: float = 3600,
    progress: Progress = silent,
) -> list[Placement]:
    """Place and route a netlist once for each seed, one after another.

    The result depends on the arguments and nextpnr's version only.

    Parameters
    ----------
    netlist : str
        What `synthesis.netlist` gives for the family. Its ports must find pins: see `serial.SerialPorts`.
    device : Device
        One that nextpnr knows.
    seeds : sequence of int
    megahertz : float
        Frequency that the placer aims at; it is no error to miss it.
    constraints : str, optional
        Text of a file of constraints; default: that of `constraints_file`.
    seconds : float
        Time limit for each seed.
    progress : Progress
        Called after each seed.

    Raises
    ------
    ToolError
        nextpnr is missing, failed or ran out of time, or the device has too little of something.
    """
    modules = instances(netlist)
    name, text = constraints_file(device, megahertz)
    files = {"netlist.json": netlist} | ({name: text if constraints is None else constraints} if name else {})
    placements = []
    for done, seed in enumerate(seeds, 1):
        options = [*placer_options(device, name, megahertz), "--seed", str(seed)]
        what = f"{device.name}, seed {seed}"
        found = run_nextpnr(device.family, files, options, seconds=seconds, what=what)
        placements.append(placement(found["report.json"].decode(), device, seed, modules))
        progress("placement", done, len(seeds), f"{placements[-1].megahertz:.1f} MHz")
    return placements


def instances(netlist: str) -> list[str]:
    """Return the instances of a flat netlist, innermost first."""
    cells = top_module(json.loads(netlist))["cells"]
    return sorted(
        (name for name, cell in cells.items() if cell["type"] == "$scopeinfo"), key=len, reverse=True
    )


def placement(report: str, device: Device, seed: int, modules: list[str]) -> Placement:
    """Read nextpnr's report.

    Parameters
    ----------
    report : str
        JSON.
    device : Device
    seed : int
        Of the placer.
    modules : list of str
        The `instances` of what was placed.

    Raises
    ------
    ToolError
        The report is malformed, or the device has too little of something.
    """
    try:
        values = json.loads(report)
        frequencies = {clock: entry["achieved"] for clock, entry in values["fmax"].items()}
        slowest = min(frequencies, key=frequencies.__getitem__)
        edge = f"posedge {slowest}"
        paths = (path["path"] for path in values["critical_paths"] if path["from"] == path["to"] == edge)
        placed = Placement(
            device=device,
            seed=seed,
            megahertz=frequencies[slowest],
            used=_counts(values["utilization"], device, "used"),
            available=_counts(values["utilization"], device, "available"),
            critical_path=tuple(_parts(next(paths, ()), modules)),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(f"nextpnr gave no readable report ({error!r})") from error
    # nextpnr gives the smallest ECP5 what the die has, which is that of the next.
    for name, has in (
        ("luts", device.luts),
        ("block_ram", device.block_rams),
        ("multipliers", device.multipliers),
    ):
        if placed.used[name] > has:
            raise ToolError(f"{device.name} has {has} {name.replace('_', ' ')}, not {placed.used[name]}")
    return placed


def _counts(utilisation: dict, device: Device, key: str) -> dict[str, int]:
    cells = device.family.cells
    if key == "available":
        # Of cells that it has none of, the device is silent.
        return {name: utilisation.get(kinds[0], {key: 0})[key] for name, kinds in cells.items()}
    return {
        name: sum(utilisation[kind][key] for kind in kinds if kind in utilisation)
        for name, kinds in cells.items()
    }


def _parts(path: Iterable[dict], modules: list[str]) -> Iterable[PathPart]:
    """Join the steps of a path that lie in one module."""
    for module, steps in groupby(path, lambda step: _module(step["to"]["cell"], modules)):
        kept = list(steps)
        routing = sum(step["delay"] for step in kept if step["type"] == "routing")
        yield PathPart(
            module=module,
            cells=tuple(dict.fromkeys(step["to"]["cell"] for step in kept)),
            logic=round(sum(step["delay"] for step in kept) - routing, 3),
            routing=round(routing, 3),
        )


def _module(cell: str, modules: list[str]) -> str:
    """Name the module of a cell, as seen from the component behind the serial ports."""
    found = next((module for module in modules if cell.startswith(f"{module}.")), "")
    return found.removeprefix(COMPONENT).removeprefix(".")
