"""Logic and clock of placed accelerators, as rows; for small models, what a step costs in logic and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gatewright.benchmarks import up5k
from gatewright.benchmarks.shapes import Case, Shape
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.estimate import cycles_per_step
from gatewright.hw.fpga.devices import ECP5, device
from gatewright.hw.fpga.place import place_accelerator
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import emit
from gatewright.progress import Progress, silent, within
from gatewright.results import Row

CONFIG = AcceleratorConfig(lanes=16, cell_lanes=1)
"""16 lanes for 8-bit weights with default depths and all functions, sparse or dense."""

SEEDS = (1, 2, 3)

SYNTHESISED = ("luts", "flip_flops", "multipliers", "block_ram")
"""What is counted in the plain top after synthesis, for ECP5."""

_LEAN = {"serial_cell": 1, "counters": 0, "zero_skipping": 0}
"""What small dense models do without."""


@dataclass(frozen=True)
class Design:
    """An accelerator to be placed.

    Parameters
    ----------
    name : str
    device : str
        Name of the FPGA.
    config : AcceleratorConfig
    shape : Shape, optional
        The dense model that it is for, whose step is timed.
    """

    name: str
    device: str
    config: AcceleratorConfig
    shape: Shape | None = None

    @classmethod
    def of(cls, shape: Shape, device: str) -> "Design":
        """Make the smallest accelerator for a dense model."""
        case = Case(shape)
        models = [(case.bundle(0), case.mode)]
        config = smallest_config(models, lanes=shape.lanes, cell_lanes=shape.cell_lanes, **_LEAN)
        return cls(shape.name, device, config, shape)


def designs() -> Sequence[Design]:
    """Give what `bench_place` places."""
    return (
        Design("16 lanes", "ecp5-85k", CONFIG),
        Design("8 lanes", "ecp5-25k", AcceleratorConfig(lanes=8, cell_lanes=1, weight_depth=2048)),
        Design.of(Shape("1 → 20", 1, 20, lanes=4, cell_lanes=1), "ecp5-25k"),
        Design.of(Shape("2 → 16 → 16", 2, 16, lanes=8, cell_lanes=1, layers=2), "ecp5-25k"),
        Design("digits, 1/16 of the weights", up5k.DEVICE, up5k.CONFIG),
    )


def bench_place(progress: Progress = silent) -> list[Row]:
    """Synthesise each design with plain ports, and place and route it with three seeds.

    Gives the synthesis where it is for ECP5, each seed's placement, the median frequency and, for a model, its steady
    step: cycles, time at that frequency, and look-up tables times time.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    rows = []
    for design in designs():
        target = device(design.device)
        at = {
            "design": design.name,
            "device": target.name,
            "speed": target.speed,
            "lanes": design.config.lanes,
        }
        resources = synthesise(emit(design.config)) if target.family is ECP5 else None
        if resources is not None:
            rows += [Row(name, "count", getattr(resources, name), at) for name in SYNTHESISED]
        placements = place_accelerator(design.config, target, SEEDS, within(progress, design.name))
        for placement in placements:
            rows += [
                Row(row.name, row.unit, row.value, {**row.parameters, **at}, row.seed)
                for row in placement.rows()
            ]
        middle = median(placement.megahertz for placement in placements)
        rows.append(Row("median_frequency", "MHz", middle, at))
        if design.shape is not None and resources is not None:
            cycles = _cycles(design)
            rows += [
                Row("estimated_cycles_per_step", "cycles", cycles, at),
                Row("step_time", "us", cycles / middle, at),
                Row("step_logic_time", "LUT us", resources.luts * cycles / middle, at),
            ]
    return rows


def _cycles(design: Design) -> float:
    assert design.shape is not None
    bundle = Case(design.shape).bundle(0)
    return cycles_per_step(compile_bundle(bundle, design.config, mode="dense", hidden_results="last"))
