"""What a model takes on an accelerator, as a report in the style of high-level synthesis.

Every op is a loop: trip counts, depth of the pipeline, latency, and how much of it other loops hide. Cycles come from
the exact cycle model, resources from `gatewright.hw.area`, and a stand-in for energy from `gatewright.hw.energy`.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gatewright.clock import Clock
from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.area.resources import Resources
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.compiler.modes import Modes
from gatewright.hw.cycles.ideal import column_cycles
from gatewright.hw.cycles.model import OpTime, Prediction, predict
from gatewright.hw.energy import Work, op_work, total
from gatewright.hw.fpga.devices import Device
from gatewright.hw.fpga.utilisation import Utilisation, smallest_ecp5, utilisation
from gatewright.hw.loops import UNITS, Loop, loops_of
from gatewright.hw.skipping import WHOLE, Skip
from gatewright.quantities import RESOURCES

_STEPS = 24
"""Steps of the job whose middle stands for the steady state, in which buffers alternate from step to step."""

_MIDDLE = _STEPS // 2


@dataclass(frozen=True)
class Layer:
    """What a layer, or the head, takes in a steady step.

    Parameters
    ----------
    name : str
        ``layer0``, ``head``, ``input``; empty in files of older releases.
    matrix, drain : int
        Cycles in which the lanes have a word of its weights, and in which the drain unit is at work on it.
    work : Work
        Words of memories, and products.
    """

    name: str
    matrix: int
    drain: int
    work: Work


@dataclass(frozen=True)
class Estimate:
    """The report. No zero activations are skipped in it: that depends on data.

    Parameters
    ----------
    loops : list of Loop
        In program order, without ops that never run.
    layers : list of Layer
        What runs in a steady step, by layer.
    cycles_per_step : float
        In the steady state: a multiple of one half.
    first_overhead, last_overhead : float
        Cycles that the job takes beyond `cycles_per_step` for each step, until its last step begins and from there on.
    steps, cycles : int
        A job of this many steps from a fresh state, and its cycles.
    busy : float
        Share of these cycles that lanes which never idle would take for the job's products with true non-zero weights,
        narrow ones as many at a time as a word has: at most 1.
    clock : Clock
        What cycles are turned into time with.
    resources : Resources
    device : str
        The device that `utilisation` is about.
    utilisation : list of Utilisation
    modes : Modes
        Forms of the matrices, and when zero activations are skipped.
    """

    loops: list[Loop]
    layers: list[Layer]
    cycles_per_step: float
    first_overhead: float
    last_overhead: float
    steps: int
    cycles: int
    busy: float
    clock: Clock
    resources: Resources
    device: str
    utilisation: list[Utilisation]
    modes: Modes

    @property
    def work(self) -> Work:
        """What a steady step does, all layers together."""
        return total(layer.work for layer in self.layers)

    @property
    def microseconds_per_step(self) -> float:
        """Time of a steady step in µs."""
        return self.clock.microseconds(self.cycles_per_step)

    @property
    def inferences_per_second(self) -> float:
        """Sequences of `steps` steps in a second, one after the other."""
        return self.clock.per_second(self.cycles)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return dataclasses.asdict(self) | {
            "work": dataclasses.asdict(self.work),
            "microseconds_per_step": self.microseconds_per_step,
            "steps_per_second": self.clock.per_second(self.cycles_per_step),
            "microseconds": self.clock.microseconds(self.cycles),
            "inferences_per_second": self.inferences_per_second,
        }

    def text(self) -> str:
        """Return the report as plain text."""
        work, clock = self.work, self.clock
        facts = {
            "clock": clock.text,
            "cycles per step (steady state)": f"{self.cycles_per_step:g}, {self.microseconds_per_step:,.6g} µs, "
            f"{clock.per_second(self.cycles_per_step):,.0f} steps per second",
            "first and last step, beyond that": f"{self.first_overhead:+g}, {self.last_overhead:+g}",
            f"cycles of {self.steps} steps": f"{self.cycles}, {clock.microseconds(self.cycles):,.6g} µs, "
            f"{self.inferences_per_second:,.6g} inferences per second",
            "busy on true non-zeros": f"{self.busy:.1%}",
            "stored without zeros": ", ".join(sorted(self.modes.sparse)) or "no matrix",
            "zero activations skipped": _skipped(self.modes),
            "energy proxy of a step": f"{work.read:,} words read, {work.written:,} written, {work.products:,} "
            f"products ({work.useful:,} with non-zero weights)",
        }
        width = max(map(len, facts)) + 2
        blocks = [
            _table(_loop_rows(self.loops), left=3),
            [f"{name.ljust(width)}{value}" for name, value in facts.items()],
            _table(self._layer_rows(), left=1),
            _table(self.resources.table(), left=1),
            _table(self._utilisation_rows(), left=1),
        ]
        return "\n\n".join("\n".join(lines) for lines in blocks)

    def _layer_rows(self) -> list[tuple[str, ...]]:
        heading = (
            "layer",
            "lanes, cycles",
            "drain, cycles",
            "lanes, µs",
            "words read",
            "written",
            "products",
        )
        return [
            (*heading, "non-zero"),
            *(
                (
                    layer.name or "all",
                    f"{layer.matrix}",
                    f"{layer.drain}",
                    f"{self.clock.microseconds(layer.matrix):.4g}",
                    *(f"{count}" for count in dataclasses.astuple(layer.work)),
                )
                for layer in self.layers
            ),
        ]

    def _utilisation_rows(self) -> list[tuple[str, ...]]:
        bound = "at least" if any(each.bound for each in self.utilisation) else "used"
        return [
            (f"of {self.device}", bound, "available", "share"),
            *(
                (RESOURCES[each.resource], f"{each.used}", f"{each.available}", f"{each.percent:.1f} %")
                for each in self.utilisation
            ),
        ]


def estimate(
    compiled: Compiled, steps: int = 50, *, clock: Clock | None = None, device: Device | None = None
) -> Estimate:
    """Estimate a compiled model, for a job of a number of steps whose zeros are not skipped.

    Parameters
    ----------
    compiled : Compiled
    steps : int
        At least 1.
    clock : Clock, optional
        100 MHz, asked for, unless given.
    device : Device, optional
        What utilisation is of; the smallest ECP5 that has room, unless given.

    Raises
    ------
    DataError
        There are no steps.
    """
    prediction = predict(compiled, _STEPS, timeline=True)
    begins = _begins(prediction)
    per_step = _steady(begins)
    last = prediction.cycles - begins[-1] - per_step
    job = predict(compiled, steps, timeline=True)
    ideal = {place: float(each.sum()) for place, each in column_cycles(compiled).items()}
    loops = loops_of(compiled, prediction.timeline, begins, _MIDDLE)
    device = device or smallest_ecp5(compiled.config)
    return Estimate(
        loops=loops,
        layers=_layers(compiled, loops, [each for each in prediction.timeline if each.step == _MIDDLE]),
        cycles_per_step=per_step,
        first_overhead=prediction.cycles - _STEPS * per_step - last,
        last_overhead=last,
        steps=steps,
        cycles=job.cycles,
        busy=sum(ideal.get(each.op, 0) for each in job.timeline) / job.cycles,
        clock=clock or Clock(),
        resources=estimate_resources(compiled.config),
        device=device.name,
        utilisation=utilisation(compiled.config, device),
        modes=compiled.modes,
    )


def cycles_per_step(compiled: Compiled) -> float:
    """Return the cycles of one step in the steady state, as `estimate` does, without the rest of the report."""
    return _steady(_begins(predict(compiled, _STEPS, timeline=True)))


def _begins(prediction: Prediction) -> list[int]:
    """Return the issue of each step's first op."""
    return [next(each.issue for each in prediction.timeline if each.step == step) for step in range(_STEPS)]


