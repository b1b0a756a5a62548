"""The network of a differentiable search: products in all widths and densities at once, with all components, in shares.

Source: the weights of operations and edges are those of Y. Tian et al., Discretization-aware architecture search,
CN111767983A and arXiv 2007.03154. Ours: operations are the widths and the densities of a matrix, and edges its rank-1
components, whose weights below 0 count as 0, so that a component that is off is off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor

from gatewright.errors import ConfigError
from gatewright.sw.compress.factorise import with_products
from gatewright.sw.compress.formats import best_format
from gatewright.sw.compress.integer_autograd import QuantisedWeights
from gatewright.sw.compress.pattern import balanced_mask, layout
from gatewright.sw.network import LstmNetwork, ProductParameters
from gatewright.sw.search.entropy import edge_weights, operation_weights
from gatewright.sw.search.parameters import Value
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.spec import CompressionSpec

Tables = Mapping[str, Mapping[Value, float]]
"""Cycles per step of a candidate in which one parameter has another value, by the parameter and that value."""


@dataclass(frozen=True)
class Operation:
    """What is chosen by shares: the values of a parameter, and their scores.

    Parameters
    ----------
    values : tuple
    alpha : tensor [values]
    """

    values: tuple[Any, ...]
    alpha: Tensor

    @property
    def shares(self) -> Tensor:
        """Shares of the values; their sum is 1."""
        return operation_weights(self.alpha)

    @property
    def chosen(self) -> Any:
        """The value of the largest score, of equal ones the largest: what is not decided costs no accuracy."""
        scores = self.alpha.tolist()
        return self.values[max(range(len(scores)), key=lambda k: (scores[k], k))]


class MixedProduct(ProductParameters):
    """A product in all widths and densities at once, and with all components, in the proportions of α and β.

    Parameters
    ----------
    name : str
    product : ProductParameters
        Where its weights start; two factors of full rank if components are to be chosen.
    spec : CompressionSpec
        Gives the patterns.
    widths, densities : Operation
    kept : int, optional
        Number of components that the search begins with; None keeps the product as it is.
    """

    def __init__(
        self,
        name: str,
        product: ProductParameters,
        spec: CompressionSpec,
        widths: Operation,
        densities: Operation,
        kept: int | None = None,
    ):
        super().__init__(*product.factors)
        self.widths, self.densities = widths, densities
        self._columns = spec.columns
        whole = densities.values == (1.0,)
        self._layouts = [] if whole else [layout(part, each, spec) for part, each in self.named(name).items()]
        self.beta = None
        if kept is not None:
            components = self.factors[0].shape[0]
            # No parameters of the module: they have an optimiser of their own.
            self.beta = torch.full((components,), kept / components, requires_grad=True)

    @property
    def components(self) -> Tensor:
        """Sum of the weights of the components: how many there are."""
        assert self.beta is not None
        return edge_weights(self.beta).clamp(min=0.0).sum()

    def weighted(self) -> list[Tensor]:
        """Return the factors; each component is weighted in the first one."""
        first, *others = self.factors
        if self.beta is not None:
            first = edge_weights(self.beta).clamp(min=0.0)[:, None] * first
        return [first, *others]

    def forward(self) -> Tensor:
        """Return W [rows, columns]."""
        shares = self.widths.shares
        mixed = [
            sum(
                (
                    share * quantised(factor, bits)
                    for share, bits in zip(shares, self.widths.values, strict=True)
                ),
                torch.zeros(()),
            )
            for factor in self._thinned()
        ]
        return mixed[0] if len(mixed) == 1 else mixed[1] @ mixed[0]

    def _thinned(self) -> list[Tensor]:
        """Return the weighted factors, each weight in the share of the densities whose pattern has it."""
        factors = self.weighted()
        if not self._layouts:
            return factors
        shares = self.densities.shares
        return [
            factor
            * sum(
                (
                    share * balanced_mask(factor, places, density, self._columns)
                    for share, density in zip(shares, self.densities.values, strict=True)
                ),
                torch.zeros(()),
            )
            for factor, places in zip(factors, self._layouts, strict=True)
        ]

    @torch.no_grad()
    def discretised(self, rank: int | None) -> ProductParameters:
        """Return the components of the largest weights, in their order; with no rank, the whole matrix."""
        factors = self.weighted()
        if self.beta is None:
            return ProductParameters(*factors)
        first, second = factors
        if rank is None:
            return ProductParameters(second @ first)
        chosen = self.beta.topk(rank).indices.sort().values
        return ProductParameters(first[chosen], second[:, chosen])

    @torch.no_grad()
    def truncated(self, rank: int | None) -> ProductParameters:
        """Return the best approximation of the weighted components of a rank, by singular values: a baseline."""
        if self.beta is None or rank is None:
            return self.discretised(rank)
        return ProductParameters(*self.weighted()).factorised(rank)

    @torch.no_grad()
    def rescaled(self, rank: int | None) -> ProductParameters:
        """Return the components of the largest weights, so that these add up to what all do: a baseline."""
        kept = self.discretised(rank)
        if self.beta is None or rank is None:
            return kept
        weights = edge_weights(self.beta).clamp(min=0.0)
        left = weights.topk(rank).values.sum()
        first, second = kept.factors
        # Where all are off, there is nothing to scale.
        return ProductParameters(first * (weights.sum() / left if left > 0 else 1.0), second)


class MixedNetwork:
    """The super network of the search: a network whose products are mixed.

    Parameters
    ----------
    network : LstmNetwork
        Left as it is.
    space : SearchSpace
    base : Candidate
        Gives what the gradient does not choose, and the ranks that it begins with; a product that is whole there stays
        whole.
    """

    def __init__(self, network: LstmNetwork, space: SearchSpace, base: Candidate):
        self.operations: dict[str, Operation] = {}
        self._space, self._base = space, base
        spec = space.spec(base)
        self._factorised: dict[str, list[str]] = {}

        def mix(name: str, product: ProductParameters) -> ProductParameters:
            asked = spec.products[name]
            if asked.rank is not None:
                most = min(product.rows, product.columns)
                if asked.rank > most:
                    raise ConfigError(f"the rank of {name} must be from 1 to {most}, not {asked.rank}")
                product = product.factorised(most)
                if parameter := space.parameter(name, "rank"):
                    self._factorised.setdefault(parameter, []).append(name)
            widths = self._operation(name, "bits", asked.bits)
            densities = self._operation(name, "density", asked.density) if name != "head" else _FULL
            return MixedProduct(name, product, spec, widths, densities, asked.rank)

        self.network = with_products(network, mix)
        self.products = cast(dict[str, MixedProduct], self.network.products())

    def _operation(self, name: str, kind: str, value: Value) -> Operation:
        """Return what chooses a kind for a product: products of one parameter share it."""
        parameter = self._space.parameter(name, kind)
        if parameter is None:
            return Operation((value,), torch.zeros(1))
        if parameter not in self.operations:
            values = self._space.choices[parameter]
            self.operations[parameter] = Operation(values, torch.zeros(len(values), requires_grad=True))
        return self.operations[parameter]

    @property
    def betas(self) -> dict[str, Tensor]:
        """Weights of the components of every product that has them."""
        return {name: each.beta for name, each in self.products.items() if each.beta is not None}

    def edges(self) -> list[tuple[Tensor, int]]:
        """Return the weights of the components of each product whose components are to be chosen, and how many."""
        spec = self._space.spec(self.candidate())
        ranks = ((beta, spec.products[name].rank) for name, beta in self.betas.items())
        return [(beta, rank) for beta, rank in ranks if rank is not None]

    @torch.no_grad()
    def ranks(self) -> Candidate:
        """Return the rank of each parameter that is nearest to how many components there are."""
        found: Candidate = {}
        for parameter, names in self._factorised.items():
            mean, full = float(self._components(names)), self._most(names)
            distances = {rank: abs(_count(rank, full) - mean) for rank in self._space.choices[parameter]}
            found[parameter] = min(distances, key=distances.__getitem__)
        return found

    def candidate(self) -> Candidate:
        """Return the candidate that the shares and the kept components stand for."""
        chosen = {name: each.chosen for name, each in self.operations.items()}
        return self._base | chosen | self.ranks()

    def expected(self, tables: Tables, at: float) -> Tensor:
        """Return the cycles that are expected, to first order around a candidate.

        Each parameter adds by how much its shares change the candidate's cycles; between two ranks they are a line.

        Parameters
        ----------
        tables : Tables
            Of the parameters that the gradient chooses, around the candidate.
        at : float
            Cycles of the candidate itself.
        """
        total = torch.tensor(at)
        for name, each in self.operations.items():
            total = total + (each.shares * torch.tensor([tables[name][v] - at for v in each.values])).sum()
        for name, products in self._factorised.items():
            full = self._most(products)
            cycles = {_count(rank, full): value for rank, value in tables[name].items()}
            total = total + _between(cycles, self._components(products)) - at
        return total

    def _components(self, products: Sequence[str]) -> Tensor:
        """Return how many components some products have, on average."""
        return torch.stack([self.products[name].components for name in products]).mean()

    def _most(self, products: Sequence[str]) -> float:
        """Return how many they have at most, on average."""
        return sum(len(self.betas[name]) for name in products) / len(products)

    @property
    def choices(self) -> dict[str, tuple[Value, ...]]:
        """The values of the parameters that the gradient chooses."""
        names = [*self.operations, *self._factorised]
        return {name: self._space.choices[name] for name in names}

    def discretised(self, spec: CompressionSpec, how: str = "discretised") -> LstmNetwork:
        """Return the network of the components that are kept.

        Parameters
        ----------
        spec : CompressionSpec
            Gives the ranks.
        how : str
            A method of `MixedProduct` that makes a product of a rank: ``discretised``, or a baseline.
        """
        return with_products(
            self.network, lambda name, product: getattr(product, how)(spec.products[name].rank)
        ).eval()


_FULL = Operation((1.0,), torch.zeros(1))


def quantised(weights: Tensor, bits: int) -> Tensor:
    """Return weights in the best power-of-two scale, with gradients straight through the rounding."""
    format = best_format(weights.detach().numpy(), bits)
    return QuantisedWeights.apply(weights, torch.zeros(()), format)


def _count(rank: Value, full: float) -> float:
    """Return the components of a rank; all of them for a whole matrix."""
    return float(rank) if isinstance(rank, int) else float(full)


def _between(cycles: Mapping[float, float], count: Tensor) -> Tensor:
    """Return the cycles of a number of components, on the lines between those that are known."""
    ranks = sorted(cycles)
    inside = count.clamp(ranks[0], ranks[-1])
    for low, high in pairwise(ranks):
        if inside.item() <= high:
            return cycles[low] + (inside - low) / (high - low) * (cycles[high] - cycles[low])
    return torch.tensor(cycles[ranks[0]])
