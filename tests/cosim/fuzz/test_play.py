"""Cases on the RTL: nothing differs, and what is planted is found, made small, and found again."""

import re
from dataclasses import replace

import numpy as np
import pytest

from gatewright.cosim import golden
from gatewright.cosim.fuzz import reference, reproducer, targets
from gatewright.cosim.fuzz.case import Case, Job, Wrong, settled
from gatewright.cosim.fuzz.draw import draw_case
from gatewright.cosim.fuzz.models import Recipe
from gatewright.cosim.fuzz.play import play
from gatewright.cosim.fuzz.shrink import shrink
from gatewright.cosim.fuzz.targets import Target
from gatewright.cosim.workloads import random_inputs
from gatewright.errors import DataError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.skipping import Skip

SMALL = AcceleratorConfig(
    lanes=4,
    cell_lanes=1,
    weight_depth=256,
    index_depth=0,
    column_depth=0,
    accumulator_rows=16,
    activation_depth=64,
    bias_depth=16,
    state_depth=16,
    auto_skipping=1,
)
RECIPE = Recipe(1, 3, 4, 2, None, None, 4, 1, 8, 9, (8, 8, 8), None, None, "dense", "all", "last")


def test_nothing_differs(target, cases):
    verdicts = play(target, cases)
    assert [verdict.differences for verdict in verdicts] == [()] * len(cases)
    assert sum(verdict.compared for verdict in verdicts) > 1000
    assert sum(verdict.cycles for verdict in verdicts) > 1000
    assert sum(verdict.resets for verdict in verdicts) > 0


WIDE = replace(RECIPE, activation_bits=16, lanes=8)
"""The small model for the accelerator that most tests simulate."""


def simple(target, wrongs=(Wrong.NOTHING,), recipe=RECIPE, **values):
    """A case of a few short jobs on the small model."""
    bundle, _ = recipe.build(target.config)
    jobs = [
        Job(random_inputs(number, bundle, 4), wrong=wrong, place=3, fresh=False, **values)
        for number, wrong in enumerate(wrongs)
    ]
    return Case(target, (recipe,), settled(jobs), "simple")


def test_every_wrong_is_reported_and_the_next_job_does_not_notice(target):
    wrongs = [each for wrong in Wrong for each in (wrong, Wrong.NOTHING)]
    (verdict,) = play(target, [simple(target, wrongs, WIDE)])
    assert verdict.differences == ()
    assert verdict.errors == len(Wrong) - 1


def test_an_error_that_a_case_leaves_is_known_to_the_next(target):
    wrongs = [(Wrong.LOAD_BUSY,), (Wrong.LOAD_ADDRESS,), (Wrong.LOAD_ADDRESS,)]
    verdicts = play(target, [simple(target, each, WIDE) for each in wrongs])
    assert [(verdict.differences, verdict.errors) for verdict in verdicts] == [((), 1)] * 3


BAKED = Target(SMALL, axi=True, baked=RECIPE)


@pytest.mark.slow
@pytest.mark.parametrize("before", [Skip.NEVER, Skip.ALWAYS])
def test_a_job_that_leaves_skipping_to_the_hardware_carries_on_from_one_that_did_not(before):
    """The hardware weighs the zeros of every job, and so does the prediction."""
    case = simple(BAKED, (Wrong.NOTHING,) * 2, threshold=250)
    first, second = case.jobs
    jobs = (replace(first, skip=before), replace(second, skip=Skip.AUTO))
    assert not jobs[1].fresh
    (verdict,) = play(BAKED, [replace(case, jobs=jobs)])
    assert verdict.differences == ()
    assert verdict.cycles > 0


@pytest.mark.slow
def test_a_baked_model_behind_the_axi_top():
    cases = [draw_case(BAKED, 1, 0, number) for number in range(4)]
    verdicts = play(BAKED, cases)
    assert [verdict.differences for verdict in verdicts] == [()] * 4
    assert sum(verdict.errors for verdict in verdicts) > 0


