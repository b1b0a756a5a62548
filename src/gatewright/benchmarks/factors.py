"""What two factors leave of a trained matrix: singular values against a tensor train, at equal weights.

A tensor train of two cores cuts rows and columns in two, ``m = m1·m2`` and ``n = n1·n2``, and is the truncated SVD of
the matrix with axes ``(m1·n1) × (m2·n2)`` (I. Oseledets, Tensor-train decomposition, 2011).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np

from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.spec import GATE_PRODUCTS
from gatewright.sw.tasks import load_task
from gatewright.sw.training import train_float

RANKS = (4, 8, 16, 32, 64)


class Cut(NamedTuple):
    """A tensor train of two cores.

    Parameters
    ----------
    error : float
        Frobenius norm of what is left over that of the matrix.
    rows, columns : int
        m1 and n1.
    rank : int
        Between the cores.
    """

    error: float
    rows: int
    columns: int
    rank: int


def factor_error(matrix: np.ndarray, rank: int) -> float:
    """Give the Frobenius norm of what the best factors of a rank leave, over that of the matrix."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(np.linalg.norm(values[rank:]) / np.linalg.norm(values))


def best_train(matrix: np.ndarray, weights: int) -> Cut | None:
    """Give the tensor train of two cores that leaves least with so many weights; None if there is none.

    Cuts that are the plain SVD (all rows in one core, all columns in the other) are left out.
    """
    rows, columns = matrix.shape
    best: Cut | None = None
    for m, n in product(_divisors(rows), _divisors(columns)):
        first, second = m * n, (rows // m) * (columns // n)
        rank = weights // (first + second)
        if rank < 1 or (m, n) in ((rows, 1), (1, columns)):
            continue
        cores = matrix.reshape(m, rows // m, n, columns // n).transpose(0, 2, 1, 3).reshape(first, second)
        cut = Cut(factor_error(cores, rank), m, n, rank)
        if best is None or cut.error < best.error:
            best = cut
    return best


def bench_factors(
    progress: Progress = silent,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    task: str = "digits",
    ranks: Sequence[int] = RANKS,
    **training,
) -> list[Row]:
    """Compare both on the gate matrices of trained models, where factors of a rank are smaller than the whole.

    Returns
    -------
    list of Row
        ``factor_error`` by ``product``, ``rank`` (of the SVD), ``weights``, and ``factors``: ``svd`` or
        ``tensor train``, with the rows and columns of its first core and its own rank.
    """
    rows: list[Row] = []
    for seed in seeds:
        data = load_task(task, seed=seed)
        model = train_float(data, replace(data.training, seed=seed, **training), progress)
        for name, each in model.network.products().items():
            if not name.endswith(GATE_PRODUCTS):
                continue
            matrix = each().detach().numpy()
            for rank in ranks:
                weights = rank * sum(matrix.shape)
                if weights >= matrix.size:
                    continue
                at = {"product": name, "rank": rank, "weights": weights}
                rows.append(
                    Row("factor_error", "share", factor_error(matrix, rank), at | {"factors": "svd"}, seed)
                )
                if cut := best_train(matrix, weights):
                    shape = {"core_rows": cut.rows, "core_columns": cut.columns, "core_rank": cut.rank}
                    at |= {"factors": "tensor train"} | shape
                    rows.append(Row("factor_error", "share", cut.error, at, seed))
    return rows


def _divisors(number: int) -> list[int]:
    return [k for k in range(1, number + 1) if number % k == 0]
