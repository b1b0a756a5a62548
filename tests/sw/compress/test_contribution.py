import copy

import pytest
import torch
from torch import nn

from gatewright.sw.batching import Batch
from gatewright.sw.compress.contribution import contributions, mean_activations
from gatewright.sw.determinism import seeded
from gatewright.sw.training import cross_entropy


@pytest.fixture(scope="module")
def batches():
    with seeded(0):
        return [
            Batch(torch.randn(5, 3, 3), torch.tensor([5, 2, 3]), torch.tensor([0, 1, 3])),
            Batch(torch.randn(4, 2, 3), torch.tensor([4, 4]), torch.tensor([2, 0])),
        ]


def loss(logits, batch):
    return cross_entropy(logits, batch.targets)


def test_by_weight_magnitudes_contribute(network_of, batches):
    network = network_of(rank=2)
    (sample,) = contributions(network, "weight", batches, loss)
    assert set(sample) == set(network.matrices())
    assert all(torch.equal(sample[name], matrix.abs()) for name, matrix in network.matrices().items())


def test_by_taylor_the_loss_changes_as_much_to_first_order(network_of, batches):
    network = copy.deepcopy(network_of()).double()
    batches = [batch._replace(x=batch.x.double()) for batch in batches]
    samples = contributions(network, "taylor", batches, loss)
    matrix = network.matrices()["layer0.recurrent"]
    for sample, batch in zip(samples, batches, strict=True):
        before = loss(batch.logits(network), batch)
        with torch.no_grad():
            matrix[3] *= 1 - 1e-4
            change = loss(batch.logits(network), batch) - before
            matrix[3] /= 1 - 1e-4
        assert float(change) == pytest.approx(-1e-4 * float(sample["layer0.recurrent"][3].sum()), rel=0.01)


def test_by_response_activations_count_but_not_behind_the_end(network_of, batches):
    network = network_of()
    (sample,) = contributions(network, "response", batches, loss)
    steps = [batch.x[:n, k].abs() for batch in batches for k, n in enumerate(batch.lengths)]
    mean = torch.cat(steps).mean(dim=0)
    weights = network.matrices()["layer0.input"].abs()
    assert torch.allclose(sample["layer0.input"], weights * mean)


def test_activations_are_those_that_each_matrix_takes(network_of, batches):
    network = network_of(layers=2, projection=5, rank=2)
    found = mean_activations(network, batches[1:])
    assert {name: len(mean) for name, mean in found.items()} == {
        name: matrix.shape[1] for name, matrix in network.matrices().items()
    }
    x = batches[1].x
    upper = network.layers[1]
    with torch.no_grad():
        y = network.layers[0](x)
        z = y @ upper.input.factors[0].T
        outputs = upper(y)
        assert torch.allclose(found["layer1.input.first"], y.abs().mean(dim=(0, 1)))
        assert torch.allclose(found["layer1.input.second"], z.abs().mean(dim=(0, 1)))
        assert torch.allclose(found["head.first"], outputs.abs().mean(dim=(0, 1)))
        before = torch.cat([torch.zeros_like(outputs[:1]), outputs[:-1]])
        assert torch.allclose(found["layer1.recurrent.first"], before.abs().mean(dim=(0, 1)))
        # A projection of one to one shows what it takes.
        bare = nn.LSTM(5, 8)
        for name, values in (
            ("weight_ih_l0", upper.input()),
            ("bias_ih_l0", upper.bias),
            ("bias_hh_l0", torch.zeros(32)),
            ("weight_hh_l0", upper.recurrent() @ upper.projection()),
        ):
            bare.get_parameter(name).copy_(values)
        assert torch.allclose(found["layer1.projection"], bare(y)[0].abs().mean(dim=(0, 1)), atol=1e-6)


def test_one_step_is_enough(network_of):
    network = network_of(projection=5)
    batch = Batch(torch.ones(1, 1, 3), torch.tensor([1]), torch.tensor([0]))
    found = mean_activations(network, [batch])
    layer = network.layers[0]
    i, _, g, o = (layer.input() @ torch.ones(3) + layer.bias).view(4, 8)
    hidden = o.sigmoid() * (i.sigmoid() * g.tanh()).tanh()
    assert torch.allclose(found["layer0.projection"], hidden.abs())
    assert torch.equal(found["layer0.recurrent"], torch.zeros(5))


def test_by_response_and_by_taylor_each_batch_counts_once(network_of, batches):
    network = network_of()
    found = mean_activations(network, batches)
    hidden = [network(batch.x[:n, k : k + 1])[:, 0] for batch in batches for k, n in enumerate(batch.lengths)]
    assert torch.allclose(found["head"], torch.cat(hidden).abs().mean(dim=0))
    assert len(contributions(network, "taylor", batches, loss)) == 2
