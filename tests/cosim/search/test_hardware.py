from dataclasses import replace
from random import Random

import numpy as np
import pytest
import studies

from gatewright.cosim.search.costs import Costs
from gatewright.cosim.search.hardware import (
    candidate_config,
    device_choices,
    refusal,
    shared_config,
    space_config,
)
from gatewright.cosim.search.settings import Limits
from gatewright.errors import ConfigError
from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.fit import exceeded
from gatewright.sw.determinism import seeded
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.search.supernet import SuperNetwork, candidate_bundle
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import task_from


def bundles(task, space, count):
    dense, random = studies.model(), Random(0)
    sample = dense.standardise(task.train.sequences[:8])
    for candidate in (space.smallest, space.largest, *(space.sample(random) for _ in range(count))):
        spec = space.spec(candidate)
        yield (
            candidate,
            candidate_bundle(task, dense, SuperNetwork.of(dense), spec, sample, CompressSettings()),
        )


@pytest.mark.slow
@pytest.mark.parametrize("granularity", ["network", "matrix"])
@pytest.mark.parametrize("columns", ["equal", "contribution"])
def test_one_accelerator_holds_every_candidate(plan, granularity, columns):
    task = studies.task_of(plan)
    space = SearchSpace.of(
        studies.model().network, granularity, ranks=(1, 2, None), lanes=studies.LANES, columns=columns
    )
    config = space_config(task, studies.model(), space)
    assert (config.lanes, config.cell_lanes, config.narrowest_weight) == (8, 2, 2)
    for _, bundle in bundles(task, space, 40):
        Costs.of(bundle, config, task.validation.sequences[:1], False)
        # Training may leave zeros anywhere, so that any column may differ from the others.
        assert sum(stage.matrix.columns for stage in bundle.matrices.values()) <= config.column_depth


def test_each_matrix_may_have_a_rank_of_its_own(plan):
    # 16 inputs, 30 units and the vectors between both matrices' factors take more than one of these alone.
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(5, 16)) for _ in range(9)]
    task = task_from({"X": sequences, "y": np.arange(9) % 3})
    with seeded(0):
        network = LstmNetwork.initial(16, 30, 3)
    dense = FloatModel(network.eval(), np.zeros(16), np.ones(16), ("0", "1", "2"), studies.model().settings)
    space = SearchSpace.of(network, "matrix", ranks=(8, 16, None), lanes=8)
    config = space_config(task, dense, space)
    candidate = space.largest | {"layer0.input.rank": 8, "layer0.recurrent.rank": 16}
    bundle = candidate_bundle(
        task,
        dense,
        SuperNetwork.of(dense),
        space.spec(candidate),
        dense.standardise(sequences),
        CompressSettings(),
    )
    assert Costs.of(bundle, config, sequences[:1], False).cycles > 0


def test_the_space_settles_lanes_and_widths(plan):
    space = studies.space(lanes=4, activation_bits=16)
    config = space_config(studies.task_of(plan), studies.model(), space, cell_lanes=1)
    assert (config.lanes, config.cell_lanes, config.activation_bits) == (4, 1, 16)


def test_candidates_choose_their_hardware(plan):
    space = studies.space(hardware={"lanes": (8, 16), "groups": (1, 2), "cell_lanes": (1,)})
    own = replace(plan, space=space, config=None)
    for candidate, bundle in bundles(studies.task_of(plan), space, 4):
        config = candidate_config(own, bundle, candidate)
        assert config.lanes == candidate["hardware.lanes"]
        assert config.groups == candidate["hardware.groups"]
        assert config.cell_lanes == 1
    fewer = replace(own, space=replace(space, choices={"hardware.lanes": (8, 16)}))
    assert candidate_config(fewer, bundle, {"hardware.lanes": 8}).cell_lanes == 2
    assert candidate_config(plan, bundle, candidate) is plan.config


