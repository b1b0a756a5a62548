from itertools import product

import numpy as np
import pytest

from gatewright.benchmarks.factors import bench_factors, best_train, factor_error


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_what_factors_leave(random):
    first, second = random.normal(size=(12, 2)), random.normal(size=(2, 8))
    assert factor_error(first @ second, 2) == pytest.approx(0, abs=1e-12)
    u, s, v = np.linalg.svd(matrix := random.normal(size=(12, 8)), full_matrices=False)
    left = matrix - (u[:, :3] * s[:3]) @ v[:3]
    assert factor_error(matrix, 3) == pytest.approx(np.linalg.norm(left) / np.linalg.norm(matrix))


def test_a_sum_of_kronecker_products_is_found(random):
    terms = [np.kron(random.normal(size=(4, 2)), random.normal(size=(3, 4))) for _ in range(2)]
    matrix = sum(terms)
    cut = best_train(matrix, 2 * (4 * 2 + 3 * 4))
    assert (cut.rows, cut.columns, cut.rank) == (4, 2, 2)
    assert cut.error == pytest.approx(0, abs=1e-12)
    assert factor_error(matrix, 2) > 0.1


def test_the_best_cut_has_no_more_weights_and_is_no_plain_svd(random):
    matrix = random.normal(size=(12, 8))
    for weights in (5, 40, 60, 90):
        cut = best_train(matrix, weights)
        if cut is None:
            assert weights < min(m * n + 96 // (m * n) for m, n in product((1, 2, 3, 4, 6, 12), (1, 2, 4, 8)))
            continue
        first = cut.rows * cut.columns
        assert cut.rank * (first + 96 // first) <= weights
        assert (cut.rows, cut.columns) not in ((12, 1), (1, 8))


def test_rows_pair_both_at_equal_weights():
    rows = bench_factors(seeds=(0,), ranks=(2, 4, 64), hidden=8, epochs=1)
    assert {row.parameters["product"] for row in rows} == {"layer0.input", "layer0.recurrent"}
    by_factors = {
        kind: [
            (row.parameters["product"], row.parameters["rank"], row.parameters["weights"])
            for row in rows
            if row.parameters["factors"] == kind
        ]
        for kind in ("svd", "tensor train")
    }
    assert by_factors["svd"] == by_factors["tensor train"]
    assert {rank for _, rank, _ in by_factors["svd"]} == {2, 4}
    assert all(0 < row.value < 1 for row in rows)
