import numpy as np
import pytest

from gatewright.benchmarks import accelerator as bench
from gatewright.benchmarks.shapes import Case, Shape
from gatewright.cosim.golden import Golden
from gatewright.cosim.measurement import Verification
from gatewright.errors import ToolError

DENSE = Case(Shape("small", 3, 8, lanes=8, steps=4))
SPARSE = Case(DENSE.shape, sparse=True)
NARROW = Case(DENSE.shape, weight_bits=4, baseline=DENSE)
ZEROS = Case(DENSE.shape, zeros=0.5, baseline=DENSE)


class Rtl:
    """Stands in for the simulation: every model takes 10 cycles for each column step, and gives the right results."""

    def __init__(self):
        self.calls = []
        self.wrong = 0

    def __call__(self, config, measurements, **_):
        self.calls.append(config)
        return [self.verification(each) for each in measurements]

    def verification(self, each):
        results = [Golden(each.compiled).run(x) + self.wrong for x in each.sequences]
        steps = [len(x) for x in each.sequences]
        cycles = [10 * each.compiled.image.weights.shape[1] * count for count in steps]
        return Verification(
            sum(map(len, results)), 0, "", {"cycles": cycles}, steps, [True] * len(steps), results, 3000, 2.0
        )


@pytest.fixture
def rtl(monkeypatch):
    made = Rtl()
    monkeypatch.setattr(bench, "measure", made)
    return made


def values(rows, **parameters):
    return {row.name: row.value for row in rows if parameters.items() <= row.parameters.items()}


def test_cases_of_the_same_lanes_share_an_accelerator(rtl, monkeypatch):
    other = Case(Shape("other", 2, 4, lanes=4, cell_lanes=1))
    monkeypatch.setattr(bench, "CASES", (DENSE, other, SPARSE))
    rows = bench.bench_hw()
    assert [config.lanes for config in rtl.calls] == [8, 4]
    assert [row.parameters["shape"] for row in rows if row.name == "cycles_per_step"] == [
        "small",
        "other",
        "small",
    ]


def test_busy_counts_true_nonzeros(rtl, monkeypatch):
    monkeypatch.setattr(bench, "CASES", (DENSE, SPARSE))
    rows = bench.bench_hw()
    weights = 4 * 8 * (3 + 8)
    for mode, kept in (("dense", 1), ("sparse", 1 / 4)):
        found = values(rows, mode=mode)
        words = kept * weights / 8
        assert found["cycles_per_step"] == 10 * words
        # Without the recurrent products of the first step.
        useful = kept * (4 * weights - 4 * 8 * 8)
        assert found["busy_on_nonzeros"] == pytest.approx(100 * useful / (4 * 10 * words * 8))
        assert found["integers_compared"] == 8


def test_narrow_weights_are_compared_with_wide_ones(rtl, monkeypatch):
    monkeypatch.setattr(bench, "CASES", (DENSE, NARROW))
    rows = bench.bench_hw()
    found = values(rows, weight_bits=4)
    assert found["speed_up"] == found["reduction_of_work"] == 2
    assert found["busy_on_nonzeros"] == values(rows, weight_bits=8)["busy_on_nonzeros"]


def test_skipping_is_compared_with_its_bound(rtl, monkeypatch):
    monkeypatch.setattr(bench, "CASES", (DENSE, ZEROS))
    found = values(bench.bench_hw(), zeros=0.5)
    bundle = ZEROS.bundle(bench.SEED)
    x = bench.random_inputs(bench.SEED, bundle, 4, 0.5)
    compiled = bench.compile_bundle(
        bundle, rtl.calls[0], mode="dense", hidden_results="all", logit_results="none"
    )
    hidden = Golden(compiled).run(x).reshape(4, 8)[:-1]
    bound = 4 * (np.count_nonzero(x) + np.count_nonzero(hidden)) / 4
    assert found["bound_of_skipping"] == bound
    assert found["over_bound"] == pytest.approx(100 * (found["cycles_per_step"] / bound - 1))
    assert "busy_on_nonzeros" not in found


def test_modes_that_disagree_have_no_speed(rtl, monkeypatch):
    monkeypatch.setattr(bench, "CASES", (SPARSE,))
    rtl.wrong = 1
    with pytest.raises(ToolError, match="small: sparse and dense mode disagree"):
        bench.bench_hw()


def test_golden(monkeypatch):
    monkeypatch.setattr(bench, "_GOLDEN_STEPS", 20)
    rows = bench.bench_golden()
    assert [row.parameters["mode"] for row in rows] == ["dense", "sparse"]
    assert all(row.unit == "MAC/s" and row.value > 0 for row in rows)


def test_sim(rtl, monkeypatch):
    monkeypatch.setattr(bench, "_SEQUENCES", 2)
    rows = bench.bench_sim()
    assert [row.value for row in rows] == [1500] * 4
    assert [row.parameters["narrowest_weight"] for row in rows] == [8, 2, 8, 2]
    assert all(row.unit == "cycles/s" and row.seed == bench.SEED for row in rows)
