"""Tensor trains in floating point: a matrix as a chain of small cores, each used once for every slice of the others.

Rows and columns of a matrix are cut alike, ``m = m1·…·md`` and ``n = n1·…·nd``; core k holds ``[mk, r(k-1), nk, rk]``
with r0 = rd = 1 (I. Oseledets, Tensor-train decomposition, 2011). A vector is multiplied with the last core first.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from gatewright.errors import ConfigError
from gatewright.sw.network import ProductParameters


@dataclass(frozen=True)
class Cut:
    """How rows and columns of a gate matrix are cut.

    Slices of the first core, which gives the gates, are blocks of units: its rows are the four gates of each unit of a
    block, so that a slice fills whole accumulator rows of the lanes.

    Parameters
    ----------
    rows, columns : tuples of int
        m1 to md, m1 a multiple of 4, and n1 to nd.

    Raises
    ------
    ConfigError
        There are fewer than two cores, or their numbers of rows and columns disagree.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def __post_init__(self):
        if len(self.rows) != len(self.columns) or len(self.rows) < 2 or self.rows[0] % 4:
            raise ConfigError(
                "a cut needs as many rows as columns, of at least two cores, and a multiple of 4 rows first, "
                f"not {self.rows} and {self.columns}"
            )

    @property
    def name(self) -> str:
        """Rows and columns, as in ``32·8 x 7·112``."""
        return " x ".join("·".join(map(str, each)) for each in (self.rows, self.columns))

    def ranks(self, rank: int) -> tuple[int, ...]:
        """Give r0 to rd: 1 at the ends, and `rank` between, or less where no more is of use."""
        sizes = [m * n for m, n in zip(self.rows, self.columns, strict=True)]
        inner = [min(rank, prod(sizes[:k]), prod(sizes[k:])) for k in range(1, len(sizes))]
        return (1, *inner, 1)

    def shapes(self, rank: int) -> list[tuple[int, int]]:
        """Give the cores as matrices: rows (mk, r(k-1)) and columns (nk, rk), from the first core on."""
        ranks = self.ranks(rank)
        return [
            (m * ranks[k], n * ranks[k + 1])
            for k, (m, n) in enumerate(zip(self.rows, self.columns, strict=True))
        ]

    def weights(self, rank: int) -> int:
        """Give the number of weights of all cores."""
        return sum(rows * columns for rows, columns in self.shapes(rank))

    def rank_of(self, weights: int) -> int:
        """Give the rank whose cores come nearest to so many weights."""
        return min(range(1, weights + 1), key=lambda rank: abs(self.weights(rank) - weights))

    def slices(self, k: int) -> int:
        """Give how often core k, from 0, is used for one vector."""
        return prod(self.columns[:k]) * prod(self.rows[k + 1 :])

    def enter(self, vectors: Tensor) -> Tensor:
        """Lay vectors [..., columns] out for the last core: [..., slices, its columns, 1]."""
        return vectors.unflatten(-1, (-1, self.columns[-1], 1))

    def multiply(self, k: int, core: Tensor, values: Tensor) -> Tensor:
        """Multiply core k, from 0, with values laid out for it; what comes is laid out for core k - 1.

        That of core 0 is [..., 1, m1, blocks of units].
        """
        # A matrix times all slices side by side.
        sums = core @ values
        if k == 0:
            return sums
        *batch, outer, _, inner = sums.shape
        n, m = self.columns[k - 1], self.rows[k]
        sums = sums.reshape(*batch, outer // n, n, m, -1, inner).transpose(-3, -2)
        return sums.reshape(*batch, outer // n, -1, m * inner)

    def units_apart(self, matrix: Tensor) -> Tensor:
        """Bring the rows of a gate matrix from (gate, block, unit) to (gate, unit, block)."""
        return self._permuted(matrix, prod(self.rows[1:]), self.rows[0] // 4)

    def units_together(self, matrix: Tensor) -> Tensor:
        """Undo `units_apart`."""
        return self._permuted(matrix, self.rows[0] // 4, prod(self.rows[1:]))

    @staticmethod
    def _permuted(matrix: Tensor, outer: int, inner: int) -> Tensor:
        return matrix.unflatten(0, (4, outer, inner)).transpose(1, 2).flatten(0, 2)


class TensorTrain(ProductParameters):
    """A gate matrix as a tensor train.

    Parameters
    ----------
    cut : Cut
    *cores : tensors
        As `Cut.shapes` gives them, the first core first.
    """

    def __init__(self, cut: Cut, *cores: Tensor):
        super().__init__(*cores)
        self.cut = cut

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return prod(self.cut.rows)

    @property
    def columns(self) -> int:
        """Number of inputs."""
        return prod(self.cut.columns)

    @property
    def rank(self) -> int | None:
        """None: it has no two factors."""
        return None

    def forward(self) -> Tensor:
        """Give W [rows, columns]."""
        product = torch.ones(1, 1, 1)
        for core, m, n in zip(self.factors, self.cut.rows, self.cut.columns, strict=True):
            rows, columns, _ = product.shape
            each = core.reshape(m, core.shape[0] // m, n, -1)
            product = torch.einsum("abr,mrnq->ambnq", product, each).reshape(rows * m, columns * n, -1)
        return self.cut.units_together(product[:, :, 0])

    def named(self, name: str) -> dict[str, nn.Parameter]:
        """Give the cores by name."""
        return {f"{name}.core{k}": core for k, core in enumerate(self.factors)}


@torch.no_grad()
def truncated(matrix: Tensor, cut: Cut, rank: int) -> TensorTrain:
    """Give the tensor train of a gate matrix by truncated singular values, channels of equal weight on both sides."""
    parts = len(cut.rows)
    order = [axis for k in range(parts) for axis in (k, parts + k)]
    left = cut.units_apart(matrix).reshape(*cut.rows, *cut.columns).permute(order)
    ranks = cut.ranks(rank)
    cores: list[Tensor] = []
    for k in range(parts - 1):
        unfolded = left.reshape(ranks[k] * cut.rows[k] * cut.columns[k], -1)
        u, values, v = torch.linalg.svd(unfolded, full_matrices=False)
        kept = ranks[k + 1]
        cores.append(u[:, :kept].reshape(ranks[k], cut.rows[k], cut.columns[k], kept))
        left = values[:kept, None] * v[:kept]
    cores.append(left.reshape(ranks[-2], cut.rows[-1], cut.columns[-1], 1))
    for k in range(parts - 1):
        before, after = cores[k].flatten(0, 2).norm(dim=0), cores[k + 1].flatten(1).norm(dim=1)
        scale = (after / before).sqrt()
        cores[k] = cores[k] * scale
        cores[k + 1] = cores[k + 1] / scale[:, None, None, None]
    return TensorTrain(cut, *(core.transpose(0, 1).flatten(2).flatten(0, 1) for core in cores))


def fresh(deviation: float, ranks: tuple[int, ...], *shapes: tuple[int, int]) -> list[Tensor]:
    """Give random factors, equal in weight, whose product has entries of a deviation; `ranks` are those between."""
    each = (deviation / prod(ranks) ** 0.5) ** (1 / len(shapes))
    return [each * torch.randn(shape) for shape in shapes]
