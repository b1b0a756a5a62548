import pytest
import torch

from gatewright.errors import ConfigError
from gatewright.sw.compress.contribution import contributions
from gatewright.sw.compress.units import (
    keep_units,
    kept_units,
    removable,
    unit_degrees,
    unit_order,
    unit_places,
)
from gatewright.sw.determinism import seeded

KINDS = [
    {},
    {"rank": 2},
    {"layers": 2},
    {"layers": 2, "projection": 5, "rank": 2},
    {"layers": 2, "head": False},
]


def chosen(network):
    """Unit 1 of each layer whose units may go."""
    return [
        torch.arange(layer.hidden_size) != 1 if may else torch.ones(layer.hidden_size, dtype=torch.bool)
        for layer, may in zip(network.layers, removable(network), strict=True)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_without_units_computes_as_if_nothing_left_them(network_of, kind):
    network, x = network_of(**kind).eval(), torch.randn(6, 3, 3, generator=torch.Generator().manual_seed(0))
    small = keep_units(network, chosen(network))
    with torch.no_grad():
        for k, (layer, may) in enumerate(zip(network.layers, removable(network), strict=True)):
            if not may:
                continue
            leaving = [layer.projection] if layer.projection else [layer.recurrent]
            if not layer.projection:
                leaving.append(network.layers[k + 1].input if k + 1 < len(network.layers) else network.head)
            for product in leaving:
                product.factors[0][:, 1] = 0
        assert torch.allclose(small.logits(small(x)), network.logits(network(x)), atol=1e-6)
    may = removable(network)
    assert [layer.hidden_size for layer in small.layers] == [7 if each else 8 for each in may]
    assert small.dropout.p == network.dropout.p
    assert not small.training


def test_units_that_are_the_outputs_stay(network_of):
    network = network_of(layers=2, head=False)
    assert removable(network) == [True, False]
    with pytest.raises(ConfigError, match="layer 1 must keep all units, as they are the outputs, not 7 of 8"):
        keep_units(network, [torch.ones(8, dtype=torch.bool), torch.arange(8) != 1])
    with pytest.raises(ConfigError, match="layer 0 must keep at least one unit, not 0 of 8"):
        keep_units(network, [torch.zeros(8, dtype=torch.bool), torch.ones(8, dtype=torch.bool)])


@pytest.mark.parametrize("kind", KINDS)
def test_degrees_are_shares_of_a_layer(network_of, kind):
    network = network_of(**kind)
    samples = contributions(network, "weight", [], None)
    for degree in unit_degrees(network, samples):
        assert degree.sum() == pytest.approx(1)
        assert (degree > 0).all()


def test_a_degree_is_the_sum_over_all_weights_of_the_unit(network_of):
    network = network_of(layers=2)
    samples = contributions(network, "weight", [], None)
    parts = {name: matrix.detach().abs() for name, matrix in network.matrices().items()}

    def weights(u, incoming):
        leaving = parts["layer0.recurrent"][:, u].sum() + parts["layer1.input"][:, u].sum()
        rows = [parts[f"layer0.{name}"][u::8].sum() for name in ("input", "recurrent")]
        return leaving + incoming * sum(rows)

    for incoming in (True, False):
        expected = torch.stack([weights(u, incoming) for u in range(8)])
        found = unit_degrees(network, contributions=samples, incoming=incoming)[0]
        assert torch.allclose(found, expected / expected.sum())


def test_the_mean_of_magnitudes_counts_over_the_samples(network_of):
    network = network_of()
    with seeded(0):
        sample = {name: torch.randn_like(matrix) for name, matrix in network.matrices().items()}
    opposite = {name: -values for name, values in sample.items()}
    alone, both = unit_degrees(network, [sample]), unit_degrees(network, [sample, opposite])
    assert torch.allclose(alone[0], both[0])


def test_the_units_that_contribute_most_come_first(network_of):
    network = network_of(layers=2)
    with torch.no_grad():
        for name, matrix in network.matrices().items():
            matrix.fill_(0.1)
            if name == "layer0.recurrent":
                matrix[:, 3] = 1.0
                matrix[[5, 13, 21, 29]] = 0.7
    order = unit_order(network)
    assert order[0][:2] == (3, 5)
    assert sorted(order[0]) == list(range(8))
    assert order[1] == tuple(range(8))
    kept = kept_units(network, {"layer0": 2}, order)
    assert kept[0].nonzero().flatten().tolist() == [3, 5]
    assert kept[1].all()
    assert all(torch.equal(a, b) for a, b in zip(kept, kept_units(network, {"layer0": 2}), strict=True))


@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        ({"layer1": 4}, "the hidden units of layer1 are the model's outputs; layer0 can lose some"),
        ({"layer7": 4}, "the hidden units of layer7 are of no layer of the model; layer0 can lose some"),
        ({"layer0": 9}, "layer0 has 8 hidden units: it cannot keep 9"),
    ],
)
def test_units_that_are_not_there_cannot_be_kept(network_of, hidden, message):
    with pytest.raises(ConfigError, match=message):
        kept_units(network_of(layers=2, head=False), hidden)


@pytest.mark.parametrize("kind", KINDS)
def test_places_are_those_of_the_smaller_network(network_of, kind):
    network = network_of(**kind)
    small = keep_units(network, chosen(network)).products()
    places = unit_places(network, chosen(network))
    assert places.keys() == small.keys()
    for name, (rows, columns) in places.items():
        assert (small[name].rows, small[name].columns) == (int(rows.sum()), int(columns.sum()))
