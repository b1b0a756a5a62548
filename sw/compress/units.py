"""Hidden units: what each contributes, and a network without some of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gatewright.errors import ConfigError
from gatewright.sw.compress.contribution import Contributions
from gatewright.sw.network import LayerParameters, LstmNetwork, ProductParameters


def unit_degrees(
    network: LstmNetwork, contributions: Contributions, *, incoming: bool = True
) -> list[Tensor]:
    """Give the contribution degree of every hidden unit: its share of what its layer's units contribute.

    A unit's weights are its four gate rows, its recurrent column and its column in the next layer or the head; or in
    the projection, where there is one.

    Parameters
    ----------
    network : LstmNetwork
    contributions : list
        As `contribution.contributions` gives them.
    incoming : bool
        Whether the gate rows count; the response of a unit is only in what leaves it.

    Returns
    -------
    list of float tensors [hidden]
        Of each layer; the sum is 1.
    """
    products = network.products()
    degrees = []
    for k in range(len(network.layers)):
        gates = [
            list(products[f"layer{k}.{name}"].named(f"layer{k}.{name}"))[-1]
            for name in ("input", "recurrent")
        ]
        leaving = [next(iter(products[name].named(name))) for name in _leaving(network, k)]
        changes = []
        for sample in contributions:
            parts = [sample[name].sum(dim=0) for name in leaving]
            if incoming:
                parts += [sample[name].sum(dim=1).view(4, -1).sum(dim=0) for name in gates]
            changes.append(torch.stack(parts).sum(dim=0).abs())
        degree = torch.stack(changes).mean(dim=0)
        degrees.append(degree / degree.sum())
    return degrees


def removable(network: LstmNetwork) -> list[bool]:
    """Tell of each layer whether its units may go: not those that are the model's outputs themselves."""
    last = len(network.layers) - 1
    return [
        k < last or layer.projection is not None or network.head is not None
        for k, layer in enumerate(network.layers)
    ]


@torch.no_grad()
def keep_units(network: LstmNetwork, kept: Sequence[Tensor]) -> LstmNetwork:
    """Give a smaller network that has only some hidden units of each layer.

    Parameters
    ----------
    network : LstmNetwork
        Left as it is.
    kept : sequence of bool tensors [hidden]
        Of each layer, True for the units that stay.

    Raises
    ------
    ConfigError
        A layer would lose all its units, or the model its outputs.
    """
    layers = []
    below = torch.ones(network.input_size, dtype=torch.bool)
    for k, (layer, units, may) in enumerate(zip(network.layers, kept, removable(network), strict=True)):
        if not units.any() or not (may or units.all()):
            raise ConfigError(
                f"layer {k} must keep {'at least one unit' if may else 'all units, as they are the outputs'}, "
                f"not {int(units.sum())} of {layer.hidden_size}"
            )
        rows = units.repeat(4)
        projection, outputs = layer.projection, units
        if projection is not None:
            outputs = torch.ones(projection.rows, dtype=torch.bool)
            projection = _part(projection, outputs, units)
        layers.append(
            LayerParameters(
                _part(layer.input, rows, below),
                _part(layer.recurrent, rows, outputs),
                layer.bias[rows],
                projection,
            )
        )
        below = outputs
    head = network.head
    if head is not None:
        head = _part(head, torch.ones(head.rows, dtype=torch.bool), below)
    return LstmNetwork(layers, head, network.head_bias, network.dropout.p).train(network.training)


def _leaving(network: LstmNetwork, k: int) -> list[str]:
    """Name the products whose columns take the hidden units of layer k."""
    if network.layers[k].projection is not None:
        return [f"layer{k}.projection"]
    if k + 1 < len(network.layers):
        return [f"layer{k}.recurrent", f"layer{k + 1}.input"]
    return [f"layer{k}.recurrent", *([] if network.head is None else ["head"])]


def _part(product: ProductParameters, rows: Tensor, columns: Tensor) -> ProductParameters:
    """Keep some rows and columns of a product, whole or low-rank."""
    factors = list(product.factors)
    factors[-1] = factors[-1][rows]
    factors[0] = factors[0][:, columns]
    return ProductParameters(*factors)
