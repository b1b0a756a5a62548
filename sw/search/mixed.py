"""The network of a differentiable search: products in all widths at once, with all components, in proportions.

Source: the weights of operations and edges are those of Y. Tian et al., Discretization-aware architecture search,
CN111767983A and arXiv 2007.03154. Ours: operations are the widths of a matrix, and edges its rank-1 components, whose
weights below 0 count as 0, so that a component that is off is off.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from gatewright.errors import ConfigError
from gatewright.sw.compress.factorise import with_products
from gatewright.sw.compress.formats import best_format
from gatewright.sw.compress.integer_autograd import QuantisedWeights
from gatewright.sw.network import LstmNetwork, ProductParameters
from gatewright.sw.search.entropy import edge_weights, operation_weights
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.spec import CompressionSpec

Cycles = Mapping[tuple[str, int], float]
"""Cycles per step of each product at each width, by the product's name and the bits."""


class MixedProduct(ProductParameters):
    """A product in all widths at once, and with all components, in the proportions of α and β.

    Parameters
    ----------
    product : ProductParameters
        Where its weights start; two factors of full rank if components are to be chosen.
    widths : tuple of int
    alpha : tensor [widths]
        Scores of the widths.
    kept : int, optional
        Number of components to keep.
    """

    def __init__(
        self, product: ProductParameters, widths: tuple[int, ...], alpha: Tensor, kept: int | None = None
    ):
        super().__init__(*product.factors)
        self.bits, self.alpha, self.kept = widths, alpha, kept
        self.beta = None
        if kept is not None:
            components = self.factors[0].shape[0]
            # No parameters of the module: they have an optimiser of their own.
            self.beta = torch.full((components,), kept / components, requires_grad=True)

    def weighted(self) -> list[Tensor]:
        """Give the factors; each component is weighted in the first one."""
        first, *others = self.factors
        if self.beta is not None:
            first = edge_weights(self.beta).clamp(min=0.0)[:, None] * first
        return [first, *others]

    def forward(self) -> Tensor:
        """Give W [rows, columns]."""
        shares = operation_weights(self.alpha)
        mixed = [
            sum(
                (share * quantised(factor, bits) for share, bits in zip(shares, self.bits, strict=True)),
                torch.zeros(()),
            )
            for factor in self.weighted()
        ]
        return mixed[0] if len(mixed) == 1 else mixed[1] @ mixed[0]

    @torch.no_grad()
    def discretised(self) -> ProductParameters:
        """Keep the components of the largest weights, in their order."""
        factors = self.weighted()
        if self.beta is None or self.kept is None:
            return ProductParameters(*factors)
        chosen = self.beta.topk(self.kept).indices.sort().values
        first, second = factors
        return ProductParameters(first[chosen], second[:, chosen])


class MixedNetwork:
    """The super network of the search: a network whose products are mixed.

    Parameters
    ----------
    network : LstmNetwork
        Left as it is.
    space : SearchSpace
    spec : CompressionSpec
        Gives the ranks, and the widths that the space does not choose.
    """

    def __init__(self, network: LstmNetwork, space: SearchSpace, spec: CompressionSpec):
        self.alphas: dict[str, Tensor] = {}
        self._widths: dict[str, tuple[int, ...]] = {}

        def mix(name: str, product: ProductParameters) -> ProductParameters:
            asked = spec.products[name]
            parameter = space.parameter(name, "bits") or name
            widths = self._widths.setdefault(
                parameter, cast(tuple[int, ...], space.choices.get(parameter, (asked.bits,)))
            )
            alpha = self.alphas.setdefault(parameter, torch.zeros(len(widths), requires_grad=True))
            if asked.rank is not None:
                most = min(product.rows, product.columns)
                if asked.rank > most:
                    raise ConfigError(f"the rank of {name} must be from 1 to {most}, not {asked.rank}")
                product = product.factorised(most)
            return MixedProduct(product, widths, alpha, asked.rank)

        self.network = with_products(network, mix)
        self.products = cast(dict[str, MixedProduct], self.network.products())
        self._space = space

    @property
    def betas(self) -> list[tuple[Tensor, int]]:
        """Weights of the components of every product that has them, and how many to keep."""
        pairs = ((product.beta, product.kept) for product in self.products.values())
        return [(beta, kept) for beta, kept in pairs if beta is not None and kept is not None]

    def widths(self) -> dict[str, int]:
        """Give the width of the largest score of every parameter of the space."""
        return {
            name: self._widths[name][int(alpha.argmax())]
            for name, alpha in self.alphas.items()
            if name in self._space.choices
        }

    def expected_cycles(self, cycles: Cycles) -> Tensor:
        """Give the cycles that the shares of the widths lead to, as a share of those of the slowest widths."""
        try:
            table = {
                name: torch.tensor([float(cycles[name, bits]) for bits in product.bits])
                for name, product in self.products.items()
            }
        except KeyError as error:
            raise ConfigError(f"the table of cycles has no entry for {error}") from None
        expected = [
            (operation_weights(product.alpha) * table[name]).sum() for name, product in self.products.items()
        ]
        return torch.stack(expected).sum() / sum(float(each.max()) for each in table.values())

    def discretised(self) -> LstmNetwork:
        """Give the network of the components that are kept."""
        return with_products(
            self.network, lambda name, product: cast(MixedProduct, product).discretised()
        ).eval()


def quantised(weights: Tensor, bits: int) -> Tensor:
    """Give weights in the best power-of-two scale, with gradients straight through the rounding."""
    format = best_format(weights.detach().numpy(), bits)
    return QuantisedWeights.apply(weights, torch.zeros(()), format)
