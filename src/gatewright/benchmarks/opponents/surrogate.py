"""A learnt surrogate of what hardware costs, from coarse features of candidates."""

from collections.abc import Sequence
from math import prod

import numpy as np

from gatewright.cosim.search.evaluation import Evaluation
from gatewright.sw.search.parameters import cut_shapes
from gatewright.sw.search.space import Candidate, SearchSpace

_RIDGE = 1e-2
"""Penalty of the squared coefficients, of features at mean 0 and deviation 1."""


class CostModel:
    """Tells cycles per step and stored bits from ranks, widths, densities, and sizes and weights left of each matrix.

    The octaves of both are fitted by ridge regression on the features and their squares.

    Parameters
    ----------
    space : SearchSpace
    known : sequence of (Candidate, Evaluation)
        What it is learnt from, at least one.
    """

    def __init__(self, space: SearchSpace, known: Sequence[tuple[Candidate, Evaluation]]):
        self._space = space
        raw = np.array([self._features(candidate) for candidate, _ in known])
        self._mean, deviation = raw.mean(axis=0), raw.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        targets = np.log2([(found.cycles, found.stored_bits) for _, found in known])
        self._middle = targets.mean(axis=0)
        x = self._expanded(raw)
        self._weights = np.linalg.solve(
            x.T @ x + _RIDGE * len(known) * np.eye(x.shape[1]), x.T @ (targets - self._middle)
        )

    def __call__(self, candidate: Candidate) -> tuple[float, float]:
        """Return cycles per step and stored bits."""
        octaves = self._middle + (self._expanded(self._features(candidate)[None]) @ self._weights)[0]
        cycles, bits = 2.0**octaves
        return float(cycles), float(bits)

    def _expanded(self, raw: np.ndarray) -> np.ndarray:
        scaled = (raw - self._mean) / self._deviation
        return np.concatenate([scaled, scaled**2 - 1], axis=1)

    def _features(self, candidate: Candidate) -> np.ndarray:
        features, spec = [], self._space.spec(candidate)
        shapes = cut_shapes(self._space.shapes, spec.hidden)
        for name, product in spec.products.items():
            rows, columns = shapes[name]
            whole, full = prod(self._space.shapes[name]), min(self._space.shapes[name])
            weights = rows * columns if product.rank is None else product.rank * (rows + columns)
            kept = weights * product.density
            features += [
                np.log2(product.bits),
                np.log2(product.density),
                (product.rank or full) / full,
                np.log2(rows * columns),
                np.log2(kept),
                kept * product.bits / whole,
            ]
        return np.array(features)
