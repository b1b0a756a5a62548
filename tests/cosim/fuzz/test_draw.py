"""What is drawn: from a seed and numbers alone, legal, and all kinds of it."""

import dataclasses
from dataclasses import replace

import numpy as np

from gatewright.cosim.fuzz.case import Job, Wrong, joined, settled
from gatewright.cosim.fuzz.draw import draw_case
from gatewright.cosim.fuzz.models import draw_recipe
from gatewright.cosim.fuzz.targets import draw_target
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.skipping import Skip

TARGETS = 48


def test_targets_are_drawn_from_seed_and_number_over_every_field():
    targets = [draw_target(1, number) for number in range(TARGETS)]
    assert targets[5] == draw_target(1, 5) != draw_target(2, 5)
    for field in dataclasses.fields(AcceleratorConfig):
        assert len({getattr(target.config, field.name) for target in targets}) > 1, field.name
    assert {target.config.lanes for target in targets} == {4, 8, 16, 32, 64, 128}
    assert {target.axi for target in targets} == {False, True}
    assert any(target.config.index_depth == 0 for target in targets)
    assert any(target.config.weight_depth & (target.config.weight_depth - 1) for target in targets)
    baked = [target for target in targets if target.baked]
    assert baked
    assert all(target.config.lanes <= 32 for target in baked)


def same(case, other):
    return (
        (case.target, case.models, case.name) == (other.target, other.models, other.name)
        and [job.to_json() for job in case.jobs] == [job.to_json() for job in other.jobs]
        and all((a.x == b.x).all() for a, b in zip(case.jobs, other.jobs, strict=True))
    )


def test_a_case_is_the_same_when_it_is_drawn_alone(target, cases):
    assert same(draw_case(target, 3, 0, 4), cases[4])
    assert not same(cases[4], cases[3])


def test_all_kinds_of_jobs_are_drawn(target):
    target = replace(target, config=replace(target.config, auto_skipping=1))
    drawn = [draw_case(target, 3, 0, number) for number in range(40)]
    jobs = [job for case in drawn for job in case.jobs]
    assert {job.wrong for job in jobs} == set(Wrong)
    assert {job.skip for job in jobs} == set(Skip)
    assert {(job.fresh, job.chained) for job in jobs} == {
        (a, b) for a in (False, True) for b in (False, True)
    }
    assert any(job.reset for job in jobs)
    assert any(job.gaps and job.stalls for job in jobs)
    assert any(job.full_rate for job in jobs)
    assert {len(case.models) for case in drawn} == {1, 2}


def test_matrices_are_stored_in_all_ways(target):
    drawn = [draw_case(target, 3, 0, number).models[0] for number in range(40)]
    assert {recipe.mode for recipe in drawn} == {"dense", "sparse", "solved"}
    solved = [recipe.build(target.config)[1].modes.forms for recipe in drawn if recipe.mode == "solved"]
    assert {form.sparse for forms in solved for form in forms.values()} == {False, True}
    whole = replace(target.config, index_depth=0, column_depth=0)
    rng = np.random.default_rng(1)
    assert {draw_recipe(whole, rng).mode for _ in range(20)} == {"dense"}


def job(**values):
    return Job(np.ones((3, 2), dtype=np.int64), **values)


def test_jobs_are_settled_so_that_each_can_follow_the_one_before():
    carried = job(fresh=False, chained=True)
    for before, follows in (
        (job(), (False, True)),
        (job(model=1), (True, False)),
        (job(reset=5), (True, False)),
        (job(wrong=Wrong.EARLY, place=2), (True, False)),
        (job(wrong=Wrong.LOAD_BUSY, place=2), (False, False)),
        (job(gaps=0.5), (False, False)),
    ):
        _, after = settled([before, carried])
        assert (after.fresh, after.chained) == follows, before
    (first,) = settled([carried])
    assert (first.fresh, first.chained) == (True, False)


def test_a_wrong_is_at_a_place_that_the_job_has():
    early, late = settled([job(wrong=Wrong.EARLY, place=50), job(wrong=Wrong.LATE, place=50)])
    assert (early.place, late.place) == (5, 6)
    (whole,) = settled([replace(job(wrong=Wrong.EARLY, place=1), x=np.ones((1, 1), dtype=np.int64))])
    assert whole.wrong == Wrong.NOTHING


def test_cases_are_joined_in_order(cases):
    case = joined(cases[:3])
    assert len(case.jobs) == sum(len(each.jobs) for each in cases[:3])
    assert [case.models[job.model] for job in case.jobs] == [
        each.models[job.model] for each in cases[:3] for job in each.jobs
    ]
    assert case.name == cases[2].name
