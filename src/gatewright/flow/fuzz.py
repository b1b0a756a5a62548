"""Random accelerators, models and jobs, held against golden model, PyTorch and predictions; failures made small."""

from dataclasses import dataclass, field
from pathlib import Path

from gatewright.cosim.fuzz import reproducer
from gatewright.cosim.fuzz.judge import Verdict
from gatewright.cosim.fuzz.play import play
from gatewright.cosim.fuzz.run import FuzzSettings, Played, run
from gatewright.cosim.fuzz.shrink import shrink
from gatewright.progress import Progress, silent, within
from gatewright.results import Row

_KEPT = 3
"""Accelerators with a failing case of which one is made small."""


@dataclass
class Fuzzed:
    """What a run of `fuzz` found.

    Parameters
    ----------
    settings : FuzzSettings
    accelerators, models, jobs, integers, cycles, errors, resets : int
        How much was run and compared.
    differing : list of str
        Each case that differs, by its name, with what differs first.
    reproducers : list of Path
        Folders of cases that were made small, to be replayed.
    """

    settings: FuzzSettings
    accelerators: int = 0
    models: int = 0
    jobs: int = 0
    integers: int = 0
    cycles: int = 0
    errors: int = 0
    resets: int = 0
    differing: list[str] = field(default_factory=list)
    reproducers: list[Path] = field(default_factory=list)

    def add(self, played: Played) -> None:
        """Count what an accelerator ran."""
        self.accelerators += 1
        self.models += played.models
        self.jobs += sum(len(case.jobs) for case in played.cases)
        for case, verdict in zip(played.cases, played.verdicts, strict=True):
            self.integers += verdict.compared
            self.cycles += verdict.cycles
            self.errors += verdict.errors
            self.resets += verdict.resets
            if verdict.differences:
                self.differing.append(f"case {case.name}, {verdict.differences[0]}")

    def rows(self) -> list[Row]:
        """Return the counts as rows."""
        seed = self.settings.seed
        at = {"first": self.settings.first}
        return [
            Row("integers_compared", "integers", self.integers, at, seed),
            Row("cycles_compared", "cycles", self.cycles, at, seed),
            Row("fuzzed_models", "models", self.models, at, seed),
            Row("fuzzed_accelerators", "configurations", self.accelerators, at, seed),
            Row("fuzzed_jobs", "jobs", self.jobs, at, seed),
            Row("provoked_errors", "jobs", self.errors, at, seed),
            Row("provoked_resets", "jobs", self.resets, at, seed),
            Row("differing_cases", "cases", len(self.differing), at, seed),
        ]


def fuzz(settings: FuzzSettings, output: Path, progress: Progress = silent) -> Fuzzed:
    """Run random cases; of each accelerator's failing cases the first is made small.

    Parameters
    ----------
    settings : FuzzSettings
    output : Path
        Gets a folder for each case that was made small, with the case's name.
    progress : Progress

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    found = Fuzzed(settings)
    for played in run(settings, progress):
        found.add(played)
        failing = [bool(verdict.differences) for verdict in played.verdicts]
        if any(failing) and len(found.reproducers) < _KEPT:
            first = failing.index(True)
            case, differences = played.cases[first], played.verdicts[first].differences
            told = within(progress, f"case {case.name}")
            if shrunk := shrink(played.cases[: first + 1], told):
                case, differences = shrunk.case, shrunk.verdict.differences
            reproducer.save(case, differences, output / case.name)
            found.reproducers.append(output / case.name)
        progress("fuzzing", found.accelerators, settings.n, f"{found.integers:,} integers")
    return found


def replay(folder: Path, progress: Progress = silent) -> Verdict:
    """Run a case again that `fuzz` left.

    Raises
    ------
    DataError
        There is no such case in the folder.
    ToolError
        A tool is missing or failed.
    """
    case = reproducer.load(folder)
    return play(case.target, [case], progress)[0]
