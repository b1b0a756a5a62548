"""The record of compressing to a requirement: what was asked, what every round did, and what came of it."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from gatewright.errors import ConfigError
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.figures import score_rows, shape_rows
from gatewright.sw.models import FloatModel


@dataclass(frozen=True)
class Requirement:
    """What a compressed model must meet.

    Parameters
    ----------
    score : float
        Validation score in the unit of the task's metric: at least this where more is better, else at most.
    volume : int
        Most bits of the emitted image.

    Raises
    ------
    ConfigError
        The score is not finite, or the volume is not positive.
    """

    score: float
    volume: int

    def __post_init__(self):
        if not math.isfinite(self.score):
            raise ConfigError(f"Requirement.score must be a finite number, not {self.score!r}")
        if self.volume <= 0:
            raise ConfigError(f"Requirement.volume must be a positive number of bits, not {self.volume!r}")


@dataclass(frozen=True)
class Round:
    """One round.

    Parameters
    ----------
    stage : "simplify", "retrain", "integers" or "quantise"
        ``integers`` is the step from floating point to 8 bits, ``quantise`` any step to narrower weights.
    what : str
        What was changed: ``hidden units``, ``words``, or products and their new width.
    share : float
        Share of the units dropped, or of the weights frozen; 0 where nothing is.
    dropped : int
        Units dropped.
    weights : int
        Weights of all matrices that are not zero after the round.
    score : float
        Validation score after it.
    volume : int, optional
        Bits of the emitted image; in 8 bits while the model is in floating point, None where that did not change.
    passed : bool
        Whether the model was kept; else the one before was restored.
    """

    stage: Literal["simplify", "retrain", "integers", "quantise"]
    what: str
    share: float
    dropped: int
    weights: int
    score: float
    volume: int | None
    passed: bool


@dataclass(frozen=True)
class Outcome:
    """What compressing to a requirement gave.

    Parameters
    ----------
    requirement : Requirement
    bundle : Bundle
        The best model found. Its notes name the metric.
    simplified : FloatModel
        The float model that was quantised: what is left of hidden units and words, retrained. A search may start from
        it.
    volume : int
        Bits of its image.
    rounds : tuple of Round
    met : bool
        Whether it meets the requirement.
    reason : str
        Why it does not; empty if it does.
    """

    requirement: Requirement
    bundle: Bundle
    simplified: FloatModel
    volume: int
    rounds: tuple[Round, ...]
    met: bool
    reason: str

    def rows(self, model: str) -> Iterator[Row]:
        """Yield the rounds, the scores, the size and whether the requirement is met; `model` is the bundle's name."""
        notes = self.bundle.notes
        seed = notes["seed"]
        metric = {"metric": notes["metric"], "better": "more" if notes["more_is_better"] else "less"}
        for number, each in enumerate(self.rounds, 1):
            what = {key: value for key, value in asdict(each).items() if key != "score" and value is not None}
            yield Row("round_score", notes["unit"], each.score, {"round": number, **metric, **what}, seed)
        yield from score_rows(self.bundle, model)
        yield from shape_rows(self.bundle, model)
        at = {"model": model}
        yield Row("stored_bits", "bits", self.volume, at, seed)
        asked = asdict(self.requirement) | metric | {"reason": self.reason}
        yield Row("requirement_met", "yes or no", int(self.met), at | asked, seed)