def _steady(begins: Sequence[int]) -> float:
    return (begins[_MIDDLE + 2] - begins[_MIDDLE]) / 2


def _layers(compiled: Compiled, loops: Sequence[Loop], step: Sequence[OpTime]) -> list[Layer]:
    """Add up the ops of a steady step by layer."""
    works, trips = op_work(compiled), {loop.op: loop.trips for loop in loops}
    layers: dict[str, Layer] = {}
    for each in step:
        op = compiled.image.program[each.op]
        name, unit = op.name.partition(".")[0], UNITS[op.opcode]
        old = layers.get(name, Layer(name, 0, 0, Work()))
        layers[name] = Layer(
            name,
            old.matrix + (trips[each.op] if unit == "matrix" else 0),
            old.drain + (each.last - each.first + 1 if unit == "drain" and each.first else 0),
            old.work + works[each.op],
        )
    return [layers[name] for name in sorted(layers, key=lambda name: (name == "head", name))]


def _loop_rows(loops: Sequence[Loop]) -> list[tuple]:
    names = ("op", "name", "opcode", "when", "trips", "columns", "II", "depth", "start", "latency", "overlap")
    return [
        names,
        *(
            (
                loop.op,
                loop.name or "-",
                loop.opcode,
                loop.when,
                loop.trips,
                loop.columns or "-",
                loop.interval,
                loop.depth,
                loop.start,
                loop.latency,
                f"{loop.overlap:.0%}",
            )
            for loop in loops
        ),
    ]


def _skipped(modes: Modes) -> str:
    """Say when zeros are skipped."""
    when = {
        Skip.NEVER: "never",
        Skip.ALWAYS: "always",
        Skip.AUTO: f"in steps after one with {modes.input_threshold / WHOLE:.1%} zeros or more",
    }[modes.skip]
    return (
        when if modes.skip == Skip.NEVER else f"{when}; what that saves depends on data and is left out here"
    )


def _table(rows: Sequence[Sequence], left: int = 0) -> list[str]:
    """Align columns: the first `left` of them to the left, the others to the right."""
    texts = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]

    def line(row: Sequence[str]) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(text.ljust(width) if k < left else text.rjust(width) for k, (text, width) in cells)

    return [line(row).rstrip() for row in texts]
