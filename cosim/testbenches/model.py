"""The model of a bench: what should come out."""

from typing import NamedTuple

import numpy as np

from gatewright.cosim.golden import Golden, Trace
from gatewright.hw.compiler.image import Compiled


class Expected(NamedTuple):
    """Output stream of one sequence: data (int32) and `last` marks (bool), in order."""

    data: np.ndarray
    last: np.ndarray


class Model:
    """Says what should have come out, from what the monitor saw go in.

    Parameters
    ----------
    compiled : Compiled
        The model that the accelerator is meant to run.
    """

    def __init__(self, compiled: Compiled):
        self.compiled = compiled
        self._golden = Golden(compiled)

    def expect(self, x: np.ndarray, *, fresh: bool = True) -> Expected:
        """Run one sequence, int array [steps, inputs]."""
        return self._marked(self._golden.run(x, fresh), len(x))

    def trace(self, x: np.ndarray, *, fresh: bool = True) -> tuple[Expected, Trace]:
        """Do the same, and give the zero activations as well."""
        results, trace = self._golden.run(x, fresh, trace=True)
        return self._marked(results, len(x)), trace

    def _marked(self, results: np.ndarray, steps: int) -> Expected:
        last = np.zeros(len(results), dtype=bool)
        for vectors in self.compiled.split_results(np.arange(len(results)), steps):
            last[vectors[:, -1:]] = True
        return Expected(results, last)
