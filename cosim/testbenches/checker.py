"""The checker: every integer, exactly."""

import numpy as np

from gatewright.hw.compiler.image import Compiled

_SHOWN = 10


class Checker:
    """Compares results and keeps count.

    Parameters
    ----------
    compiled : Compiled
        Gives the meaning of a position in the results.
    seed : int
        Seed of the stimulus, for the report.

    Attributes
    ----------
    compared, mismatches : int
        Integers compared, and how many of them differed, came too much or not at all.
    faults : int
        Violations of anything else: error codes, marks, time limits.
    """

    def __init__(self, compiled: Compiled, seed: int):
        self.compiled = compiled
        self.seed = seed
        self.compared = 0
        self.mismatches = 0
        self.faults = 0
        self._lines: list[str] = []

    def compare(self, sequence: int, steps: int, expected: np.ndarray, got: np.ndarray) -> None:
        """Compare the results of one sequence, in stream order."""
        common = min(len(expected), len(got))
        differing = np.flatnonzero(expected[:common] != got[:common]).tolist()
        surplus = range(common, max(len(expected), len(got)))
        self.compared += len(expected)
        self.mismatches += len(differing) + len(surplus)
        for index in [*differing, *surplus]:
            if len(self._lines) >= _SHOWN:
                break
            self._lines.append(
                f"sequence {sequence}, {self._place(index, steps)} (result {index}): "
                f"expected {_number(expected, index)}, got {_number(got, index)}"
            )

    def require(self, sequence: int, condition: bool, text: str) -> None:
        """Note a fault unless a condition holds."""
        if not condition:
            self.faults += 1
            if len(self._lines) < _SHOWN:
                self._lines.append(f"sequence {sequence}: {text}")

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing was wrong."""
        return self.compared > 0 and not self.mismatches and not self.faults

    def report(self) -> str:
        """Say how many integers differ, and show the first ones."""
        head = f"{self.mismatches} of {self.compared} integers differ, {self.faults} other faults (seed {self.seed})"
        shown = len(self._lines)
        more = [f"the first {shown} are shown"] if self.mismatches + self.faults > shown else []
        return "\n  ".join([head, *self._lines, *more])

    def _place(self, index: int, steps: int) -> str:
        places = np.arange(self.compiled.result_count(steps))
        for what, vectors in zip(
            ("output", "logit"), self.compiled.split_results(places, steps), strict=True
        ):
            for vector, position in np.argwhere(vectors == index).tolist():
                return f"step {steps - len(vectors) + vector}, {what} {position}"
        return "behind the last step"


def _number(values: np.ndarray, index: int) -> str:
    if index >= len(values):
        return "nothing"
    value = int(values[index])
    return f"{value} (0x{value & 0xFFFFFFFF:08x})"
