"""Hidden units: what each contributes, and a network without some of them."""

from collections.abc import Iterable, Mapping, Sequence

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


def unit_order(network: LstmNetwork) -> tuple[tuple[int, ...], ...]:
    """Give the hidden units of each layer in the order of what their weights contribute: the largest first."""
    magnitudes = {name: matrix.detach().abs() for name, matrix in network.matrices().items()}
    degrees = unit_degrees(network, [magnitudes])
    return tuple(tuple(degree.argsort(descending=True, stable=True).tolist()) for degree in degrees)


def kept_units(
    network: LstmNetwork, hidden: Mapping[str, int], order: Sequence[Sequence[int]] | None = None
) -> list[Tensor]:
    """Mark the hidden units of each layer that stay: the first ones of an order.

    Parameters
    ----------
    network : LstmNetwork
    hidden : dict of int
        Units to keep, as `CompressionSpec.hidden` has them.
    order : sequence of sequences of int, optional
        Units of each layer, the most important first; `unit_order` of the network if left out.

    Returns
    -------
    list of bool tensors [hidden]

    Raises
    ------
    ConfigError
        There is no such layer, it has fewer units, or its units are the model's outputs.
    """
    may = {f"layer{k}": each for k, each in enumerate(removable(network))}
    for name in hidden:
        if not may.get(name):
            able = ", ".join(layer for layer, each in may.items() if each) or "no layer"
            why = "are the model's outputs" if name in may else "are of no layer of the model"
            raise ConfigError(f"the hidden units of {name} {why}; {able} can lose some")
    kept = []
    for k, (layer, units) in enumerate(zip(network.layers, order or unit_order(network), strict=True)):
        count = hidden.get(f"layer{k}", layer.hidden_size)
        if count > layer.hidden_size:
            raise ConfigError(f"layer{k} has {layer.hidden_size} hidden units: it cannot keep {count}")
        mask = torch.zeros(layer.hidden_size, dtype=torch.bool)
        mask[list(units[:count])] = True
        kept.append(mask)
    return kept


def unit_places(network: LstmNetwork, kept: Sequence[Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Give the rows and the columns of every product that stay with some hidden units.

    Parameters
    ----------
    network : LstmNetwork
    kept : sequence of bool tensors [hidden]
        Of each layer, True for the units that stay.

    Returns
    -------
    dict of pairs of bool tensors [rows], [columns]
        By the product's name.
    """
    places = {}
    below = torch.ones(network.input_size, dtype=torch.bool)
    for k, (layer, units) in enumerate(zip(network.layers, kept, strict=True)):
        outputs = units
        if layer.projection is not None:
            outputs = torch.ones(layer.projection.rows, dtype=torch.bool)
            places[f"layer{k}.projection"] = outputs, units
        places[f"layer{k}.input"] = units.repeat(4), below
        places[f"layer{k}.recurrent"] = units.repeat(4), outputs
        below = outputs
    if network.head is not None:
        places["head"] = torch.ones(network.head.rows, dtype=torch.bool), below
    return places


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
    for k, (layer, units, may) in enumerate(zip(network.layers, kept, removable(network), strict=True)):
        if not units.any() or not (may or units.all()):
            raise ConfigError(
                f"layer {k} must keep {'at least one unit' if may else 'all units, as they are the outputs'}, "
                f"not {int(units.sum())} of {layer.hidden_size}"
            )
    products = {
        name: ProductParameters(*cut(network.products()[name].factors, *places))
        for name, places in unit_places(network, kept).items()
    }
    layers = [
        LayerParameters(
            products[f"layer{k}.input"],
            products[f"layer{k}.recurrent"],
            layer.bias[kept[k].repeat(4)],
            products.get(f"layer{k}.projection"),
        )
        for k, layer in enumerate(network.layers)
    ]
    smaller = LstmNetwork(layers, products.get("head"), network.head_bias, network.dropout.p)
    return smaller.train(network.training)


def cut(factors: Iterable[Tensor], rows: Tensor, columns: Tensor) -> list[Tensor]:
    """Keep some rows and columns of a product, whole or as two factors."""
    parts = list(factors)
    parts[-1] = parts[-1][rows]
    parts[0] = parts[0][:, columns]
    return parts


def _leaving(network: LstmNetwork, k: int) -> list[str]:
    """Name the products whose columns take the hidden units of layer k."""
    if network.layers[k].projection is not None:
        return [f"layer{k}.projection"]
    if k + 1 < len(network.layers):
        return [f"layer{k}.recurrent", f"layer{k + 1}.input"]
    return [f"layer{k}.recurrent", *([] if network.head is None else ["head"])]
