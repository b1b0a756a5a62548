"""What a search aims at by itself: on a model that reaches a tenth of its costs, and on one that has a floor before."""

from dataclasses import replace
from itertools import product

import pytest
import studies

from gatewright.cosim.search import aims as module
from gatewright.cosim.search.aims import ROOM, TIMES, aims, uncompressed
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.hardware import candidate_config
from gatewright.cosim.search.settings import Limits
from gatewright.errors import CapacityError
from gatewright.sw.determinism import seeded
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.search.supernet import SuperNetwork


def case(plan, units, **given):
    """A model of so many units, and a plan whose hardware is each candidate's own."""
    with seeded(1):
        model = replace(studies.model(), network=LstmNetwork.initial(2, units, 3).eval())
    values = {"ranks": (2, None), "bits": (2, 8), "densities": (0.0625, 1.0)}
    space = SearchSpace.of(model.network, **(values | given))
    return model, replace(plan, space=space, config=None)


def costs(task, model, plan):
    """What every candidate of a space costs: cycles per step and stored bits."""
    recordings = spread(task.validation, plan.search.recordings, plan.search.steps)
    for values in product(*plan.space.choices.values()):
        candidate = dict(zip(plan.space.choices, values, strict=True))
        spec = plan.space.spec(candidate)
        bundle = module.untrained(task, model, SuperNetwork.of(model).subnetwork(spec), spec)
        config = candidate_config(plan, bundle, candidate)
        found = Costs.of(bundle, config, recordings, task.validation.every_step)
        yield found.cycles, found.stored_bits


HARDWARE = {"lanes": (8, 16), "cell_lanes": (1, 2)}


@pytest.mark.parametrize(
    ("units", "given"),
    [(8, {"lanes": 4}), (16, {"hardware": HARDWARE}), (24, {"lanes": 4, "hidden": (0.5, 1.0)})],
)
def test_every_aim_leaves_room_above_the_smallest_candidate(plan, units, given):
    model, plan = case(plan, units, **given)
    task = studies.task_of(plan)
    _, whole = uncompressed(task, model, plan)
    aimed = aims(task, model, plan, whole)
    every = [*costs(task, model, plan)]
    for axis, (aim, full) in enumerate(zip(aimed, (whole.cycles, whole.stored_bits), strict=True)):
        least = min(found[axis] for found in every)
        wanted = max(full / TIMES, min(ROOM * least, full))
        assert wanted <= aim <= 1.05 * wanted


def test_a_tenth_where_the_space_reaches_it(plan):
    model, plan = case(plan, 128, lanes=4)
    task = studies.task_of(plan)
    _, whole = uncompressed(task, model, plan)
    assert aims(task, model, plan, whole) == (whole.cycles / TIMES, whole.stored_bits / TIMES)


def test_candidates_without_hardware_are_no_floor(plan, monkeypatch):
    model, plan = case(plan, 8, lanes=4)
    task = studies.task_of(plan)
    _, whole = uncompressed(task, model, plan)

    def refused(*_):
        raise CapacityError("too large")

    monkeypatch.setattr(module, "candidate_config", refused)
    assert aims(task, model, plan, whole) == (whole.cycles, whole.stored_bits)


def test_candidates_on_hardware_beyond_the_limits_are_no_floor(plan):
    model, plan = case(plan, 8, lanes=4)
    task = studies.task_of(plan)
    _, whole = uncompressed(task, model, plan)
    beyond = replace(plan, search=replace(plan.search, limits=Limits(luts=1)))
    assert aims(task, model, beyond, whole) == (whole.cycles, whole.stored_bits)
    assert aims(task, model, plan, whole) < (whole.cycles, whole.stored_bits)
