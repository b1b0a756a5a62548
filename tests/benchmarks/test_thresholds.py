import dataclasses
from pathlib import Path

import pytest

import gatewright
from gatewright.benchmarks import thresholds
from gatewright.benchmarks.shapes import Shape
from gatewright.benchmarks.thresholds import Point, calibrate_thresholds, policy_from, solve
from gatewright.cosim.golden import Golden
from gatewright.cosim.verify import Verification
from gatewright.errors import ConfigError, DataError, ToolError
from gatewright.hw.cycles.model import predict
from gatewright.results import Row, read_rows
from gatewright.sw.mode import POLICY, ModePolicy

TINY = Shape("tiny", 3, 8, lanes=4, cell_lanes=1, steps=4)
RESULTS = Path(gatewright.__file__).resolve().parents[2] / "docs" / "results" / "thresholds.json"


def points(*excesses):
    """Points at 0, 0.1, ... at which the sparse mode costs so much more."""
    return [Point(k / 10, 50.0, 50.0 + excess) for k, excess in enumerate(excesses)]


@pytest.mark.parametrize(
    ("excesses", "threshold"),
    [
        ((0, 0, -5), 0.0),
        ((-1, -2), 0.0),
        ((4, 0, -4), 0.1),
        ((1, -3, -5), 0.025),
        ((4, -4, 2, -2, -9), 0.25),
        ((4, 3, 1), 1.0),
        ((-4, -3, 1), 1.0),
    ],
)
def test_solved(excesses, threshold):
    assert solve(points(*excesses)) == pytest.approx(threshold)
    assert solve(reversed(points(*excesses))) == pytest.approx(threshold)


def threshold_row(of, by, shape, value):
    return Row("threshold", "share", value, {"of": of, "by": by, "shape": shape})


def test_the_policy_is_conservative():
    rows = [
        threshold_row("weights", "both", "a", 0.3),
        threshold_row("weights", "both", "b", 0.4),
        threshold_row("weights", "bits", "b", 0.9),
        threshold_row("inputs", "both", "a", 0.05),
        threshold_row("inputs", "both", "b", 0.0),
    ]
    assert policy_from(rows) == ModePolicy(0.4, 0.05, "or")
    with pytest.raises(ConfigError, match="no threshold of inputs among the rows"):
        policy_from(rows[:3])


def test_no_shapes():
    with pytest.raises(DataError, match="at least one shape"):
        calibrate_thresholds([])


def predicted(config, measurements, *, progress):
    """Stand in for the RTL: what the cycle model says."""
    found = []
    for wanted in measurements:
        steps = [len(x) for x in wanted.sequences]
        skips = [wanted.skip] * len(steps) if isinstance(wanted.skip, bool) else wanted.skip
        golden = Golden(wanted.compiled)
        cycles = []
        for x, skip in zip(wanted.sequences, skips, strict=True):
            _, trace = golden.run(x, trace=True)
            cycles.append(predict(wanted.compiled, len(x), skip=skip, trace=trace).cycles)
        found.append(
            Verification(1, 0, "", {"cycles": cycles}, steps, [True] * len(steps), [], sum(cycles), 1.0)
        )
    return found


def by_parameters(rows):
    """Give values by name and parameters; none comes twice."""
    found = {(row.name, *row.parameters.values()): row.value for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture
def sweep(monkeypatch):
    """Calibrate without simulation; gives values by what they depend on."""
    monkeypatch.setattr(thresholds, "measure", predicted)
    return by_parameters(calibrate_thresholds([TINY], seed=3))


def curve(sweep, name, of, mode):
    return [value for key, value in sweep.items() if key[:2] == (name, of) and key[3] == mode]


def test_sweep_of_weights(sweep):
    shares = [key[2] for key in sweep if key[:2] == ("sweep_bits", "weights") and key[3] == "sparse"]
    assert shares == [k / 8 for k in range(8)]
    dense, sparse = (curve(sweep, "sweep_bits", "weights", mode) for mode in ("dense", "sparse"))
    assert len(set(dense)) == 1
    assert sparse == sorted(sparse, reverse=True)
    assert sparse[0] > dense[0] > sparse[-1]
    dense, sparse = (curve(sweep, "sweep_cycles", "weights", mode) for mode in ("dense", "sparse"))
    assert len(set(dense)) == 1
    assert sparse[0] == dense[0]
    assert sparse == sorted(sparse, reverse=True)


def test_sweep_of_inputs(sweep):
    shares = [key[2] for key in sweep if key[:2] == ("sweep_cycles", "inputs") and key[3] == "sparse"]
    assert shares[0] == 0
    assert shares == sorted(set(shares))
    assert shares[-1] > 0.8
    dense, sparse = (curve(sweep, "sweep_cycles", "inputs", mode) for mode in ("dense", "sparse"))
    assert len(set(dense)) == 1
    assert sparse[-1] < sparse[0]


def test_thresholds_are_solved_from_the_sweep(sweep):
    bits = sweep["threshold", "weights", "bits", "tiny"]
    # Bits fall in a straight line, from all indices to none.
    dense, sparse = (curve(sweep, "sweep_bits", "weights", mode) for mode in ("dense", "sparse"))
    each = (sparse[0] - sparse[-1]) * 8 / 7
    assert bits == pytest.approx((sparse[0] - dense[0]) / each)
    assert sweep["threshold", "weights", "cycles", "tiny"] == 0
    assert sweep["threshold", "weights", "both", "tiny"] == bits
    assert sweep["threshold", "inputs", "both", "tiny"] == sweep["threshold", "inputs", "cycles", "tiny"]


@pytest.mark.parametrize(
    ("model", "what"), [(0, "weights with 0.0 % zeros in dense"), (-1, "inputs with 0.0 % zeros")]
)
def test_cycles_that_were_not_predicted_fail(monkeypatch, model, what):
    def wrong(*given, **named):
        found = predicted(*given, **named)
        found[model] = dataclasses.replace(found[model], counted={"cycles": [1] * len(found[model].steps)})
        return found

    monkeypatch.setattr(thresholds, "measure", wrong)
    with pytest.raises(ToolError, match=rf"{what}.*: 1 cycles on the RTL, \d+ predicted"):
        calibrate_thresholds([TINY])


def test_neither_inputs_nor_hidden_values_are_zero_by_chance():
    bundle = thresholds._without_zeros(thresholds._models(TINY, 0)[0])
    config = thresholds.smallest_config([(bundle, "dense")], lanes=4, cell_lanes=1)
    job = thresholds._input_job(bundle, config, dataclasses.replace(TINY, steps=400), 0)
    told = thresholds.compile_bundle(bundle, config, mode="dense", hidden_results="all")
    assert job.wanted.sequences[0].all()
    assert all(Golden(told).run(x).all() for x in job.wanted.sequences)


def test_measured_on_the_rtl(sweep, monkeypatch):
    monkeypatch.undo()
    assert thresholds.measure is not predicted
    assert by_parameters(calibrate_thresholds([TINY], seed=3)) == sweep


def test_the_policy_in_use_is_the_measured_one():
    solved = policy_from(read_rows(RESULTS))
    assert POLICY.weight_threshold == pytest.approx(solved.weight_threshold, abs=0.005)
    assert POLICY.input_threshold == pytest.approx(solved.input_threshold, abs=0.005)
    assert POLICY.policy == solved.policy
