"""Clock frequency of a placed accelerator, as rows."""

from statistics import median

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.place import place_accelerator
from gatewright.progress import Progress, silent
from gatewright.results import Row

CONFIG = AcceleratorConfig(lanes=16, narrowest_weight=8, activation_depth=512)
"""What `bench_place` places: 16 lanes for 8-bit weights, sparse or dense."""

SEEDS = (1, 2, 3)


def bench_place(progress: Progress = silent) -> list[Row]:
    """Place and route 16 lanes on an ECP5-85k with three seeds; gives each seed's rows, and the median frequency.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    target = device("ecp5-85k")
    placements = place_accelerator(CONFIG, target, SEEDS, progress)
    rows = [row for placement in placements for row in placement.rows()]
    middle = median(placement.megahertz for placement in placements)
    where = {"device": target.name, "speed": target.speed, "lanes": CONFIG.lanes}
    rows.append(Row("median_frequency", "MHz", middle, where))
    return rows
