import json
from random import Random

import pytest

from gatewright.errors import ConfigError
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.spec import ProductSpec

SHAPES = {"layer0.input": (64, 40), "layer0.recurrent": (64, 16), "head": (3, 16)}


@pytest.fixture(scope="module")
def network():
    return LstmNetwork.initial(40, 16, 3)


def test_one_rank_for_the_network_and_bits_and_density_for_each_layer(network):
    space = SearchSpace.of(network, ranks=(4, None), densities=(0.5, 1.0))
    assert set(space.choices) == {"network.rank", "layer0.bits", "layer0.density", "head.bits"}
    assert space.size == 2 * 3 * 2 * 3
    spec = space.spec({"network.rank": 4, "layer0.bits": 4, "layer0.density": 0.5, "head.bits": 2})
    assert spec.products == {
        "layer0.input": ProductSpec(4, 4, 0.5),
        "layer0.recurrent": ProductSpec(4, 4, 0.5),
        "head": ProductSpec(None, 2, 1.0),
    }


def test_everything_for_each_matrix(network):
    space = SearchSpace.of(network, "matrix", lanes=16, activation_bits=16, columns="contribution")
    candidate = space.largest | {"layer0.recurrent.rank": 8, "layer0.input.bits": 2}
    spec = space.spec(candidate)
    assert spec.products["layer0.recurrent"] == ProductSpec(8, 8, 1.0)
    assert spec.products["layer0.input"] == ProductSpec(None, 2, 1.0)
    assert (spec.lanes, spec.activation_bits, spec.columns) == (16, 16, "contribution")


def test_factors_that_save_nothing_are_not_made(network):
    space = SearchSpace.of(network, ranks=(12, 13, 24, None))

    def ranks(rank):
        products = space.spec(space.largest | {"network.rank": rank}).products
        return products["layer0.input"].rank, products["layer0.recurrent"].rank, products["head"].rank

    # 12 * (64 + 16) = 960 < 1024 weights, 13 * 80 = 1040 > 1024; 24 * 104 = 2496 < 2560.
    assert ranks(12) == (12, 12, None)
    assert ranks(13) == (13, None, None)
    assert ranks(24) == (24, None, None)


def test_ranks_that_save_nothing_are_no_candidates(network):
    # 12 * (64 + 16) = 960 < 1024 weights, 13 * 80 = 1040 > 1024; 24 * 104 = 2496 < 2560, 25 * 104 = 2600 > 2560.
    ranks = (8, 12, 13, 24, 25)
    each = SearchSpace.of(network, "matrix", ranks=(*ranks, None)).choices
    assert each["layer0.input.rank"] == (8, 12, 13, 24, None)
    assert each["layer0.recurrent.rank"] == (8, 12, None)
    assert SearchSpace.of(network, ranks=ranks).choices["network.rank"] == (8, 12, 13, 24, None)
    assert SearchSpace.of(network, ranks=(8, 12)).choices["network.rank"] == (8, 12)


def test_narrow_scopes_count():
    choices = {"network.bits": (2, 4), "layer0.bits": (4, 8), "layer0.input.bits": (8,)}
    spec = SearchSpace(SHAPES, choices).spec({"network.bits": 2, "layer0.bits": 4, "layer0.input.bits": 8})
    assert {name: product.bits for name, product in spec.products.items()} == {
        "layer0.input": 8,
        "layer0.recurrent": 4,
        "head": 2,
    }


def test_hardware_sets_the_lanes_of_patterns():
    space = SearchSpace(SHAPES, {"hardware.lanes": (16, 32), "hardware.groups": (1, 2)}, lanes=8)
    candidate = {"hardware.lanes": 32, "hardware.groups": 2}
    assert space.hardware(candidate) == {"lanes": 32, "groups": 2}
    assert space.spec(candidate).lanes == 16
    assert SearchSpace(SHAPES, {}, lanes=8).spec({}).lanes == 8


def test_parts_of_a_space(network):
    space = SearchSpace.of(network)
    fixed = space.fixed({"network.rank": 8})
    assert fixed.choices == space.choices | {"network.rank": (8,)}
    assert fixed.smallest == space.smallest | {"network.rank": 8}


def test_samples_are_of_the_space(network):
    space = SearchSpace.of(network, "matrix")
    drawn = [space.sample(Random(seed)) for seed in range(300)]
    for name, values in space.choices.items():
        assert {candidate[name] for candidate in drawn} == set(values)
    assert space.sample(Random(1)) == space.sample(Random(1))


def test_json(network):
    space = SearchSpace.of(network, "matrix", hardware={"lanes": (16, 32)})
    assert SearchSpace.from_json(json.loads(json.dumps(space.to_json()))) == space
    with pytest.raises(ConfigError, match="not a search space"):
        SearchSpace.from_json({"choices": {}})


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"layer1.bits": (8,)}, "'layer1.bits' is no parameter"),
        ({"layer0.width": (8,)}, "'layer0.width' is no parameter"),
        ({"hardware.bits": (8,)}, "'hardware.bits' is no parameter"),
        ({"head.bits": ()}, "at least one and all different"),
        ({"head.bits": (8, 8)}, "at least one and all different"),
        ({"head.bits": (3,)}, "a value of head.bits is not legal"),
        ({"layer0.rank": (0,)}, "a value of layer0.rank is not legal"),
        ({"layer0.density": (0.0,)}, "a value of layer0.density is not legal"),
        ({"hardware.lanes": (24,)}, "must be a power of two"),
    ],
)
def test_what_is_no_choice_is_refused(choices, message):
    with pytest.raises(ConfigError, match=message):
        SearchSpace(SHAPES, choices)


def test_foreign_candidates_are_refused():
    space = SearchSpace(SHAPES, {"head.bits": (2, 4)})
    for candidate in ({}, {"head.bits": 8}):
        with pytest.raises(ConfigError, match=r"head.bits must be one of \(2, 4\)"):
            space.spec(candidate)
