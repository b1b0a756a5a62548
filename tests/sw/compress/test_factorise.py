import dataclasses

import pytest
import torch

from gatewright.errors import ConfigError
from gatewright.sw.compress.factorise import factorise
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec


def ranked(network, **ranks):
    """Ranks of products by name, with _ for the dot."""
    spec = uniform_spec(network)
    ranks = {name.replace("_", "."): ProductSpec(rank) for name, rank in ranks.items()}
    return dataclasses.replace(spec, products=spec.products | ranks)


def test_products_get_their_ranks(network_of):
    network = network_of(layers=2)
    small = factorise(network, ranked(network, layer0_recurrent=3, layer1_input=8, head=2))
    assert {name: product.rank for name, product in small.products().items() if product.rank} == {
        "layer0.recurrent": 3,
        "layer1.input": 8,
        "head": 2,
    }
    # Of full rank, a product is what it was.
    assert torch.allclose(small.layers[1].input(), network.layers[1].input(), atol=1e-5)
    assert torch.equal(small.layers[0].bias, network.layers[0].bias)
    assert network.layers[0].recurrent.rank is None


def test_what_has_factors_keeps_them_unless_the_rank_differs(network_of):
    network = network_of(rank=2)
    small = factorise(network, ranked(network, layer0_recurrent=2, layer0_input=1))
    assert small.layers[0].recurrent is network.layers[0].recurrent
    assert small.layers[0].input.rank == 1


def test_what_does_not_suit_is_refused(network_of):
    network = network_of(projection=5)
    with pytest.raises(ConfigError, match=r"layer0\.projection cannot have a rank"):
        factorise(network, ranked(network, layer0_projection=2))
    with pytest.raises(ConfigError, match="rank of a 32x3 matrix must be from 1 to 3, not 4"):
        factorise(network, ranked(network, layer0_input=4))
    with pytest.raises(ConfigError, match=r"for the products head, but the network has head, layer0\.input"):
        factorise(network, CompressionSpec({"head": ProductSpec()}))


def test_a_projection_keeps_its_rows_and_the_network_its_mode(network_of):
    network = network_of(projection=5).train()
    network.dropout.p = 0.25
    small = factorise(network, ranked(network, head=2))
    assert (small.training, small.dropout.p) == (True, 0.25)
    assert small.layers[0].projection is network.layers[0].projection
    assert small.head.rank == 2
    bare = network_of(head=False)
    assert factorise(bare, ranked(bare, layer0_input=2)).head is None