@pytest.mark.slow
def test_a_fault_of_the_golden_model_is_found_and_made_small(target, cases, monkeypatch, tmp_path):
    sigmoids, tanhs = golden._tables()
    monkeypatch.setattr(golden, "_tables", lambda: (sigmoids + (sigmoids == sigmoids.max()), tanhs // 2))
    verdicts = play(target, cases)
    assert all("PyTorch and golden model" in verdict.differences[0] for verdict in verdicts)
    assert all("golden model and RTL" in " ".join(verdict.differences) for verdict in verdicts)
    shrunk = shrink([simple(target, (Wrong.NOTHING,) * 2, WIDE, skip=Skip.ALWAYS)], simulations=10, builds=0)
    (job,) = shrunk.case.jobs
    assert len(job.x) <= 2
    assert job.skip == Skip.NEVER
    reproducer.save(shrunk.case, shrunk.verdict.differences, tmp_path / "case")
    case = reproducer.load(tmp_path / "case")
    assert play(case.target, [case])[0].differences == shrunk.verdict.differences
    monkeypatch.undo()
    assert play(case.target, [case])[0].differences == ()


@pytest.mark.slow
def test_a_fault_of_the_verilog_is_found(monkeypatch):
    """One constant of the delivered text is another."""
    target = Target(SMALL)
    plain = target.verilog()
    # The first entries of the table of σ and tanh.
    changed, count = re.subn(
        r"(localparam \[(\d+):0\] fill\d+_0 = \d+'h)([0-9a-f]+);",
        lambda found: f"{found[1]}{int(found[3], 16) ^ (2 << int(found[2])) - 1:x};",
        plain,
        count=1,
    )
    assert count == 1
    monkeypatch.setattr(targets, "emit", lambda config, image: changed)
    shrunk = shrink([simple(target, (Wrong.NOTHING,) * 3)], simulations=6, builds=0)
    assert "golden model and RTL" in shrunk.verdict.differences[0]
    assert len(shrunk.case.jobs) == 1


def test_a_wrong_prediction_is_found(target, cases, monkeypatch):
    predict = reference.predict

    def wrong(*given, **named):
        found = predict(*given, **named)
        return replace(found, counters=found.counters | {"cycles": found.cycles + 1})

    monkeypatch.setattr(reference, "predict", wrong)
    differences = [difference for verdict in play(target, cases) for difference in verdict.differences]
    assert differences
    assert all(": predicted cycles " in difference for difference in differences)


def test_cases_that_do_not_fail_are_not_made_small(cases):
    assert shrink(cases[:2]) is None


def test_a_case_on_disk_is_the_case(cases, tmp_path):
    reproducer.save(cases[0], ("what differs",), tmp_path)
    case = reproducer.load(tmp_path)
    assert (case.target, case.models, case.name) == (cases[0].target, cases[0].models, cases[0].name)
    for job, other in zip(case.jobs, cases[0].jobs, strict=True):
        assert job.to_json() == other.to_json()
        assert (job.x == other.x).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 1', '"version": 2', "version 2"),
        ('"layers": ', '"layer": ', "not a whole case"),
        ('"activation_bits": 16', '"activation_bits": 12', "not a sound case"),
        ('"jobs": ', '"job": ', "not a whole case"),
        ("{", "", "not a case"),
    ],
)
def test_what_is_no_case_is_refused(cases, tmp_path, old, new, message):
    reproducer.save(cases[0], (), tmp_path)
    path = tmp_path / "case.json"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        reproducer.load(tmp_path)


def test_sequences_of_another_model_are_refused(cases, tmp_path):
    jobs = [replace(job, x=np.zeros((2, 99), dtype=np.int64)) for job in cases[0].jobs]
    reproducer.save(replace(cases[0], jobs=tuple(jobs)), (), tmp_path)
    with pytest.raises(DataError, match=r"its sequence must be int64 \[steps, "):
        reproducer.load(tmp_path)
    with pytest.raises(DataError, match="give a folder that `fuzz` wrote"):
        reproducer.load(tmp_path / "nothing")
