"""When to compute in sparse mode: thresholds on the zeros in weights and inputs.

Source: CN113537465A (2021) computes in the sparse mode if the sparsity of the weights and/or of the input sequence
reaches its threshold. Ours: the four policies, the default ``or``, and that each matrix is stored by its own
sparsity. Both modes give the same integers, so a policy can change cycles and storage, never a result.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gatewright.errors import ConfigError, DataError

Policy = Literal["or", "and", "weight", "input"]
"""Which thresholds must be reached: either, both, or one of them alone."""


@dataclass(frozen=True)
class ModePolicy:
    """Chooses the sparse mode where sparsities reach their thresholds; equality reaches.

    Parameters
    ----------
    weight_threshold, input_threshold : float
        Shares of zeros, 0 to 1.
    policy : str
        ``or``, ``and``, ``weight`` or ``input``.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    weight_threshold: float
    input_threshold: float
    policy: Policy = "or"

    def __post_init__(self):
        for name in ("weight_threshold", "input_threshold"):
            value = getattr(self, name)
            try:
                legal = 0 <= value <= 1
            except TypeError:
                legal = False
            if not legal:
                raise ConfigError(f"{name} must be a number from 0 to 1, not {value!r}")
        if self.policy not in get_args(Policy):
            raise ConfigError(f"policy must be one of {', '.join(get_args(Policy))}, not {self.policy!r}")

    def weights_sparse(self, sparsity: float) -> bool:
        """Tell whether a matrix with this share of zeros is stored in sparse form."""
        return sparsity >= self.weight_threshold

    def sequence_sparse(self, weight_sparsity: float, input_sparsity: float) -> bool:
        """Tell whether a sequence runs in sparse mode, in which zero activations are skipped.

        Parameters
        ----------
        weight_sparsity, input_sparsity : float
            Shares of zeros in the model's weights and in the sequence.
        """
        weights = self.weights_sparse(weight_sparsity)
        inputs = input_sparsity >= self.input_threshold
        return {"or": weights or inputs, "and": weights and inputs, "weight": weights, "input": inputs}[
            self.policy
        ]


POLICY = ModePolicy(weight_threshold=0.5, input_threshold=0.0)
"""The policy unless told otherwise, with the thresholds that `gatewright bench thresholds` solved from measured sweeps.

Weights: from half zeros on, the sparse mode needs neither more cycles nor more bits on any of its shapes. Inputs: at no
share of zeros does skipping cost a cycle there, as the search for non-zeros is hidden by other work.
"""


def sparsity(*arrays: np.ndarray) -> float:
    """Give the share of zeros among all elements of matrices, or of a sequence of integers.

    Raises
    ------
    DataError
        There are no elements.
    """
    size = sum(np.size(array) for array in arrays)
    if size == 0:
        raise DataError("sparsity needs at least one element")
    # Counting zeros, not non-zeros, makes a share that equals a threshold equal it in floating point too.
    return sum(int(np.count_nonzero(np.asarray(array) == 0)) for array in arrays) / size
