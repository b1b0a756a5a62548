"""Two candidates have one key exactly where they are one model."""

from random import Random

import pytest

from gatewright.sw.search.space import SearchSpace
from gatewright.sw.search.supernet import SuperNetwork


def space_of(model, **others):
    return SearchSpace.of(
        model.network,
        "matrix",
        ranks=(1, 2, 4, None),
        densities=(0.0625, 0.125, 0.25, 0.5, 0.7, 1.0),
        hidden=(0.25, 0.5, 1.0),
        **others,
    )


def made(supernet, spec):
    """What a candidate is: every weight that it keeps, and the widths."""
    weights = {
        name: matrix.detach().numpy().tobytes()
        for name, matrix in supernet.subnetwork(spec).matrices().items()
    }
    return tuple(weights.items()), tuple(each.bits for each in spec.products.values())


@pytest.mark.parametrize(
    "others", [{"lanes": 8}, {"lanes": 4}, {"lanes": 8, "columns": "contribution"}], ids=str
)
def test_a_key_is_a_model(float_model, others):
    space, supernet, random = space_of(float_model, **others), SuperNetwork.of(float_model), Random(0)
    keys, models = {}, {}
    for _ in range(600):
        candidate = space.sample(random)
        model, key = made(supernet, space.spec(candidate)), space.key(candidate)
        keys.setdefault(key, set()).add(model)
        models.setdefault(model, set()).add(key)
    assert all(len(each) == 1 for each in keys.values())
    if space.columns == "equal":
        assert all(len(each) == 1 for each in models.values())
        assert len(keys) < 560


def test_densities_of_the_same_words_are_one_model(float_model):
    # Four gates of 16 units on 32 lanes are two words in 8 bits, and in 2 bits half a one.
    space = space_of(float_model, lanes=32)
    bits, density = "layer0.recurrent.bits", "layer0.recurrent.density"

    def keys(width):
        return [space.key(space.largest | {bits: width, density: each}) for each in space.choices[density]]

    assert [keys(8).index(each) for each in keys(8)] == [0, 0, 0, 0, 0, 5]
    assert len(set(keys(2))) == 1


def test_candidates_on_other_hardware_are_different(float_model):
    space = space_of(float_model, hardware={"lanes": (4, 8), "cell_lanes": (1, 2)})
    largest = space.largest
    assert space.key(largest) == space.uncompressed_key
    for name in ("hardware.lanes", "hardware.cell_lanes"):
        assert space.key(largest | {name: space.choices[name][0]}) != space.key(largest)


def test_lanes_without_rows_have_keys_too(float_model):
    space = space_of(float_model, lanes=128)
    assert space.key(space.smallest) != space.key(space.largest)
