import json
from dataclasses import replace

import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import DataError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.cycles.model import predict
from gatewright.hw.estimate import estimate
from gatewright.hw.ops import ARGUMENTS, Op, Opcode


@pytest.fixture(scope="module", params=["dense", "sparse"])
def compiled(request):
    bundle = random_bundle(3, inputs=12, hidden=32, classes=3, kept=1, lanes=8)
    config = smallest_config([(bundle, request.param)], lanes=8, cell_lanes=2)
    return compile_bundle(bundle, config, mode=request.param)


def by_hand(compiled, *given):
    """Replace the program; its last op is marked as the end."""
    ops = [
        Op(opcode, dict.fromkeys(ARGUMENTS[opcode], 0) | arguments, end=number == len(given) - 1)
        for number, (opcode, arguments) in enumerate(given)
    ]
    return replace(compiled, image=replace(compiled.image, program=tuple(ops)))


def test_the_parts_are_the_cycles(compiled):
    report = estimate(compiled, 40)
    assert report.cycles == predict(compiled, 40).cycles
    assert report.cycles == 40 * report.cycles_per_step + report.first_overhead + report.last_overhead


def test_busy_counts_true_nonzeros(compiled):
    report = estimate(compiled, 10)
    assert report.busy == pytest.approx(compiled.useful_macs(10) / (compiled.config.lanes * report.cycles))


def test_busy_counts_narrow_weights_as_many_a_cycle():
    bundle = random_bundle(3, inputs=12, hidden=32, classes=0, kept=1, lanes=8, weight_bits=2)
    config = smallest_config([(bundle, "dense")], lanes=8, cell_lanes=1, narrowest_weight=2)
    compiled = compile_bundle(bundle, config, mode="dense", hidden_results="last")
    report = estimate(compiled, 10)
    assert report.busy == pytest.approx(compiled.useful_macs(10) / (4 * config.lanes * report.cycles))
    assert report.busy < 1


def test_trips(compiled):
    """12 inputs and 32 hidden values; a column has 128 rows in 8 lanes, or one for each lane; 2 cell lanes."""
    loops = estimate(compiled).loops
    words = 1 if any(op.arguments.get("sparse") for op in compiled.image.program) else 16
    trips = {(loop.opcode, loop.columns): loop.trips for loop in loops}
    assert trips["INPUT", 0] == 12
    assert (trips["MATVEC", 12], trips["MATVEC", 32]) == (12 * words, 32 * words)
    assert (trips["CELL", 0], trips["REDUCE", 0]) == (16, 3)


def test_ops_that_wait_for_nothing_take_depth_and_trips(compiled):
    program = (Opcode.INPUT, {"count": 9}), (Opcode.CELL, {"groups": 4, "destination": 3})
    for op in program:
        (loop,) = estimate(by_hand(compiled, op)).loops
        assert loop.latency == loop.depth + (loop.trips - 1) * loop.interval


def test_overlap_is_the_share_in_which_others_work(compiled):
    """INPUT works in cycles 1 to 90 from its issue, OUTPUT of another vector in cycles 4 to 33."""
    program = (Opcode.INPUT, {"count": 90}), (Opcode.OUTPUT, {"count": 30, "source": 4})
    first, second = estimate(by_hand(compiled, *program)).loops
    assert (first.start, second.start) == (0, 2)
    assert first.overlap == pytest.approx(30 / 90)
    assert second.overlap == 1


def test_text_and_json(compiled):
    report = estimate(compiled)
    lines = report.text().splitlines()
    assert lines[0].split()[:3] == ["op", "opcode", "when"]
    assert [line.split()[1] for line in lines[1 : len(report.loops) + 1]] == [x.opcode for x in report.loops]
    assert f"{report.cycles_per_step:g}" in report.text()
    values = json.loads(json.dumps(report.to_json()))
    assert values["loops"][0]["trips"] == 12
    assert values["resources"]["multipliers"] == report.resources.multipliers


def test_no_steps(compiled):
    with pytest.raises(DataError, match="at least one step"):
        estimate(compiled, 0)
