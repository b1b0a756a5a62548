"""How a study searches: every choice with its legal range."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from gatewright.errors import ConfigError
from gatewright.sw.settings import check_ranges

Method = Literal["worth", "tpe", "nsga2", "random"]
"""Who proposes candidates: the worths of their values, or a sampler of Optuna's."""


@dataclass(frozen=True)
class SearchSettings:
    """How a study searches.

    Parameters
    ----------
    method : "worth", "tpe", "nsga2" or "random"
        Proposes candidates.
    trials : int
        Evaluated candidates in all, 1 to 100,000.
    rounds : int
        Parts of the trials, 1 to 100: after each but the last, the super network is trained further, with the best
        candidate so far as its target.
    round_epochs : int
        Epochs of that training, 0 to 1000.
    seed : int
        Of proposals and of training, 0 to 2**32 - 1.
    tune_epochs : int
        Epochs of integer training of each candidate, 0 to 1000; 0 only calibrates it.
    calibrated : int
        Train sequences that a candidate's formats are calibrated on, 1 to 4096.
    recordings : int
        Validation sequences that cycles are predicted and measured on, evenly over the split: 1 to 1000.
    measure : bool, optional
        Whether each candidate is simulated at RTL level. None: unless the hardware is searched, as every other
        configuration would have to be built first. The final front always is.
    target_score : float, optional
        Score asked for.
    target_cycles : float, optional
        Cycles per step asked for: L0, above 0.
    target_bits : float, optional
        Stored bits asked for: V0, above 0.
    cycles_weight, bits_weight : float
        λ_L and λ_V: points that the reward loses where cycles, or bits, are twice the target's: 0 to 1e6.
    spread : float
        Octaves, 0 to 20: every trial of ``worth`` aims at targets that are up to so much looser or tighter, so that
        the search covers the front; 0 looks for the largest reward alone.
    patience : int
        Trials without a better reward and without a new point on the front after which the search ends, 0 to 100,000;
        0 never does.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    method: Method = "worth"
    trials: int = 60
    rounds: int = 2
    round_epochs: int = 2
    seed: int = 0
    tune_epochs: int = 0
    calibrated: int = 64
    recordings: int = 4
    measure: bool | None = None
    target_score: float | None = None
    target_cycles: float | None = None
    target_bits: float | None = None
    cycles_weight: float = 10.0
    bits_weight: float = 10.0
    spread: float = 2.0
    patience: int = 0

    def __post_init__(self):
        check_ranges(
            self,
            {
                "trials": (1, 100_000),
                "rounds": (1, 100),
                "round_epochs": (0, 1000),
                "seed": (0, 2**32 - 1),
                "tune_epochs": (0, 1000),
                "calibrated": (1, 4096),
                "recordings": (1, 1000),
                "cycles_weight": (0.0, 1e6),
                "bits_weight": (0.0, 1e6),
                "spread": (0.0, 20.0),
                "patience": (0, 100_000),
            },
        )
        if self.method not in get_args(Method):
            raise ConfigError(
                f"SearchSettings.method must be one of {', '.join(get_args(Method))}, not {self.method!r}"
            )
        if self.measure not in (None, True, False):
            raise ConfigError(f"SearchSettings.measure must be True, False or None, not {self.measure!r}")
        if self.rounds > self.trials:
            raise ConfigError(
                f"SearchSettings.rounds must be at most its trials, {self.trials}, not {self.rounds}"
            )
        for name in ("target_score", "target_cycles", "target_bits"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ConfigError(f"SearchSettings.{name} must be a number or None, not {value!r}")
            if name != "target_score" and value <= 0:
                raise ConfigError(f"SearchSettings.{name} must be above 0, not {value}")

    def round_of(self, place: int) -> int:
        """Give the round that the trial at a place of the order belongs to; rounds are as equal as can be."""
        return place * self.rounds // self.trials

    def reward(self, quality: float, cycles: float, bits: float, scale: float = 1.0) -> float:
        """Give the score R of a candidate, in points of quality.

        ``R = quality - λ_L·max(0, L/L0 - 1) - λ_V·max(0, V/V0 - 1)``; a target that is not set costs nothing. The form
        is ours: the source leaves the evaluation open.

        Parameters
        ----------
        quality : float
            More is better.
        cycles : float
            Cycles per step, L.
        bits : float
            Stored bits, V.
        scale : float
            Of the targets.
        """
        for value, target, weight in (
            (cycles, self.target_cycles, self.cycles_weight),
            (bits, self.target_bits, self.bits_weight),
        ):
            if target is not None:
                quality -= weight * max(0.0, value / (scale * target) - 1)
        return quality

    def to_json(self) -> dict:
        """Give the settings as plain JSON values."""
        return dataclasses.asdict(self)
