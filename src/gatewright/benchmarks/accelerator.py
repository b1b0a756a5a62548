"""Speed of the accelerator, of its simulation and of the golden model, as rows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from gatewright.benchmarks.shapes import CASES, DIGITS, LARGE, MIDDLE, WIDE, Case
from gatewright.cosim.golden import Golden
from gatewright.cosim.ideal import ideal_cycles
from gatewright.cosim.measurement import Measurement, Verification
from gatewright.cosim.verify import measure
from gatewright.cosim.workloads import random_inputs
from gatewright.errors import ToolError
from gatewright.hw.compiler import Mode, compile_bundle, smallest_config
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode
from gatewright.progress import Progress, silent, within
from gatewright.results import Row
from gatewright.sw.bundle import Bundle

SEED = 0

_SEQUENCES = 100
_GOLDEN_STEPS = 2000
_REPEATS = 5


def bench_hw(progress: Progress = silent) -> list[Row]:
    """Measure cycles on the RTL in Verilator, batch 1, for the shapes and compressions of `shapes.CASES`.

    Every result is compared with the golden model's, and those of sparse models also with what the golden model gives
    for the same weights in dense mode.

    Raises
    ------
    ToolError
        A tool is missing or failed, or two results that must be equal are not: a wrong accelerator has no speed.
    """
    return _bench_hw(CASES, progress)


def bench_hw_large(progress: Progress = silent) -> list[Row]:
    """Do what `bench_hw` does for `shapes.LARGE`, which takes minutes."""
    return _bench_hw(LARGE, progress)


def bench_hw_wide(progress: Progress = silent) -> list[Row]:
    """Do what `bench_hw` does for `shapes.WIDE`, whose simulation takes minutes to build."""
    return _bench_hw(WIDE, progress)


def bench_sim(progress: Progress = silent) -> list[Row]:
    """Measure simulated cycles per second, end to end: process start, loading, cocotb and golden model included.

    The build of the simulation is not included. The model is 64 inputs → 128 units on 32 lanes, at full rate, dense and
    at 12.5 % density; the lanes are for weights of 8 bits, or of 2 bits as well, which is four times the accumulators.

    Raises
    ------
    ToolError
        As for `bench_hw`.
    """
    rows = []
    for case, narrowest in product((Case(MIDDLE), Case(MIDDLE, sparse=True)), (8, 2)):
        bundle = case.bundle(SEED)
        compiled = _compile(bundle, AcceleratorConfig(narrowest_weight=narrowest), case.mode)
        sequences = [random_inputs(k, bundle, case.shape.steps) for k in range(_SEQUENCES)]
        (found,) = measure(compiled.config, [Measurement(compiled, sequences)], progress=progress)
        parameters = _parameters(case, compiled, bundle) | {"narrowest_weight": narrowest}
        parameters |= {"cycles": found.simulated_cycles, "seconds": round(found.wall_seconds, 3)}
        speed = round(found.simulated_cycles_per_second)
        rows.append(Row("simulated_cycles_per_second", "cycles/s", speed, parameters, SEED))
    return rows


def bench_golden(progress: Progress = silent) -> list[Row]:
    """Measure the golden model's multiply-accumulates per second on one core, gates and head included.

    The model is the digits task's, 13 inputs → 128 units → 10 classes, dense and at 12.5 % density; padding counts as
    work, since the golden model computes it. The best of several runs counts, as the others measure what else the
    machine did.
    """
    rows = []
    for done, case in enumerate((Case(DIGITS), Case(DIGITS, sparse=True))):
        progress("golden model", done, 2, case.mode)
        bundle = case.bundle(SEED)
        compiled = _compile(bundle, AcceleratorConfig(), case.mode)
        x = random_inputs(SEED, bundle, _GOLDEN_STEPS)
        golden = Golden(compiled)
        golden.run(x[:1])
        seconds = min(_seconds(golden, x) for _ in range(_REPEATS))
        speed = golden.multiply_accumulates(len(x)) / seconds
        parameters = _parameters(case, compiled, bundle) | {"steps": len(x)}
        rows.append(Row("golden_macs_per_second", "MAC/s", round(speed), parameters, SEED))
    progress("golden model", 2, 2, "")
    return rows


def _bench_hw(cases: Sequence[Case], progress: Progress) -> list[Row]:
    """Measure cases, those of the same lanes on one accelerator that holds each of them."""
    groups: dict[tuple[int, int], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.shape.lanes, case.shape.cell_lanes), []).append(case)
    found: dict[Case, Measured] = {}
    for (lanes, cell_lanes), group in groups.items():
        told = within(progress, f"{lanes} lanes")
        bundles = [case.bundle(SEED) for case in group]
        models = [(bundle, case.mode) for case, bundle in zip(group, bundles, strict=True)]
        config = smallest_config(models, lanes=lanes, cell_lanes=cell_lanes)
        found |= _measure(config, group, bundles, told)
    return [row for case in cases for row in _rows(case, found)]


@dataclass(frozen=True)
class Measured:
    """A case with what was found on the RTL."""

    case: Case
    bundle: Bundle
    wanted: Measurement
    found: Verification

    @cached_property
    def ideal(self) -> float:
        """Cycles of lanes that do useful multiply-accumulates all the time."""
        return sum(ideal_cycles(self.wanted))


def _measure(
    config: AcceleratorConfig, cases: list[Case], bundles: list[Bundle], progress: Progress
) -> dict[Case, Measured]:
    wanted = []
    for case, bundle in zip(cases, bundles, strict=True):
        x = random_inputs(SEED, bundle, case.shape.steps, case.zeros)
        wanted.append(Measurement(_compile(bundle, config, case.mode), [x], case.skip))
    found = measure(config, wanted, progress=progress)
    measured = {}
    for case, bundle, each, result in zip(cases, bundles, wanted, found, strict=True):
        if case.mode == "sparse":
            _check_dense(case, bundle, each, result)
        measured[case] = Measured(case, bundle, each, result)
    return measured


def _check_dense(case: Case, bundle: Bundle, wanted: Measurement, found: Verification) -> None:
    config = smallest_config([(bundle, "dense")], lanes=case.shape.lanes, cell_lanes=case.shape.cell_lanes)
    dense = Golden(_compile(bundle, config, "dense"))
    for x, results in zip(wanted.sequences, found.results, strict=True):
        if not np.array_equal(dense.run(x), results):
            raise ToolError(f"{case.shape.name}: sparse and dense mode disagree")


def _rows(case: Case, measured: dict[Case, Measured]) -> list[Row]:
    each = measured[case]
    compiled, found = each.wanted.compiled, each.found
    at = _parameters(case, compiled, each.bundle)
    rows = [
        Row("cycles_per_step", "cycles", found.cycles_per_step, at, SEED),
        Row("integers_compared", "integers", found.integers_compared, at, SEED),
    ]
    if case.skip:
        bound = sum(_nonzero_words(compiled, x) for x in each.wanted.sequences) / sum(found.steps)
        rows += [
            Row("bound_of_skipping", "cycles", bound, at, SEED),
            Row("over_bound", "percent", 100 * (found.cycles_per_step / bound - 1), at, SEED),
        ]
    else:
        busy = 100 * each.ideal / sum(found.counters["cycles"])
        rows.append(Row("busy_on_nonzeros", "percent", busy, at, SEED))
    if case.baseline:
        base = measured[case.baseline]
        speed_up = base.found.cycles_per_step / found.cycles_per_step
        rows.append(Row("speed_up", "ratio", speed_up, at, SEED))
        if not case.skip:
            rows.append(Row("reduction_of_work", "ratio", base.ideal / each.ideal, at, SEED))
    return rows


def _compile(bundle: Bundle, config: AcceleratorConfig, mode: Mode) -> Compiled:
    """Compile a model so that it sends its last result alone."""
    return compile_bundle(bundle, config, mode=mode, hidden_results="none" if bundle.head else "last")


def _parameters(case: Case, compiled: Compiled, bundle: Bundle) -> dict:
    """Say what a figure depends on."""
    shape = case.shape
    matrices = [stage.matrix for stage in bundle.matrices.values()]
    values = {
        "shape": shape.name,
        "inputs": shape.inputs,
        "hidden": shape.hidden,
        "classes": shape.classes,
        "projection": shape.projection,
        "lanes": shape.lanes,
        "cell_lanes": compiled.config.cell_lanes,
        "steps": shape.steps,
        "mode": case.mode,
        "weight_bits": case.weight_bits,
        "rank": case.rank,
        "zeros": case.zeros,
        "density": sum(m.nonzeros for m in matrices) / sum(m.values.size for m in matrices),
    }
    return {name: value for name, value in values.items() if value is not None}


def _nonzero_words(compiled: Compiled, x: np.ndarray) -> int:
    """Give the words that a lane works through for column steps that are not zero; all steps must have equally many."""
    (words,) = {op.arguments["words"] for op in compiled.image.program if op.opcode == Opcode.MATVEC}
    _, trace = Golden(compiled).run(x, trace=True)
    return words * int(np.count_nonzero(trace.flags))


def _seconds(golden: Golden, x: np.ndarray) -> float:
    start = time.perf_counter()
    golden.run(x)
    return time.perf_counter() - start
