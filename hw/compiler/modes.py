"""What a compiled model says of its modes: which matrices are stored in sparse form, and when zeros are skipped."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from gatewright.errors import BundleError
from gatewright.hw.skipping import WHOLE, Skip
from gatewright.sw.mode import Policy


@dataclass(frozen=True)
class Form:
    """How one matrix is stored.

    Parameters
    ----------
    zeros : float
        Share of zeros among its weights.
    sparse : bool
        Without its zeros, each weight with its row; else whole.
    """

    zeros: float
    sparse: bool


@dataclass(frozen=True)
class Modes:
    """The modes of one compiled model.

    Parameters
    ----------
    policy : str
        Of `gatewright.sw.mode.Policy`.
    forms : dict of Form
        By the name of the matrix.
    input_threshold : int
        Share of zero activations in 256ths, from which skipping them costs no cycle; 256 if it always does.

    Raises
    ------
    BundleError
        A value is outside its range.
    """

    policy: Policy = "input"
    forms: Mapping[str, Form] = field(default_factory=dict)
    input_threshold: int = WHOLE

    def __post_init__(self):
        if self.policy not in get_args(Policy):
            raise BundleError(f"policy must be one of {get_args(Policy)}, not {self.policy!r}")
        if not isinstance(self.input_threshold, int) or not 0 <= self.input_threshold <= WHOLE:
            raise BundleError(f"input_threshold must be from 0 to {WHOLE}, not {self.input_threshold!r}")

    @property
    def sparse(self) -> frozenset[str]:
        """Names of the matrices that are stored in sparse form."""
        return frozenset(name for name, form in self.forms.items() if form.sparse)

    @property
    def threshold(self) -> int:
        """What the accelerator's threshold is to be set to."""
        return min(self.input_threshold, WHOLE - 1)

    @property
    def weights_reach(self) -> bool:
        """Whether half of the matrices or more are stored in sparse form."""
        return 2 * len(self.sparse) >= max(1, len(self.forms))

    @property
    def skip(self) -> Skip:
        """What jobs are to ask for: settled by the weights, by a threshold at an end, or left to the hardware."""
        weights = self.weights_reach
        if (
            self.policy == "weight"
            or (self.policy == "or" and weights)
            or (self.policy == "and" and not weights)
        ):
            return Skip.ALWAYS if weights else Skip.NEVER
        return {0: Skip.ALWAYS, WHOLE: Skip.NEVER}.get(self.input_threshold, Skip.AUTO)

    def to_json(self) -> dict[str, Any]:
        """Give the modes as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Modes":
        """Make modes from the values of `to_json`.

        Raises
        ------
        BundleError
            A value is missing, unknown or outside its range.
        """
        try:
            forms = {name: Form(**form) for name, form in values.pop("forms").items()}
            return cls(forms=forms, **values)
        except (AttributeError, KeyError, TypeError) as error:
            raise BundleError(f"malformed modes of a model ({error!r})") from error
