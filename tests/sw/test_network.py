import pytest
import torch
from torch import nn

from gatewright.errors import ConfigError
from gatewright.sw.batching import pad
from gatewright.sw.determinism import seeded
from gatewright.sw.network import LayerParameters, LstmNetwork, ProductParameters, last_steps


def test_each_sequence_is_judged_by_its_own_last_step():
    hidden = torch.arange(12.0).view(3, 2, 2)
    assert last_steps(hidden, torch.tensor([1, 3])).tolist() == [[0, 1], [10, 11]]


def test_padding_cannot_be_seen():
    with seeded(0):
        network = LstmNetwork.initial(2, 4, 3).eval()
        sequences = [torch.randn(n, 2) for n in (3, 7)]
    together = network(pad(sequences, torch.tensor([0, 1])))
    assert torch.allclose(together[:3, 0], network(sequences[0][:, None])[:, 0], atol=1e-6)


def test_forget_gates_start_open():
    bias = LstmNetwork.initial(2, 64, 3).layers[0].bias.view(4, 64)
    assert bias.mean(dim=1).tolist() == pytest.approx([0, 1, 0, 0], abs=0.1)


@pytest.mark.parametrize("projection", [None, 5])
def test_it_computes_what_torch_does(projection):
    with seeded(1):
        twin = nn.LSTM(3, 8, num_layers=2, proj_size=projection or 0)
        x = torch.randn(6, 2, 3)
    layers = [
        LayerParameters(
            ProductParameters(getattr(twin, f"weight_ih_l{k}")),
            ProductParameters(getattr(twin, f"weight_hh_l{k}")),
            getattr(twin, f"bias_ih_l{k}") + getattr(twin, f"bias_hh_l{k}"),
            ProductParameters(getattr(twin, f"weight_hr_l{k}")) if projection else None,
        )
        for k in range(2)
    ]
    assert torch.allclose(LstmNetwork(layers)(x), twin(x)[0], atol=1e-6)


def test_factors_of_full_rank_change_nothing_and_fewer_as_little_as_possible():
    with seeded(0):
        product = ProductParameters(torch.randn(8, 5))
    assert torch.allclose(product.factorised(5)(), product(), atol=1e-5)
    low = product.factorised(2)
    values = torch.linalg.svdvals(product())
    assert (low.rank, low.rows, low.columns) == (2, 8, 5)
    assert (low() - product()).norm().item() == pytest.approx(values[2:].norm().item(), rel=1e-4)
    assert [*low.named("a")] == ["a.first", "a.second"]
    with pytest.raises(ConfigError, match="rank of a 8x5 matrix must be from 1 to 5, not 6"):
        product.factorised(6)


def test_matrices_have_the_names_of_a_bundle():
    network = LstmNetwork.initial(3, 8, 4, layers=2, projection=5)
    network.layers[0].recurrent = network.layers[0].recurrent.factorised(2)
    assert list(network.matrices()) == [
        "layer0.input",
        "layer0.recurrent.first",
        "layer0.recurrent.second",
        "layer0.projection",
        "layer1.input",
        "layer1.recurrent",
        "layer1.projection",
        "head",
    ]


def test_shapes_that_disagree_are_refused():
    good = LstmNetwork.initial(3, 8, 4).layers[0]
    with pytest.raises(ConfigError, match="an LSTM layer needs W_ih"):
        LayerParameters(good.input, ProductParameters(torch.zeros(32, 7)), good.bias)
    with pytest.raises(ConfigError, match="gives 8 outputs, but what follows takes 3"):
        LstmNetwork([good, good])
    with pytest.raises(ConfigError, match="gives 8 outputs, but what follows takes 9"):
        LstmNetwork([good], ProductParameters(torch.zeros(2, 9)))
    with pytest.raises(ConfigError, match="2 rows, but 3 biases"):
        LstmNetwork([good], ProductParameters(torch.zeros(2, 8)), torch.zeros(3))
    with pytest.raises(ConfigError, match="at least one LSTM layer"):
        LstmNetwork([])


def test_a_projection_may_have_as_many_outputs_as_units(network_of):
    network = network_of(hidden=6, projection=6)
    layer = network.layers[0]
    x, y, c = (
        torch.randn(*shape, generator=torch.Generator().manual_seed(1))
        for shape in ((5, 2, 3), (2, 6), (2, 6))
    )
    outputs = layer(x, (y, c))
    for step, out in zip(x, outputs, strict=True):
        gates = step @ layer.input().T + y @ layer.recurrent().T + layer.bias
        i, f, g, o = gates.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        y = (o.sigmoid() * c.tanh()) @ layer.projection().T
        assert torch.allclose(out, y, atol=1e-6)