def test_sums_of_candidates_are_in_look_up_tables_where_block_ram_is_short(plan):
    space = studies.space(hardware={"lanes": (4, 8, 16), "cell_lanes": (1,)})
    own = replace(plan, space=space, config=None)
    few = replace(own, search=replace(plan.search, limits=Limits(block_rams=56)))
    moved = set()
    for candidate, bundle in bundles(studies.task_of(plan), space, 20):
        unlimited = candidate_config(own, bundle, candidate)
        assert unlimited.block_accumulators
        for limited in (replace(own, device="ecp5-25k"), few):
            config = candidate_config(limited, bundle, candidate)
            assert replace(config, block_accumulators=1) == unlimited
            in_tables = not config.block_accumulators
            assert in_tables == bool(refusal(limited, unlimited) and not refusal(limited, config))
            moved.add(in_tables)
    assert moved == {False, True}


def test_sums_of_the_hardware_of_all_candidates_too(plan):
    config = AcceleratorConfig(lanes=16, cell_lanes=1, accumulator_rows=8, weight_depth=1024, index_depth=512)
    small = replace(plan, device="ecp5-25k", config=None)
    assert shared_config(plan, config) == config
    assert shared_config(small, config) == replace(config, block_accumulators=0)


def test_devices_limit_resources(plan):
    config, small, large = AcceleratorConfig(), device("ecp5-25k"), device("ecp5-85k")
    needs = estimate_resources(config)
    assert exceeded(config, small) == [
        f"needs {needs.block_ram} block RAMs, has 56",
        f"needs {needs.multipliers} multipliers, has 28",
    ]
    assert exceeded(config, large) == []
    assert shared_config(replace(plan, device=large.name), config) == config
    with pytest.raises(
        ConfigError, match=r"ecp5-25k is too small: it .* multipliers, has 28; it has 32 lanes"
    ):
        shared_config(replace(plan, device=small.name), config)
    assert any("multipliers" in text for text in exceeded(config, device("ice40-up5k")))


@pytest.mark.parametrize(
    ("name", "lanes", "cell_lanes"),
    [
        ("ecp5-12k", (4, 8, 16), (1, 2)),
        ("ecp5-25k", (4, 8, 16), (1, 2)),
        ("ecp5-85k", (16, 32), (1, 2, 4, 8)),
    ],
)
def test_a_device_has_lanes_and_cell_lanes_that_fit_and_no_more_than_rows(plan, name, lanes, cell_lanes):
    space = studies.space()
    *_, (_, bundle) = bundles(studies.task_of(plan), space, 0)
    assert device_choices(bundle, device(name)) == {"lanes": lanes, "cell_lanes": cell_lanes}
    with pytest.raises(ConfigError, match="no accelerator fits ice40-hx8k: take a larger device"):
        device_choices(bundle, device("ice40-hx8k"))


def test_limits_hold_without_a_device(plan):
    def limited(limits):
        return replace(plan, search=replace(plan.search, limits=limits))

    config = AcceleratorConfig()
    needs = estimate_resources(config)
    limits = Limits(luts=needs.luts - 1, block_rams=needs.block_ram, multipliers=needs.multipliers)
    assert refusal(limited(limits), config) == (
        f"the accelerator needs {needs.luts} look-up tables, at most {needs.luts - 1} are allowed"
    )
    assert refusal(limited(replace(limits, luts=needs.luts)), config) == ""
    with pytest.raises(ConfigError, match=r"the accelerator needs .* use fewer lanes"):
        shared_config(limited(limits), config)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layers", "projection", "head"), [(2, None, True), (2, 6, True), (2, None, False), (1, 4, False)]
)
def test_any_network_has_its_accelerator(plan, layers, projection, head):
    task = studies.task_of(plan)
    with seeded(2):
        network = LstmNetwork.initial(2, 8, 3, layers=layers, projection=projection)
    if not head:
        network = LstmNetwork(list(network.layers))
    dense = replace(studies.model(), network=network.eval(), labels=studies.model().labels[: 3 * head])
    space = SearchSpace.of(network, ranks=(1, 2, None), lanes=studies.LANES)
    space = space.changed({"columns": ("equal", "contribution")})
    if space.layers:
        space = space.changed({"hidden": (4, 8)})
    config, random = space_config(task, dense, space), Random(1)
    sample, supernet = dense.standardise(task.train.sequences[:8]), SuperNetwork.of(dense)
    for candidate in (space.smallest, space.largest, *(space.sample(random) for _ in range(25))):
        bundle = candidate_bundle(task, dense, supernet, space.spec(candidate), sample, CompressSettings())
        costs = Costs.of(bundle, config, task.validation.sequences[:1], True)
        assert costs.cycles > 0
