"""What each weight contributes to a network: the ground on which parts of it are dropped.

Source: CN108734266A (2018) simplifies by the contribution degree of each layer's units; the measures are ours.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from gatewright.sw.batching import Batch
from gatewright.sw.network import LayerParameters, LstmNetwork
from gatewright.sw.settings import Degree

Contributions = list[dict[str, Tensor]]
"""Of each sample, what each weight contributes: [rows, columns] by the matrix's name in `LstmNetwork.matrices`.

What a set of weights contributes is the mean over the samples of the magnitude of their sum.
"""


def contributions(
    network: LstmNetwork,
    degree: Degree,
    batches: Sequence[Batch],
    loss: Callable[[Tensor, Batch], Tensor],
) -> Contributions:
    """Measure what each weight contributes.

    Parameters
    ----------
    network : LstmNetwork
        In evaluation mode.
    degree : "weight", "response" or "taylor"
        ``|w|``, with no samples looked at; ``|w|`` times the mean magnitude of the activation that it takes;
        ``w * dL/dw`` of every batch. The last is the change of the loss if the weight were zero, to first order
        (P. Molchanov et al., Importance estimation for neural network pruning, 2019).
    batches : sequence of Batch
        The samples.
    loss : callable
        Mean loss of a network's logits on a batch.
    """
    matrices = network.matrices()
    if degree == "taylor":
        samples = []
        for batch in batches:
            slopes = torch.autograd.grad(loss(batch.logits(network), batch), list(matrices.values()))
            samples.append(
                {
                    name: matrix.detach() * slope
                    for (name, matrix), slope in zip(matrices.items(), slopes, strict=True)
                }
            )
        return samples
    magnitudes = {name: matrix.detach().abs() for name, matrix in matrices.items()}
    if degree == "weight":
        return [magnitudes]
    activations = mean_activations(network, batches)
    return [{name: magnitude * activations[name] for name, magnitude in magnitudes.items()}]


@torch.no_grad()
def mean_activations(network: LstmNetwork, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """Give the mean magnitude of every element of the vector that each matrix takes: [columns] by name."""
    sums: dict[str, Tensor] = {}
    steps = 0
    for x, lengths, *_ in batches:
        inside = torch.arange(len(x))[:, None] < lengths
        steps += int(inside.sum())
        for name, vectors in _taken(network, x):
            sums[name] = sums.get(name, 0) + vectors[inside].abs().sum(dim=0)
    return {name: total / steps for name, total in sums.items()}


def _taken(network: LstmNetwork, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Give the vectors [steps, batch, columns] that each matrix takes, by the matrix's name."""

    def taken(name: str, vectors: Tensor) -> Iterator[tuple[str, Tensor]]:
        for part, matrix in products[name].named(name).items():
            yield part, vectors
            vectors = vectors @ matrix.T

    products = network.products()
    for k, layer in enumerate(network.layers):
        y = layer(x)
        before = torch.cat([torch.zeros_like(y[:1]), y[:-1]])
        yield from taken(f"layer{k}.input", x)
        yield from taken(f"layer{k}.recurrent", before)
        if layer.projection is not None:
            yield from taken(f"layer{k}.projection", _hidden(layer, x, before))
        x = y
    if network.head is not None:
        yield from taken("head", x)


def _hidden(layer: LayerParameters, x: Tensor, before: Tensor) -> Tensor:
    """Give h [steps, batch, hidden] before the projection, of x and the outputs of the steps before."""
    gates = x @ layer.input().T + before @ layer.recurrent().T + layer.bias
    i, f, g, o = gates.unflatten(-1, (4, -1)).unbind(dim=-2)
    added, kept = i.sigmoid() * g.tanh(), f.sigmoid()
    c = torch.zeros_like(added[0])
    cells = []
    for step_added, step_kept in zip(added, kept, strict=True):
        c = step_kept * c + step_added
        cells.append(c)
    return o.sigmoid() * torch.stack(cells).tanh()
