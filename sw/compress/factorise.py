"""Low rank: matrices become the products of two factors, by singular values."""

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

    layers = []
    for k, layer in enumerate(network.layers):
        if layer.projection is not None and spec.products[f"layer{k}.projection"].rank is not None:
            raise ConfigError(
                f"layer{k}.projection cannot have a rank: a projection is low-rank already; set its rows instead"
            )
        layers.append(
            LayerParameters(
                part(f"layer{k}.input", layer.input),
                part(f"layer{k}.recurrent", layer.recurrent),
                layer.bias,
                layer.projection,
            )
        )
    head = None if network.head is None else part("head", network.head)
    return LstmNetwork(layers, head, network.head_bias, network.dropout.p).train(network.training)
