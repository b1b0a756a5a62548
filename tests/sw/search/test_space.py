import json
from random import Random

import pytest

from gatewright.errors import ConfigError
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.space import HIDDEN_SHARES, SearchSpace
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


@pytest.fixture(scope="module")
def deep():
    """Two layers, of which the first has a projection, and a head."""
    return LstmNetwork.initial(40, 16, 3, layers=2, projection=6)


def test_hidden_units_make_shapes_smaller(deep):
    space = SearchSpace.of(deep).changed({"hidden": (4, 8, 16)})
    assert space.choices["layer0.hidden"] == space.choices["layer1.hidden"] == (4, 8, 16)
    spec = space.spec(space.largest | {"layer0.hidden": 4, "layer1.hidden": 8})
    assert spec.hidden == {"layer0": 4, "layer1": 8}
    assert space.spec(space.largest).hidden == {}
    # 4 * (64 + 6) = 280 < 384 weights of a whole layer0.recurrent; 4 * (16 + 6) = 88 < 96 with 4 units, 5 not.
    ranks = SearchSpace.of(deep, "matrix", ranks=(4, 5, None)).changed({"hidden": (4, 16)})
    assert ranks.choices["layer0.recurrent.rank"] == (4, 5, None)
    for rank, left in ((4, 4), (5, None)):
        candidate = ranks.largest | {"layer0.recurrent.rank": rank}
        assert ranks.spec(candidate | {"layer0.hidden": 16}).products["layer0.recurrent"].rank == rank
        assert ranks.spec(candidate | {"layer0.hidden": 4}).products["layer0.recurrent"].rank == left


def test_units_that_are_the_outputs_are_no_choice():
    shapes = {name: shape for name, shape in SHAPES.items() if name != "head"}
    assert SearchSpace(shapes, {}).layers == {}
    with pytest.raises(ConfigError, match=r"'network\.hidden' is no parameter"):
        SearchSpace(shapes, {}).changed({"hidden": (4, 8)})
    two = shapes | {"layer1.input": (64, 16), "layer1.recurrent": (64, 16)}
    assert SearchSpace(two, {}).layers == {"layer0": 16}
    assert SearchSpace(two | {"layer1.projection": (4, 16)}, {}).layers == {"layer0": 16, "layer1": 16}


def test_units_for_the_network_are_at_most_those_of_each_layer():
    shapes = SHAPES | {"layer1.input": (32, 16), "layer1.recurrent": (32, 8), "head": (3, 8)}
    space = SearchSpace(shapes, {"network.hidden": (4, 12)})
    assert space.spec({"network.hidden": 12}).hidden == {"layer0": 12}
    assert space.spec({"network.hidden": 4}).hidden == {"layer0": 4, "layer1": 4}


def test_names_without_a_scope_stand_for_all_that_the_granularity_has(network):
    choices = {
        "bits": (8, 4),
        "density": (1.0, 0.5),
        "rank": (None, 12, 4),
        "hidden": (8, 99),
        "lanes": (16,),
    }
    assert SearchSpace.of(network).changed(choices).choices == {
        "network.rank": (4, 12, None),
        "layer0.bits": (4, 8),
        "head.bits": (4, 8),
        "layer0.density": (0.5, 1.0),
        "layer0.hidden": (8, 16),
        "hardware.lanes": (16,),
    }
    each = SearchSpace.of(network, "matrix").changed({"rank": (20, 12)}).choices
    assert each["layer0.input.rank"] == (12, 20)
    assert each["layer0.recurrent.rank"] == (12, None)


def test_a_wide_scope_takes_the_place_of_narrow_ones(network):
    space = SearchSpace.of(network, "matrix").changed({"network.bits": (4, 8)})
    assert [name for name in space.choices if name.endswith(".bits")] == ["network.bits"]
    narrower = space.changed({"head.bits": (8,)})
    assert narrower.choices["network.bits"] == (4, 8)
    assert narrower.spec(narrower.largest | {"network.bits": 4}).products["head"].bits == 8
    with pytest.raises(ConfigError, match=r"network\.bits decides nothing"):
        narrower.changed({"layer0.bits": (2,)})


def test_activations_and_patterns_are_of_the_network(network):
    space = SearchSpace.read(["activation_bits=16,8", "columns=contribution,equal"], network, lanes=16)
    assert space.choices["network.activation_bits"] == (8, 16)
    assert space.choices["network.columns"] == ("equal", "contribution")
    spec = space.spec(space.largest)
    assert (spec.activation_bits, spec.columns, spec.lanes) == (16, "contribution", 16)
    assert not space.one_configuration
    assert space.uncompressed.activation_bits == 8
    assert SearchSpace.of(network).changed({"columns": ("equal", "contribution")}).one_configuration
    assert not SearchSpace.of(network, hardware={"lanes": (16, 32)}).one_configuration


def test_the_uncompressed_model_is_whole_whatever_is_searched(network):
    space = SearchSpace.read(["rank=4", "bits=2,4", "density=0.5", "hidden=8", "lanes=8,16"], network)
    whole = space.uncompressed
    assert set(whole.products.values()) == {ProductSpec()}
    assert (whole.hidden, whole.lanes) == ({}, 16)


def test_spaces_are_read_from_files(network, tmp_path):
    (tmp_path / "space.toml").write_text("bits = [4, 8]\n[layer0.recurrent]\ndensity = 0.25\n")
    space = SearchSpace.read(tmp_path / "space.toml", network, "matrix")
    assert space.choices["layer0.recurrent.density"] == (0.25,)
    assert space.choices["head.bits"] == (4, 8)
    assert SearchSpace.from_json(json.loads(json.dumps(space.to_json()))) == space


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"head.rank": (4,)}, "'head.rank' is no parameter"),
        ({"head.density": (0.5,)}, "'head.density' is no parameter"),
        ({"head.hidden": (4,)}, "'head.hidden' is no parameter"),
        ({"layer0.columns": ("equal",)}, "'layer0.columns' is no parameter"),
        ({"layer0.hidden": (17,)}, "it must be an integer from 1 to 16, not 17"),
        ({"layer0.hidden": (True,)}, "it must be an integer from 1 to 16, not True"),
        ({"network.columns": ("unstructured",)}, "it must be equal or contribution"),
        ({"network.activation_bits": (4,)}, "it must be 8 or 16, not 4"),
    ],
)
def test_what_cannot_be_chosen_is_refused(choices, message):
    with pytest.raises(ConfigError, match=message):
        SearchSpace(SHAPES, choices)


def test_hidden_units_are_shares_of_whole_quads_of_lanes(network_of):
    network = network_of(hidden=24, layers=2)
    space = SearchSpace.of(network, lanes=16, hidden=(0.5, 0.75, 1.0))
    assert space.choices["layer0.hidden"] == space.choices["layer1.hidden"] == (12, 20, 24)
    assert "layer0.hidden" not in SearchSpace.of(network, lanes=16).choices
    small = space.spec(space.largest | {"layer1.hidden": 12})
    assert small.hidden == {"layer1": 12}
    assert "layer0.hidden" not in SearchSpace.of(network, lanes=64, hidden=(0.9, 1.0)).choices
    bare = network_of(hidden=24, layers=2, head=False)
    assert "layer1.hidden" not in SearchSpace.of(bare, hidden=HIDDEN_SHARES).choices
