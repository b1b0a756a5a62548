from dataclasses import replace

import pytest

from gatewright.benchmarks.opponents.arena import COARSER, GRID, OURS, SEARCHES, tried_in_order
from gatewright.cosim.search.evaluation import Evaluation

KINDS = {"rank", "bits", "density", "hidden"}


@pytest.mark.parametrize("method", SEARCHES)
def test_each_candidate_is_tried_once_and_paid_for(arena, method):
    tried = SEARCHES[method](arena)
    keys = [arena.space.key(each.candidate) for each in tried]
    assert len(set(keys)) == len(keys)
    assert 1 <= len(tried) <= arena.settings.trials
    assert [each.seconds for each in tried] == [2.0 * (1 + k) for k in range(len(tried))]
    assert all(each.found.stored_bits == arena.ask(each.candidate).stored_bits for each in tried)


def test_the_default_method_is_ours_and_all_samplers_are_there():
    assert OURS in SEARCHES
    assert {"tpe", "nsga2", "random"} < set(SEARCHES)
    assert "entropy" not in SEARCHES


def test_the_grid_has_every_combination_and_keeps_what_matrices_cannot_have_whole(arena):
    tried = SEARCHES["grid by hand"](arena)
    candidates = [each.candidate for each in tried]
    assert {each["layer0.rank"] for each in candidates} == {8, None}
    assert {each["layer0.density"] for each in candidates} == {0.25, 0.5, 1.0}
    assert {each["head.bits"] for each in candidates} == {4, 8}
    assert len(candidates) == 2 * 3 * 3
    assert set(GRID) == KINDS


@pytest.mark.parametrize(("trials", "densities"), [(30, GRID["density"]), (20, COARSER["density"])])
def test_a_grid_of_too_many_models_is_coarser_not_thinner(arena, trials, densities):
    space = arena.space.changed({"layer0.density": sorted(GRID["density"])})
    settings = replace(arena.settings, trials=trials)
    tried = SEARCHES["grid by hand"](arena._replace(space=space, settings=settings))
    assert {each.candidate["layer0.density"] for each in tried} == {*densities}
    # All of it: two ranks, and three widths of which the narrowest has one density less.
    assert len(tried) == 2 * (3 * len(densities) - (0.125 in densities))


def test_the_grid_keeps_shares_of_units_that_the_space_has(shorter):
    tried = SEARCHES["grid by hand"](shorter)
    assert {each.candidate["layer0.hidden"] for each in tried} == {16, 32}
    assert len(tried) == 2 * 2 * 3 * 3


def test_units_and_weights_are_pruned_together(shorter):
    largest = shorter.space.largest
    changed = [
        {kind for kind in KINDS if each.candidate[f"layer0.{kind}"] != largest[f"layer0.{kind}"]}
        for each in SEARCHES["one after the other"](shorter)
    ]
    assert any({"hidden", "density"} <= each for each in changed)


def test_a_grid_of_more_than_the_trials_is_thinned_evenly(few):
    tried = SEARCHES["grid by hand"](few)
    assert len(tried) == few.settings.trials
    assert {each.candidate["layer0.bits"] for each in tried} == {2, 4, 8}


def test_widths_alone_leave_all_else_whole(arena):
    for each in SEARCHES["widths alone"](arena):
        assert each.candidate["layer0.rank"] is None
        assert each.candidate["layer0.density"] == 1.0


def test_one_kind_after_the_other_changes_several_kinds(arena):
    tried = SEARCHES["one after the other"](arena)
    largest = arena.space.largest
    changed = [
        {name.rpartition(".")[2] for name, value in each.candidate.items() if value != largest[name]}
        for each in tried
    ]
    assert changed[0] == set()
    assert any(len(kinds) > 1 for kinds in changed)


def test_same_seeds_find_the_same(arena):
    for method in ("nsga2 on surrogate", "tpe, multivariate", OURS):
        one, other = (SEARCHES[method](arena) for _ in range(2))
        assert [each.candidate for each in one] == [each.candidate for each in other]


def test_what_has_no_result_is_left_out(arena):
    nothing = arena.space.largest | {"layer0.rank": 4, "layer0.bits": 2}
    tried = tried_in_order(arena, [arena.space.largest, nothing])
    assert [each.candidate for each in tried] == [arena.space.largest]
    assert isinstance(tried[0].found, Evaluation)
    assert tried[0].found.reward == arena.settings.reward(*tried[0].found.parts)
