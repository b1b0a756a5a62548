import pytest
import torch

from gatewright.errors import ConfigError
from gatewright.sw.search.mixed import MixedNetwork, quantised
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.spec import WEIGHT_BITS


@pytest.fixture
def mixed(network_of):
    network = network_of(hidden=16)
    space = SearchSpace.of(network, "matrix", ranks=(4, None), densities=(1.0,), lanes=8)
    return MixedNetwork(network, space, space.spec(space.largest | {"layer0.recurrent.rank": 4}))


def test_a_product_is_the_sum_of_its_widths_and_components_in_their_proportions(mixed):
    product = mixed.products["layer0.recurrent"]
    assert product.beta.tolist() == [4 / 16] * 16
    with torch.no_grad():
        product.alpha.copy_(torch.tensor([0.1, -0.8, 0.3]))
        product.beta.copy_(torch.linspace(-1.0, 2.0, 16))
    g = torch.tensor([0.2, -(1.6**3), 0.6]).exp()
    shares = (g / g.sum()).tolist()
    first, second = product.factors
    first = torch.linspace(-1.0, 2.0, 16).clamp(0, 1)[:, None] * first
    factors = [
        sum(share * quantised(factor, bits) for share, bits in zip(shares, WEIGHT_BITS, strict=True))
        for factor in (first, second)
    ]
    assert torch.allclose(product(), factors[1] @ factors[0], atol=1e-5)


def test_discretising_keeps_the_largest_components_with_their_weights(mixed):
    product = mixed.products["layer0.recurrent"]
    beta = torch.full((16,), -0.5)
    beta[[1, 5, 9, 14]] = torch.tensor([0.25, 1.0, 0.5, 1.0])
    with torch.no_grad():
        product.beta.copy_(beta)
    first, second = mixed.discretised().layers[0].recurrent.factors
    chosen = [1, 5, 9, 14]
    assert torch.equal(first, beta[chosen, None] * product.factors[0][chosen])
    assert torch.equal(second, product.factors[1][:, chosen])


def test_a_certain_super_network_is_the_discretised_one(mixed):
    product, chosen = mixed.products["layer0.recurrent"], [0, 3, 4, 8]
    with torch.no_grad():
        product.beta.fill_(-1.0)
        product.beta[chosen] = 1.0
        product.alpha.copy_(torch.tensor([-9.0, 9.0, -9.0]))
        # What is dropped has a say in the scale, unless it is zero.
        product.factors[1][:, [k for k in range(16) if k not in chosen]] = 0.0
    kept = product.discretised()
    expected = quantised(kept.factors[1], 4) @ quantised(kept.factors[0], 4)
    assert mixed.widths()["layer0.recurrent.bits"] == 4
    assert torch.allclose(product(), expected, atol=1e-6)


def test_widths_of_one_parameter_share_their_choice(network_of):
    network = network_of(hidden=16)
    space = SearchSpace.of(network, ranks=(4,), densities=(1.0,), lanes=8)
    mixed = MixedNetwork(network, space, space.spec(space.largest))
    products = mixed.products
    assert products["layer0.input"].alpha is products["layer0.recurrent"].alpha
    assert products["layer0.input"].alpha is not products["head"].alpha
    with torch.no_grad():
        products["layer0.input"].alpha[0] = 1.0
        products["head"].alpha[1] = 1.0
    assert mixed.widths() == {"layer0.bits": 2, "head.bits": 4}


def test_expected_cycles_are_the_shares_times_the_table(mixed):
    with torch.no_grad():
        for alpha in mixed.alphas.values():
            alpha.copy_(torch.tensor([0.0, 0.0, 0.5]).log1p() / 2)
    # Shares 2/7, 2/7, 3/7 of 1, 2 and 4 cycles.
    cycles = {(name, bits): bits / 2 for name in mixed.products for bits in WEIGHT_BITS}
    assert mixed.expected_cycles(cycles).item() == pytest.approx((2 * 1 + 2 * 2 + 3 * 4) / 7 / 4)


def test_more_components_than_there_are_cannot_be_kept(network_of):
    network = network_of(hidden=16)
    space = SearchSpace(dict.fromkeys(network.products(), (1000, 1000)), {"layer0.recurrent.rank": (17,)})
    with pytest.raises(ConfigError, match=r"rank of layer0\.recurrent must be from 1 to 16, not 17"):
        MixedNetwork(network, space, space.spec(space.largest))
