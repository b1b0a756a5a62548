"""What a simulation saw of a case, held against its reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatewright.cosim.fuzz.case import Case, Wrong
from gatewright.cosim.fuzz.reference import Reference
from gatewright.cosim.fuzz.script import Script
from gatewright.cosim.testbenches.checker import Checker
from gatewright.cosim.traffic import Observation
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.interface import ErrorCode


@dataclass(frozen=True)
class Verdict:
    """What became of a case.

    Parameters
    ----------
    compared : int
        Integers of the RTL that were held against the golden model's; PyTorch's are held against these before.
    cycles : int
        Cycles of jobs that were predicted and measured.
    errors, resets : int
        Errors that the accelerator reported as it must, and jobs that a reset ended.
    differences : tuple of str
        What differs, in the order of the jobs.
    """

    compared: int
    cycles: int
    errors: int
    resets: int
    differences: tuple[str, ...]


def judge(
    case: Case,
    references: Sequence[Reference],
    scripts: Sequence[Script],
    seen: Sequence[Sequence[Observation]],
) -> Verdict:
    """Compare.

    Parameters
    ----------
    case : Case
    references : sequence of Reference
        Of each job.
    scripts : sequence of Script
        What was played, and `seen` what the harness logged of each.
    """
    judging = _Judging(case, references)
    for number, reference in enumerate(references):
        judging.hold_torch(number, reference)
    for script, log in zip(scripts, seen, strict=True):
        for command, observed in zip(script.commands, log, strict=False):
            judging.hold_error(command.jobs, command.error, observed)
            if command.jobs:
                judging.hold_jobs(command.jobs, observed)
        if len(log) < len(script.commands) and not log[-1].limited:
            judging.note(None, f"the harness ended after {len(log)} of {len(script.commands)} commands")
    return Verdict(
        judging.compared, judging.cycles, judging.errors, judging.resets, tuple(judging.differences)
    )


class _Judging:
    def __init__(self, case: Case, references: Sequence[Reference]):
        self.compared = self.cycles = self.errors = self.resets = 0
        self.differences: list[str] = []
        self._case, self._references = case, references
        self._compiled = [recipe.build(case.target.config)[1] for recipe in case.models]

    def note(self, number: int | None, text: str) -> None:
        self.differences.append(text if number is None else f"job {number}: {text}")

    def hold_torch(self, number: int, reference: Reference) -> None:
        checker = self._checker(number)
        checker.compare(number, self._steps(number), reference.torch, reference.golden.data)
        self._take(number, "PyTorch and golden model", checker)

    def hold_error(self, jobs: tuple[int, ...], error: ErrorCode | None, observed: Observation) -> None:
        number = jobs[-1] if jobs else None
        ends = bool(jobs and self._case.jobs[jobs[-1]].reset)
        if observed.limited and not ends:
            self.note(number, f"no end within {observed.cycles} cycles")
        if error is not None and observed.error != error:
            self.note(number, f"error code {observed.error.name}, not {error.name}")
        elif error:
            self.errors += 1

    def hold_jobs(self, numbers: tuple[int, ...], observed: Observation) -> None:
        jobs = [self._case.jobs[number] for number in numbers]
        references = [self._references[number] for number in numbers]
        partial = observed.limited or not jobs[0].wrong.whole
        self.resets += observed.limited and jobs[-1].reset > 0
        if not partial:
            expected = np.concatenate([job.x.ravel() for job in jobs])
            if not np.array_equal(observed.inputs, expected):
                self.note(numbers[0], f"took {len(observed.inputs)} of {len(expected)} elements")
        results, last = observed.results, observed.last
        for number, reference in zip(numbers, references, strict=True):
            # Of a job that did not get to its end, what came out before must be right.
            count = min(len(results), len(reference.golden.data)) if partial else len(reference.golden.data)
            surplus = len(results) if number == numbers[-1] else count
            self._hold_results(number, reference, count, results[:surplus], last[:surplus])
            results, last = results[count:], last[count:]
        for number, reference, counters in zip(numbers, references, observed.jobs, strict=False):
            self._hold_cycles(number, reference, counters)

    def _hold_results(
        self, number: int, reference: Reference, count: int, results: np.ndarray, last: np.ndarray
    ) -> None:
        checker = self._checker(number)
        expected = reference.golden.data[:count]
        checker.compare(number, self._steps(number), expected, results)
        same = np.array_equal(reference.golden.last[:count], last[:count])
        checker.require(number, same, "wrong marks of the last element")
        self.compared += checker.compared
        self._take(number, "golden model and RTL", checker)

    def _hold_cycles(self, number: int, reference: Reference, counters: dict[str, int]) -> None:
        wrong = [
            f"{name} {value} (RTL: {counters[name]})"
            for name, value in reference.counters.items()
            if value != counters[name]
        ]
        if wrong:
            self.note(number, f"predicted {', '.join(wrong)}")
        self.cycles += reference.counters.get("cycles", 0)

    def _checker(self, number: int) -> Checker:
        return Checker(self._of(number), 0)

    def _of(self, number: int) -> Compiled:
        return self._compiled[self._case.jobs[number].model]

    def _steps(self, number: int) -> int:
        job = self._case.jobs[number]
        return 0 if job.wrong == Wrong.STEPS else len(job.x)

    def _take(self, number: int, what: str, checker: Checker) -> None:
        if checker.mismatches or checker.faults:
            self.note(number, f"{what}: {checker.report()}")
