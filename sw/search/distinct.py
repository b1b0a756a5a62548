"""What tells models apart: a density that keeps the same words of a pattern as another makes no other model.

Of 128 units in 2 bits on 32 lanes, a column has four words: an eighth of its weights is a quarter of them.
"""

from collections.abc import Hashable
from functools import cache

import torch

from gatewright.errors import ConfigError
from gatewright.sw.compress.pattern import layout
from gatewright.sw.search.parameters import Shapes, cut_shapes
from gatewright.sw.spec import CompressionSpec, ProductSpec

Key = Hashable
"""Equal for what is one model."""


def model_key(spec: CompressionSpec, shapes: Shapes) -> Key:
    """Give what tells a model from others that are made of the same network.

    Parameters
    ----------
    spec : CompressionSpec
        Each of its ranks pays.
    shapes : dict of (rows, columns)
        Of the whole products, by name.
    """
    products = []
    for name, (rows, columns) in cut_shapes(shapes, spec.hidden).items():
        product = spec.products[name]
        matrices = {name: (rows, columns)}
        if product.rank is not None:
            matrices = {f"{name}.first": (product.rank, columns), f"{name}.second": (rows, product.rank)}
        kept = (
            _kept(matrix, *shape, product, spec.lanes, spec.columns) for matrix, shape in matrices.items()
        )
        products.append((name, product.rank, product.bits, *kept))
    return spec.activation_bits, tuple(sorted(spec.hidden.items())), tuple(products)


@cache
def _kept(matrix: str, rows: int, columns: int, product: ProductSpec, lanes: int, pattern: str) -> Key:
    """Give what a matrix keeps: nothing where that is all, else the words of its steps, or the density asked for."""
    if product.density == 1:
        return None
    asked = pattern, lanes, product.density
    if pattern != "equal":
        return asked
    name = matrix.removesuffix(".first").removesuffix(".second")
    try:
        places = layout(
            matrix, torch.empty(rows, columns, device="meta"), CompressionSpec({name: product}, lanes=lanes)
        )
    except ConfigError:  # Lanes without rows: there is no such hardware.
        return asked
    words = places.kept(product.density)
    return None if words == places.words else (pattern, lanes, places.steps, words)
