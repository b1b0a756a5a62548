"""The record of compressing to a requirement: what was asked, what every round did, and what came of it."""

from dataclasses import dataclass
from typing import Literal

from gatewright.errors import ConfigError
from gatewright.sw.bundle import Bundle


@dataclass(frozen=True)
class Requirement:
    """What a compressed model must meet.

    Parameters
    ----------
    score : float
        Validation score in the task's metric: at least this accuracy in percent, or at most these bits.
    volume : int
        Most bits of the emitted image.

    Raises
    ------
    ConfigError
        The volume is not positive.
    """

    score: float
    volume: int

    def __post_init__(self):
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
        Weights of all matrices that are not zero behind the round.
    score : float
        Validation score behind it.
    volume : int, optional
        Bits of the emitted image, where the model is in integers.
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
    bundle : Bundle
        The best model found.
    volume : int
        Bits of its image.
    rounds : tuple of Round
    met : bool
        Whether it meets the requirement.
    reason : str
        Why it does not; empty if it does.
    """

    bundle: Bundle
    volume: int
    rounds: tuple[Round, ...]
    met: bool
    reason: str
