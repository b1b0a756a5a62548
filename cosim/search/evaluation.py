"""What an evaluation of a candidate finds, and what a study needs to have one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from gatewright.progress import Progress
from gatewright.sw.search.space import Candidate


@dataclass(frozen=True)
class Evaluation:
    """What a candidate was found to be.

    Parameters
    ----------
    score : float
        The task's metric on the validation split, of the integer model.
    quality : float
        The same so that more is better.
    stored_bits : int
        Bits of the emitted image.
    cycles_predicted : float
        Cycles per step.
    cycles_measured : float or None
        The same at RTL level; None where it was not simulated.
    macs : int
        Multiply-accumulates with non-zero weights of one step.
    reward : float
        The score R.
    seconds : float
        What the evaluation took; 0 for a result that was there already.
    integers_compared : int
        Elements that golden model and RTL agreed on.
    """

    score: float
    quality: float
    stored_bits: int
    cycles_predicted: float
    cycles_measured: float | None
    macs: int
    reward: float
    seconds: float
    integers_compared: int

    @property
    def cycles(self) -> float:
        """Cycles per step: those measured, where they are."""
        return self.cycles_predicted if self.cycles_measured is None else self.cycles_measured

    @property
    def parts(self) -> list[float]:
        """What the reward is made of, and a study's objectives: quality, cycles per step and stored bits."""
        return [self.quality, self.cycles, float(self.stored_bits)]

    @property
    def point(self) -> tuple[float, float, float]:
        """Quality with its sign turned, cycles per step and stored bits: less is better."""
        quality, cycles, bits = self.parts
        return -quality, cycles, bits

    def to_json(self) -> dict:
        """Give the evaluation as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Infeasible:
    """A candidate without a result: no hardware can run it or is allowed to, a limit is exceeded, or it diverged.

    Parameters
    ----------
    reason : str
    """

    reason: str


class Evaluate(Protocol):
    """What a study needs to have candidates evaluated; must travel to worker processes."""

    def prepare(self, round: int, targets: Sequence[Candidate], progress: Progress) -> None:
        """Make what the candidates of a round need, if it is not there yet; called before any is evaluated."""

    def __call__(self, candidate: Candidate, round: int) -> Evaluation | Infeasible:
        """Evaluate a candidate in a round."""

    def by_gradient(self, place: int, round: int) -> tuple[Candidate, Evaluation | Infeasible]:
        """Search a candidate by gradient, as the place in the order of trials says, and evaluate it in a round."""
