import json
from dataclasses import replace

import numpy as np
import pytest

from gatewright.clock import Clock
from gatewright.cosim.workloads import random_bundle
from gatewright.errors import DataError
from gatewright.hw.compiler import Compiled, compile_bundle, smallest_config
from gatewright.hw.cycles.model import predict
from gatewright.hw.estimate import estimate
from gatewright.hw.fpga.devices import device
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
    assert lines[0].split()[:3] == ["op", "name", "opcode"]
    named = [line.split()[1:3] for line in lines[1 : len(report.loops) + 1]]
    assert named == [[loop.name, loop.opcode] for loop in report.loops]
    assert f"{report.cycles_per_step:g}" in report.text()
    values = json.loads(json.dumps(report.to_json()))
    assert values["loops"][0]["trips"] == 12
    assert values["resources"]["multipliers"] == report.resources.multipliers


def test_no_steps(compiled):
    with pytest.raises(DataError, match="at least one step"):
        estimate(compiled, 0)


def test_every_op_is_named(compiled):
    names = [loop.name for loop in estimate(compiled).loops]
    assert sorted(set(names)) == [
        "head",
        "head.results",
        "input",
        "layer0.cell",
        "layer0.input",
        "layer0.recurrent",
    ]


def test_factors_and_projections_are_named():
    bundle = random_bundle(4, inputs=12, hidden=32, classes=0, lanes=8, rank=4, layers=2, projection=8)
    config = smallest_config([(bundle, "dense")], lanes=8, cell_lanes=1)
    report = estimate(compile_bundle(bundle, config, mode="dense", hidden_results="all"))
    products = {f"layer{k}.{part}" for k in (0, 1) for part in ("input", "recurrent")}
    factors = {f"{name}.{part}" for name in products for part in ("first", "middle", "second")}
    cells = {f"layer{k}.{part}" for k in (0, 1) for part in ("cell", "projection", "projected")}
    assert {loop.name for loop in report.loops} == factors | cells | {"input", "layer1.results"}


def test_names_of_ops_are_kept_on_disk(compiled, tmp_path):
    compiled.save(tmp_path / "image.npz")
    again = Compiled.load(tmp_path / "image.npz")
    assert [op.name for op in again.image.program] == [op.name for op in compiled.image.program]


def test_time_is_cycles_over_the_clock(compiled):
    report = estimate(compiled, 10, clock=Clock(50.0, "met on a board"))
    assert report.microseconds_per_step == report.cycles_per_step / 50
    assert report.inferences_per_second == pytest.approx(50e6 / report.cycles)
    assert "50 MHz, met on a board" in report.text()


def test_layers_share_the_work_of_a_steady_step(compiled):
    """The head runs in the last step only; 128 rows meet 12 inputs and 32 hidden values on 8 lanes."""
    report = estimate(compiled)
    layers = {layer.name: layer for layer in report.layers}
    assert sorted(layers) == ["input", "layer0"]
    products = [loop for loop in report.loops if loop.name.startswith("layer0.") and loop.when != "FIRST"]
    assert layers["layer0"].matrix == sum(loop.trips for loop in products if loop.unit == "matrix")
    assert layers["layer0"].matrix <= report.cycles_per_step
    assert layers["layer0"].work.useful == 128 + compiled.macs["input"] + compiled.macs["recurrent"] + 128
    assert report.work.read == sum(layer.work.read for layer in report.layers)


@pytest.mark.parametrize("seed", range(8))
def test_lanes_are_never_busier_than_all_the_time(seed):
    """Narrow weights, two layers, factors: no model is done faster than its non-zero weights allow."""
    rng = np.random.default_rng(seed)
    bundle = random_bundle(
        seed,
        inputs=int(rng.integers(1, 30)),
        hidden=4 * int(rng.integers(1, 12)),
        kept=[None, 1][seed % 2],
        lanes=8,
        weight_bits=[8, 4, 2][seed % 3],
        rank=[None, 2][seed // 4],
    )
    mode = ["dense", "sparse"][seed % 2]
    config = smallest_config([(bundle, mode)], lanes=8, cell_lanes=1)
    compiled = compile_bundle(bundle, config, mode=mode, hidden_results="all")
    for steps in (1, 2, 30):
        report = estimate(compiled, steps)
        assert 0 < report.busy <= 1


def test_utilisation_is_of_a_device(compiled):
    report = estimate(compiled, device=device("ecp5-85k"))
    assert report.device == "ecp5-85k"
    luts = next(each for each in report.utilisation if each.resource == "luts")
    assert f"{100 * report.resources.luts / 83_640:.1f} %" in report.text()
    assert luts.used == report.resources.luts
