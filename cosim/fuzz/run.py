"""Accelerators and cases of a seed, one accelerator after the other."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from gatewright.cosim.fuzz.case import Case
from gatewright.cosim.fuzz.draw import draw_case
from gatewright.cosim.fuzz.judge import Verdict
from gatewright.cosim.fuzz.play import play
from gatewright.cosim.fuzz.targets import Target, draw_target
from gatewright.errors import DataError
from gatewright.progress import Progress, silent, within


@dataclass(frozen=True)
class FuzzSettings:
    """What is drawn.

    Parameters
    ----------
    n : int
        Accelerators, from number `first` on.
    seed : int
    cases : int
        Cases on each accelerator, from number 0 on: one or two models, and their jobs.
    minutes : float, optional
        No new accelerator is begun after so many.
    first : int

    Raises
    ------
    DataError
        A number is out of its range.
    """

    n: int = 6
    seed: int = 0
    cases: int = 20
    minutes: float | None = None
    first: int = 0

    def __post_init__(self):
        for name, low in (("n", 1), ("seed", 0), ("cases", 1), ("first", 0)):
            if getattr(self, name) < low:
                raise DataError(f"{name} must be at least {low}, not {getattr(self, name)}")
        if self.minutes is not None and not self.minutes > 0:
            raise DataError(f"minutes must be above 0, not {self.minutes}")


@dataclass(frozen=True)
class Played:
    """An accelerator, its cases, and what became of each."""

    target: Target
    cases: list[Case]
    verdicts: list[Verdict]

    @property
    def models(self) -> int:
        """Different models."""
        return len({recipe for case in self.cases for recipe in case.models})


def run(settings: FuzzSettings, progress: Progress = silent) -> Iterator[Played]:
    """Play all cases of each accelerator in one simulation, and give them as they are done.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    end = None if settings.minutes is None else time.monotonic() + 60 * settings.minutes
    for number in range(settings.first, settings.first + settings.n):
        if end is not None and number > settings.first and time.monotonic() >= end:
            return
        told = within(progress, f"accelerator {number}")
        told("drawing", 0, settings.cases, "")
        target = draw_target(settings.seed, number)
        cases = [draw_case(target, settings.seed, number, case) for case in range(settings.cases)]
        yield Played(target, cases, play(target, cases, told))
