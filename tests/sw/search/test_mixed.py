import pytest
import torch

from gatewright.errors import ConfigError
from gatewright.sw.compress.pattern import balanced_mask, layout
from gatewright.sw.search.mixed import MixedNetwork, quantised
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.spec import WEIGHT_BITS

WHAT = "layer0.recurrent"


def space_of(network, densities=(1.0,), ranks=(2, 4, None), granularity="matrix"):
    return SearchSpace.of(network, granularity, ranks=ranks, densities=densities, lanes=8)


@pytest.fixture
def network(network_of):
    return network_of(hidden=16)


@pytest.fixture
def mixed(network):
    space = space_of(network)
    return MixedNetwork(network, space, space.largest | {f"{WHAT}.rank": 4})


def test_a_product_is_the_sum_of_its_widths_and_components_in_their_proportions(mixed):
    product = mixed.products[WHAT]
    assert product.beta.tolist() == [4 / 16] * 16
    with torch.no_grad():
        product.widths.alpha.copy_(torch.tensor([0.1, -0.8, 0.3]))
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


def test_a_weight_counts_in_the_shares_of_the_densities_that_keep_it(network):
    space = space_of(network, densities=(0.25, 0.5, 1.0))
    mixed = MixedNetwork(network, space, space.largest)
    product = mixed.products[WHAT]
    with torch.no_grad():
        # Shares 1/7, 2/7 and 4/7 of the densities, and 8 bits alone.
        product.densities.alpha.copy_(torch.tensor([1.0, 2.0, 4.0]).log() / 2)
        product.widths.alpha.copy_(torch.tensor([-9.0, -9.0, 9.0]))
    (matrix,) = product.factors
    places = layout(WHAT, matrix, space.spec(space.largest))
    quarter, half = (balanced_mask(matrix, places, density) for density in (0.25, 0.5))
    assert not (quarter & ~half).any()
    share = torch.where(quarter, 7 / 7, torch.where(half, 6 / 7, 4 / 7))
    assert torch.allclose(product(), quantised(matrix * share, 8), atol=1e-6)
    product().sum().backward()
    assert product.densities.alpha.grad.abs().sum() > 0


def test_discretising_keeps_the_largest_components_with_their_weights(mixed):
    product = mixed.products[WHAT]
    beta = torch.full((16,), -0.5)
    beta[[1, 5, 9, 14]] = torch.tensor([0.25, 1.0, 0.5, 1.0])
    with torch.no_grad():
        product.beta.copy_(beta)
    first, second = product.discretised(4).factors
    chosen = [1, 5, 9, 14]
    assert torch.equal(first, beta[chosen, None] * product.factors[0][chosen])
    assert torch.equal(second, product.factors[1][:, chosen])
    (whole,) = product.discretised(None).factors
    assert torch.allclose(whole, second @ first, atol=1e-6)


def test_baselines_make_the_rank_in_other_ways(mixed):
    product = mixed.products[WHAT]
    with torch.no_grad():
        product.beta.copy_(torch.linspace(-0.2, 0.4, 16))
        # Training leaves components that are not orthogonal.
        for factor, dim in zip(product.factors, (0, 1), strict=True):
            factor.add_(factor.roll(1, dim), alpha=0.5)
        kept, rescaled, truncated = product.discretised(4), product.rescaled(4), product.truncated(4)
        first, second = product.weighted()
        errors = [float((made() - second @ first).norm()) for made in (kept, truncated)]
        weights = product.beta.clamp(min=0.0)
        scale = weights.sum() / weights[12:].sum()
        assert scale > 1.2
        assert torch.allclose(rescaled(), scale * kept(), atol=1e-6)
    assert errors[1] < 0.99 * errors[0]
    assert kept.rank == rescaled.rank == truncated.rank == 4
    assert product.rescaled(None).rank is product.truncated(None).rank is None


def test_a_certain_super_network_is_the_discretised_one(mixed):
    product, chosen = mixed.products[WHAT], [0, 3, 4, 8]
    with torch.no_grad():
        product.beta.fill_(-1.0)
        product.beta[chosen] = 1.0
        product.widths.alpha.copy_(torch.tensor([-9.0, 9.0, -9.0]))
        # What is dropped has a say in the scale, unless it is zero.
        product.factors[1][:, [k for k in range(16) if k not in chosen]] = 0.0
    kept = product.discretised(4)
    expected = quantised(kept.factors[1], 4) @ quantised(kept.factors[0], 4)
    assert mixed.candidate()[f"{WHAT}.bits"] == 4
    assert mixed.candidate()[f"{WHAT}.rank"] == 4
    assert torch.allclose(product(), expected, atol=1e-6)


@pytest.mark.parametrize(("weight", "rank"), [(0.1, 2), (0.17, 2), (0.2, 4), (0.4, 4), (0.9, None)])
def test_the_rank_is_the_nearest_to_the_components_that_there_are(mixed, weight, rank):
    with torch.no_grad():
        mixed.products[WHAT].beta.fill_(weight)
    assert mixed.candidate()[f"{WHAT}.rank"] == rank
    assert [kept for _, kept in mixed.edges()] == ([] if rank is None else [rank])


def test_products_of_one_parameter_share_their_choice(network_of):
    network = network_of(hidden=16, inputs=12)
    space = space_of(network, ranks=(2, 4, None), granularity="network")
    mixed = MixedNetwork(network, space, space.largest | {"network.rank": 4})
    products = mixed.products
    assert products["layer0.input"].widths is products[WHAT].widths
    assert products["layer0.input"].widths is not products["head"].widths
    with torch.no_grad():
        products[WHAT].widths.alpha[0] = 1.0
        products["head"].widths.alpha[1] = 1.0
        products["layer0.input"].beta.fill_(2.5 / 12)
        products[WHAT].beta.fill_(3.0 / 16)
    found = mixed.candidate()
    assert (found["layer0.bits"], found["head.bits"], found["network.rank"]) == (2, 4, 2)


def test_what_is_not_decided_stays_as_large_as_it_is(mixed, network):
    space = space_of(network)
    assert mixed.candidate() == space.largest | {f"{WHAT}.rank": 4}


def test_expected_cycles_are_those_of_the_candidate_and_what_the_shares_change(mixed):
    tables = {name: dict.fromkeys(values, 100.0) for name, values in mixed.choices.items()}
    tables[f"{WHAT}.bits"] = {2: 40.0, 4: 60.0, 8: 100.0}
    tables[f"{WHAT}.rank"] = {2: 70.0, 4: 100.0, None: 220.0}
    product = mixed.products[WHAT]
    with torch.no_grad():
        # Shares 1/4, 1/4 and 1/2; 3 components: half-way from 70 to 100.
        product.widths.alpha.copy_(torch.tensor([0.0, 0.0, 1.0]) * torch.tensor(2.0).log() / 2)
        product.beta.fill_(3 / 16)
    expected = mixed.expected(tables, 100.0)
    assert expected.item() == pytest.approx(100 - 60 / 4 - 40 / 4 - 15)
    expected.backward()
    assert product.beta.grad.tolist() == pytest.approx([15.0] * 16)
    with torch.no_grad():
        product.beta.fill_(10 / 16)
    assert mixed.expected(tables, 100.0).item() == pytest.approx(100 - 25 + 60)


def test_more_components_than_there_are_cannot_be_kept(network):
    space = SearchSpace(dict.fromkeys(network.products(), (1000, 1000)), {f"{WHAT}.rank": (17,)})
    with pytest.raises(ConfigError, match=r"rank of layer0\.recurrent must be from 1 to 16, not 17"):
        MixedNetwork(network, space, space.largest)
