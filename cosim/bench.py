"""Speed of the simulation and of the golden model, as rows."""

import time

from gatewright.cosim.golden import Golden
from gatewright.cosim.verify import verify
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import ToolError
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.compiler.pack import Mode
from gatewright.hw.config import AcceleratorConfig
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.bundle import Bundle

SEED = 0

_STEPS = 50
_SEQUENCES: dict[Mode, int] = {"dense": 20, "sparse": 120}
_KEPT: dict[Mode, int | None] = {"dense": None, "sparse": 2}
_GOLDEN_STEPS = 2000
_REPEATS = 5


def bench_sim(progress: Progress = silent) -> list[Row]:
    """Measure simulated cycles per second, end to end: process start, loading, cocotb and golden model included.

    The build of the simulation is not included. The accelerator is the default configuration, the model
    13 inputs → 128 units → 10 classes, at full rate, dense and at 12.5 % density.

    Raises
    ------
    ToolError
        A tool is missing or failed, or golden model and RTL disagree: a wrong simulation has no speed.
    """
    rows = []
    for mode in _KEPT:
        bundle, compiled, parameters = _digits(mode)
        sequences = [random_inputs(k, bundle, _STEPS) for k in range(_SEQUENCES[mode])]
        found = verify(compiled, sequences, seed=SEED, progress=progress)
        if found.mismatches:
            raise ToolError(f"golden model and RTL disagree: {found.report}")
        parameters |= {"cycles": found.simulated_cycles, "seconds": round(found.wall_seconds, 3)}
        rows.append(
            Row(
                "simulated_cycles_per_second",
                "cycles/s",
                round(found.simulated_cycles_per_second),
                parameters,
                SEED,
            )
        )
    return rows


def bench_golden(progress: Progress = silent) -> list[Row]:
    """Measure the golden model's multiply-accumulates per second on one core, gates and head included.

    The model is that of `bench_sim`; padding counts as work, since the golden model computes it. The best of
    several runs counts, as the others measure what else the machine did.
    """
    rows = []
    for done, mode in enumerate(_KEPT):
        progress("golden model", done, len(_KEPT), mode)
        bundle, compiled, parameters = _digits(mode)
        x = random_inputs(SEED, bundle, _GOLDEN_STEPS)
        golden = Golden(compiled)
        golden.run(x[:1])
        seconds = min(_seconds(golden, x) for _ in range(_REPEATS))
        speed = golden.multiply_accumulates(len(x)) / seconds
        parameters["steps"] = len(x)
        rows.append(Row("golden_macs_per_second", "MAC/s", round(speed), parameters, SEED))
    progress("golden model", len(_KEPT), len(_KEPT), "")
    return rows


def _digits(mode: Mode) -> tuple[Bundle, Compiled, dict]:
    """Make the shape of the digits task, with random weights."""
    config = AcceleratorConfig()
    shape = {"inputs": 13, "hidden": 128, "classes": 10}
    bundle = random_bundle(SEED, **shape, lanes=config.lanes, kept=_KEPT[mode])
    parameters = {**shape, "mode": mode, "density": bundle.layers[0].recurrent.density, "lanes": config.lanes}
    return bundle, compile_bundle(bundle, config, mode=mode), parameters


def _seconds(golden: Golden, x) -> float:
    start = time.perf_counter()
    golden.run(x)
    return time.perf_counter() - start
