"""Cell lanes of final points, on models whose matrices take a step as long as the drain, and much longer."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import studies

from gatewright.cosim.search.costs import Costs
from gatewright.cosim.search.floors import PAYS, floor, off_the_floor
from gatewright.cosim.search.hardware import candidate_config
from gatewright.cosim.search.settings import Limits
from gatewright.hw.area.estimate import estimate_resources
from gatewright.sw.determinism import seeded
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.search.supernet import SuperNetwork, candidate_bundle
from gatewright.sw.settings import CompressSettings

RECORDINGS = [np.ones((20, 2), dtype=np.float32)]


@pytest.fixture
def case(plan):
    """A plan whose hardware is searched; and of a candidate its costs on one cell lane, and on any configuration."""
    with seeded(1):
        model = replace(studies.model(), network=LstmNetwork.initial(2, 32, 3).eval())
    hardware = {"lanes": (32,), "cell_lanes": (1, 2, 4)}
    space = SearchSpace.of(model.network, ranks=(2, None), densities=(0.0625, 1.0), hardware=hardware)

    def made(candidate):
        chosen = candidate(space) | {"hardware.cell_lanes": 1}
        task = studies.task_of(plan)
        sample = model.standardise(task.train.sequences[:8])
        spec, supernet = space.spec(chosen), SuperNetwork.of(model)
        bundle = candidate_bundle(task, model, supernet, spec, sample, CompressSettings())
        costs_of = partial(Costs.of, bundle, recordings=RECORDINGS, every_step=False)
        costs = costs_of(candidate_config(replace(plan, space=space, config=None), bundle, chosen))
        return replace(plan, space=space, config=None), chosen, costs, costs_of

    return made


def test_small_models_get_the_cell_lanes_of_the_space_and_the_rest_is_said(case):
    plan, chosen, costs, costs_of = case(lambda space: space.smallest)
    found, fewer = off_the_floor(plan, chosen, costs, costs_of)
    assert found == chosen | {"hardware.cell_lanes": 4}
    assert fewer.compiled.config.cell_lanes == 4
    assert fewer.cycles < (1 - PAYS) ** 2 * costs.cycles
    text = floor(plan, found, fewer, costs_of)
    assert text.startswith("8 cell lanes in place of 4 save ")
    large = replace(plan, device="vivado-xc7a100t")
    assert floor(large, found, fewer, costs_of) == f"{text} and fit vivado-xc7a100t"


def test_large_models_keep_the_cell_lanes_that_pay(case):
    plan, chosen, costs, costs_of = case(lambda space: space.largest)
    found, fewer = off_the_floor(plan, chosen, costs, costs_of)
    assert found["hardware.cell_lanes"] == 2
    assert floor(plan, found, fewer, costs_of) == ""


def test_what_does_not_fit_is_no_floor(case):
    plan, chosen, costs, costs_of = case(lambda space: space.smallest)
    luts = estimate_resources(costs.compiled.config).luts
    limited = replace(plan, search=replace(plan.search, limits=Limits(luts=luts)))
    assert off_the_floor(limited, chosen, costs, costs_of) == (chosen, costs)
    assert floor(limited, chosen, costs, costs_of) == ""
    # Eight lanes finish two units a cycle at the most.
    few = chosen | {"hardware.lanes": 8, "hardware.cell_lanes": 2}
    on_few = costs_of(candidate_config(plan, costs.bundle, few))
    assert floor(plan, few, on_few, costs_of) == ""


def test_settled_hardware_is_only_told(case):
    plan, chosen, costs, costs_of = case(lambda space: space.smallest)
    settled = replace(plan, config=costs.compiled.config, space=studies.space())
    assert off_the_floor(settled, chosen, costs, costs_of) == (chosen, costs)
    assert floor(settled, chosen, costs, costs_of).startswith("2 cell lanes in place of 1 save ")
