"""Low rank: matrices become the products of two factors, by singular values."""

from collections.abc import Callable

from gatewright.errors import ConfigError
from gatewright.sw.network import LayerParameters, LstmNetwork, ProductParameters
from gatewright.sw.spec import CompressionSpec


def factorise(network: LstmNetwork, spec: CompressionSpec) -> LstmNetwork:
    """Give a network whose products have the ranks of a specification; those without a rank stay as they are.

    A product that has two factors already is factorised again where its rank differs.

    Raises
    ------
    ConfigError
        The specification names other products than the network has, a rank is too large, or a projection has one.
    """
    names = set(network.products())
    if names != set(spec.products):
        raise ConfigError(
            f"the specification is for the products {', '.join(sorted(spec.products))}, but the network has "
            f"{', '.join(sorted(names))}"
        )

    def part(name: str, product: ProductParameters) -> ProductParameters:
        rank = spec.products[name].rank
        return product if rank in (None, product.rank) else product.factorised(rank)

    for name in names:
        if name.endswith(".projection") and spec.products[name].rank is not None:
            raise ConfigError(
                f"{name} cannot have a rank: a projection is low-rank already; set its rows instead"
            )
    return with_products(network, part)


def with_products(
    network: LstmNetwork, part: Callable[[str, ProductParameters], ProductParameters]
) -> LstmNetwork:
    """Give a network whose products are what `part` makes of another's, by their names; the biases are copies."""
    layers = []
    for k, layer in enumerate(network.layers):
        products = {kind: part(f"layer{k}.{kind}", product) for kind, product in layer.products().items()}
        layers.append(LayerParameters(bias=layer.bias, **products))
    head = None if network.head is None else part("head", network.head)
    return LstmNetwork(layers, head, network.head_bias, network.dropout.p).train(network.training)
