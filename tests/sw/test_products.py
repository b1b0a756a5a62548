import numpy as np
import pytest

from gatewright.errors import BundleError
from gatewright.sw.bundle import LowRank, Matrix
from gatewright.sw.numbers import Fixed


@pytest.mark.parametrize(
    ("values", "format", "text"),
    [
        (np.zeros((2, 2), dtype=int), Fixed(3, 0), "2, 4 or 8 bits, not 3"),
        (np.zeros(4, dtype=int), Fixed(8, 0), "two non-empty dimensions"),
        (np.zeros((0, 4), dtype=int), Fixed(8, 0), "two non-empty dimensions"),
        (np.zeros((2, 2)), Fixed(8, 0), "integers, not float64"),
        (np.array([[128]]), Fixed(8, 0), "from -128 to 127"),
        (np.array([[-9]]), Fixed(4, 0), "from -8 to 7"),
    ],
)
def test_malformed_matrices_are_refused(values, format, text):
    with pytest.raises(BundleError, match=text):
        Matrix(values, format)


FIRST = Matrix(np.array([[1, 0, -2], [0, 0, 3]]), Fixed(8, 2))
SECOND = Matrix(np.array([[5, 1], [0, 1], [1, 0], [0, 0]]), Fixed(4, 1))


def test_zeros_are_counted():
    assert (FIRST.nonzeros, FIRST.density) == (3, 0.5)
    assert LowRank(FIRST, Fixed(8, 4), SECOND).nonzeros == 3 + 4


def test_a_low_rank_product_has_the_shape_of_its_matrix():
    product = LowRank(FIRST, Fixed(8, 4), SECOND)
    assert (product.rows, product.columns, product.rank) == (4, 3, 2)
    with pytest.raises(BundleError, match=r"not \(2, 3\) and \(2, 3\)"):
        LowRank(FIRST, Fixed(8, 4), FIRST)


def test_the_stages_carry_their_formats():
    x, z = Fixed(8, 5), Fixed(8, 4)
    product = LowRank(FIRST, z, SECOND)
    first, second = product.stages(x)
    assert (first.matrix, first.source, first.frac) == (FIRST, x, 5 + 2)
    assert (second.matrix, second.source, second.frac) == (SECOND, z, 4 + 1)
    assert product.shift(x) == first.shift(z) == 3
    assert [stage.frac for stage in FIRST.stages(x)] == [7]


def test_real_numbers():
    assert FIRST.real().tolist() == [[0.25, 0, -0.5], [0, 0, 0.75]]
    expected = SECOND.values / 2 @ (FIRST.values / 4)
    assert np.array_equal(LowRank(FIRST, Fixed(8, 4), SECOND).real(), expected)
