import json
from dataclasses import replace

import pytest

from gatewright.errors import ConfigError
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec


@pytest.mark.parametrize(
    ("name", "value"), [("rank", 0), ("rank", True), ("bits", 3), ("density", 0), ("density", "half")]
)
def test_illegal_products_are_refused(name, value):
    with pytest.raises(ConfigError, match=rf"ProductSpec.{name} must be .*not {value!r}"):
        ProductSpec(**{name: value})


@pytest.mark.parametrize(("name", "value"), [("activation_bits", 4), ("lanes", 24), ("columns", "some")])
def test_illegal_specifications_are_refused(name, value):
    with pytest.raises(ConfigError, match=rf"CompressionSpec.{name} must be .*not {value!r}"):
        CompressionSpec({}, **{name: value})


def test_a_specification_survives_json(network_of):
    spec = uniform_spec(network_of(layers=2), 0.5, bits=4, lanes=16, rank=2, columns="contribution")
    spec = replace(spec, hidden={"layer0": 4})
    assert CompressionSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize("units", [0, True, 1.5])
def test_layers_keep_whole_units(units):
    with pytest.raises(
        ConfigError, match=rf"CompressionSpec.hidden must be positive integers, not {units} for layer0"
    ):
        CompressionSpec({}, hidden={"layer0": units})


@pytest.mark.parametrize("values", [{}, {"products": {"head": {"width": 8}}}, {"products": []}, None])
def test_what_is_no_specification_is_refused(values):
    with pytest.raises(ConfigError, match="not a compression specification"):
        CompressionSpec.from_json(values)


def test_uniform_asks_the_same_of_all_but_the_head(network_of):
    network = network_of(inputs=3, hidden=16, layers=2, projection=8)
    spec = uniform_spec(network, 0.25, bits=4, rank=4)
    assert set(spec.products) == set(network.products())
    assert {product.bits for product in spec.products.values()} == {4}
    assert {name for name, product in spec.products.items() if product.density == 1} == {"head"}
    # 64 x 3 has fewer weights than its factors of rank 4 would have, and a projection takes no rank.
    ranks = {name: product.rank for name, product in spec.products.items()}
    assert ranks["layer0.input"] is ranks["layer0.projection"] is ranks["head"] is None
    assert ranks["layer0.recurrent"] == ranks["layer1.input"] == 4


def test_factors_share_what_becomes_of_their_product():
    spec = CompressionSpec({"head": ProductSpec(rank=2)})
    assert spec.of("head.first") is spec.of("head.second") is spec.of("head")
