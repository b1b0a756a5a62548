"""How a study searches: every choice with its legal range, and what it aims at."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from gatewright.clock import MEGAHERTZ, Clock
from gatewright.errors import ConfigError
from gatewright.sw.search.space import Candidate
from gatewright.sw.settings import check_ranges

Method = Literal["linear", "ucb", "softmax", "greedy", "tpe", "nsga2", "random", "entropy"]
"""Who proposes candidates: a linear bandit; a bandit for each parameter, by one of three rules; a sampler of Optuna's;
or the search by gradient."""

BANDITS: tuple[Method, ...] = ("linear", "ucb", "softmax", "greedy")
"""Methods that learn worths of values, so that each parameter has an optimum of its own."""

WEIGHT = 10.0
"""Points of a percentage that the reward loses where cycles, or bits, are twice the target's, unless told otherwise."""


def _check_optional(settings: object, name: str, *, positive: bool) -> None:
    """Hold a number that may be left out against its range."""
    value, name = getattr(settings, name), f"{type(settings).__name__}.{name}"
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{name} must be a number or None, not {value!r}")
    if positive and value <= 0:
        raise ConfigError(f"{name} must be above 0, not {value}")


@dataclass(frozen=True)
class Limits:
    """What no candidate may exceed; None limits nothing. A candidate beyond a limit is infeasible.

    Parameters
    ----------
    cycles : float, optional
        Most cycles per step, above 0; `latency.cycles_of` gives those of a latency.
    bits : float, optional
        Most stored bits, above 0.
    luts, block_rams, multipliers : int, optional
        Most of each that the accelerator may take, by its estimate, at least 1.
    score : float, optional
        The validation score that every point of the final front has at least; at most, where less is better. Trials
        are not held against it, as they are scored before they are trained in full.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    cycles: float | None = None
    bits: float | None = None
    luts: int | None = None
    block_rams: int | None = None
    multipliers: int | None = None
    score: float | None = None

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check_optional(self, field.name, positive=field.name != "score")


@dataclass(frozen=True)
class Extension:
    """Trials that were added to a study later.

    Parameters
    ----------
    trials : int
        At least 1.
    finished : int
        Trials that had ended when these were added: what they were does not end the study any more.
    """

    trials: int
    finished: int


@dataclass(frozen=True)
class SearchSettings:
    """How a study searches.

    Parameters
    ----------
    method : Method
        Proposes candidates.
    trials : int
        Evaluated candidates, 1 to 100,000.
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
    steps : int
        Most steps of each of them, 1 to 1,000,000; what comes later is not looked at.
    measure : bool, optional
        Whether each candidate is simulated at RTL level. None: unless the hardware is searched, as every other
        configuration would have to be built first. Finished points always are.
    target_score : float, optional
        Score asked for.
    target_quality : float, optional
        The same so that more is better; `start.search` sets it, as the metric says which way that is.
    target_cycles : float, optional
        Cycles per step asked for: L0, above 0.
    target_bits : float, optional
        Stored bits asked for: V0, above 0.
    cycles_weight, bits_weight : float, optional
        λ_L and λ_V: what the reward loses, in the metric's unit, where cycles, or bits, are twice the target's: to 1e6.
        None for `WEIGHT`, which suits metrics in percent.
    score_weight : float
        λ_S: what the reward loses in addition for each point that the quality falls short of the target, 0 to 1e6.
    spread : float
        Octaves, 0 to 20: every trial of ``linear`` aims at targets that are up to so much looser or tighter, so that
        the search covers the front; 0 looks for the largest reward alone.
    at_once : int
        Trials that may be under way at once, 1 to 1024. Each is proposed from the results of all before it but the last
        `at_once` - 1, so that a study does not depend on how many processes there are, and which is faster.
    patience : int
        Trials without a better reward and without a new point on the front after which the search ends, 0 to 100,000;
        0 never does.
    limits : Limits
        What no candidate may exceed.
    known : tuple of Candidate
        Candidates that are tried first, in their order; at most as many as there are trials.
    extensions : tuple of Extension
        Trials that were added since; `extended` adds some.
    megahertz : float
        Clock that cycles are turned into time with, above 0; nothing is decided by it.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    method: Method = "linear"
    trials: int = 60
    rounds: int = 2
    round_epochs: int = 2
    seed: int = 0
    tune_epochs: int = 0
    calibrated: int = 64
    recordings: int = 4
    steps: int = 1000
    measure: bool | None = None
    target_score: float | None = None
    target_quality: float | None = None
    target_cycles: float | None = None
    target_bits: float | None = None
    cycles_weight: float | None = None
    bits_weight: float | None = None
    score_weight: float = 3.0
    spread: float = 2.0
    at_once: int = 4
    patience: int = 0
    limits: Limits = Limits()
    known: tuple[Candidate, ...] = ()
    extensions: tuple[Extension, ...] = ()
    megahertz: float = MEGAHERTZ

    def __post_init__(self):
        Clock(self.megahertz)
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
                "steps": (1, 1_000_000),
                "score_weight": (0.0, 1e6),
                "spread": (0.0, 20.0),
                "at_once": (1, 1024),
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
        if len(self.known) > self.trials:
            raise ConfigError(
                f"SearchSettings.known must be at most as many as its trials, {self.trials}, not {len(self.known)}"
            )
        for name in ("target_score", "target_cycles", "target_bits", "cycles_weight", "bits_weight"):
            _check_optional(self, name, positive=name in ("target_cycles", "target_bits"))
        _check_optional(self, "target_quality", positive=False)
        for name in ("cycles_weight", "bits_weight"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1e6:
                raise ConfigError(f"SearchSettings.{name} must be from 0 to 1e6, not {value}")

    @property
    def all_trials(self) -> int:
        """Evaluated candidates, those that were added included."""
        return self.trials + sum(each.trials for each in self.extensions)

    def extended(self, trials: int, finished: int) -> "SearchSettings":
        """Add trials, after what there is, as rounds of their own.

        Parameters
        ----------
        trials : int
            That there are to be in all.
        finished : int
            That have ended.

        Raises
        ------
        ConfigError
            There are more already.
        """
        more = trials - self.all_trials
        if more < 0:
            raise ConfigError(
                f"the study has {self.all_trials} trials: it can be extended to more, but not to {trials}"
            )
        if not more:
            return self
        return dataclasses.replace(self, extensions=(*self.extensions, Extension(more, finished)))

    def round_of(self, place: int) -> int:
        """Give the round that the trial at a place of the order belongs to.

        Rounds are as equal as can be; those of trials that were added later come after the others, and have about as
        many trials each.
        """
        if place < self.trials:
            return place * self.rounds // self.trials
        first, begin = self.rounds, self.trials
        for each in self.extensions:
            rounds = max(1, round(each.trials * self.rounds / self.trials))
            if place < begin + each.trials:
                return first + (place - begin) * rounds // each.trials
            first, begin = first + rounds, begin + each.trials
        raise IndexError(f"the study has {begin} trials, none at place {place}")

    def reward(self, quality: float, cycles: float, bits: float, scale: float = 1.0) -> float:
        """Give the score R of a candidate, in points of quality.

        ``R = quality - λ_S·max(0, S0 - quality) - λ_L·max(0, L/L0 - 1) - λ_V·max(0, V/V0 - 1)``; a target that is not
        set costs nothing. The form is ours: the source leaves the evaluation open.

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
        if self.target_quality is not None:
            quality -= self.score_weight * max(0.0, self.target_quality - quality)
        for value, target, weight in (
            (cycles, self.target_cycles, self.cycles_weight),
            (bits, self.target_bits, self.bits_weight),
        ):
            if target is not None:
                quality -= (WEIGHT if weight is None else weight) * max(0.0, value / (scale * target) - 1)
        return quality

    def to_json(self) -> dict:
        """Give the settings as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "SearchSettings":
        """Read what `to_json` gave; raises TypeError, KeyError or ConfigError where it is something else."""
        parts = {
            "limits": Limits(**values["limits"]),
            "known": tuple(values["known"]),
            "extensions": tuple(Extension(**each) for each in values["extensions"]),
        }
        return cls(**values | parts)
