"""When to compute in sparse mode: how matrices are stored, and whether zero activations are passed over.

Source: CN113537465A (2021) computes in the sparse mode if the sparsity of the weights and/or of the input sequence
reaches its threshold. Ours: thresholds are solved for each model and accelerator unless given; each matrix is stored by
itself; the inputs' policy is the default, as its threshold knows how the weights are stored. Both modes give the
same integers, so a policy can change cycles and storage, never a result.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gatewright.errors import ConfigError, DataError

Policy = Literal["or", "and", "weight", "input"]
"""Which thresholds must be reached for zero activations to be skipped: either, both, or one of them alone."""


@dataclass(frozen=True)
class ModePolicy:
    """Chooses the sparse mode where shares of zeros reach their thresholds; equality reaches.

    Parameters
    ----------
    policy : str
        ``or``, ``and``, ``weight`` or ``input``.
    weight_threshold : float, optional
        Share of zeros, 0 to 1, from which a matrix is stored in sparse form. None for the form with the smaller product
        of cycles and stored bits.
    input_threshold : float, optional
        Share of zeros among activations, 0 to 1, from which they are skipped. None for the least from which that costs
        no cycle.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    policy: Policy = "input"
    weight_threshold: float | None = None
    input_threshold: float | None = None

    def __post_init__(self):
        for name in ("weight_threshold", "input_threshold"):
            value = getattr(self, name)
            try:
                legal = value is None or 0 <= value <= 1
            except TypeError:
                legal = False
            if not legal:
                raise ConfigError(
                    f"{name} must be a number from 0 to 1, not {value!r}; leave it out to solve it"
                )
        if self.policy not in get_args(Policy):
            raise ConfigError(f"policy must be one of {', '.join(get_args(Policy))}, not {self.policy!r}")


POLICY = ModePolicy()
"""The policy unless told otherwise: all thresholds are solved."""


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
