"""Resources of an FPGA read back from rows: estimated, synthesised and placed."""

from dataclasses import dataclass
from statistics import median

from gatewright.quantities import COUNTED
from gatewright.results import Rows


@dataclass(frozen=True)
class Placement:
    """The design placed and routed on one device, once for each seed.

    Parameters
    ----------
    device : str
        Device, package and speed grade.
    megahertz : list of float
        Clock frequency of each seed.
    used, available : dict of float
        Resources by name: the median over the seeds, and those of the device.
    """

    device: str
    megahertz: list[float]
    used: dict[str, float]
    available: dict[str, float]

    @property
    def median(self) -> float:
        """Median clock frequency in MHz."""
        return median(self.megahertz)


@dataclass(frozen=True)
class Synthesis:
    """Resources after synthesis: sums by name, cells by type, and placements."""

    sums: dict[str, float]
    cells: dict[str, float]
    placements: list[Placement]


def read_resources(rows: Rows) -> dict[str, float]:
    """Return the resources that rows count, by name."""
    counts = {name: rows.value(name) for name in COUNTED}
    return {name: count for name, count in counts.items() if count is not None}


def read_utilisation(rows: Rows) -> dict[str, dict[str, float]]:
    """Return the percent of each resource that the estimate takes, by device."""
    found: dict[str, dict[str, float]] = {}
    for percent, device, resource in rows.lines("utilisation", "device", "resource"):
        found.setdefault(device, {})[resource] = percent
    return found


def read_synthesis(rows: Rows) -> Synthesis:
    """Take resources, cells and placements out of rows."""
    return Synthesis(read_resources(rows), rows.values("cells", "type"), _placements(rows))


def _placements(rows: Rows) -> list[Placement]:
    where = ("device", "package", "speed")
    found = []
    for place in dict.fromkeys(tuple(place) for _, *place in rows.lines("placed_frequency", *where)):
        mine = rows.where(**dict(zip(where, place, strict=True)))
        used, available = {}, {}
        for name in COUNTED:
            lines = list(mine.lines(f"placed_{name}", "available"))
            if lines:
                used[name] = median(value for value, _ in lines)
                available[name] = lines[0][1]
        device, package, speed = place
        found.append(
            Placement(f"{device}, {package}, speed {speed}", mine.all("placed_frequency"), used, available)
        )
    return found
