"""Random accelerators, models and jobs, held against golden model, PyTorch and predictions; failures made small."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatewright.cosim.fuzz import reproducer
from gatewright.cosim.fuzz.case import Case
from gatewright.cosim.fuzz.judge import Verdict
from gatewright.cosim.fuzz.play import play
from gatewright.cosim.fuzz.run import FuzzSettings, Played, run
from gatewright.cosim.fuzz.shrink import shrink
from gatewright.errors import shell_word
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
    repeats : list of str
        Commands that run failing cases again: made small, or with all that ran before where only that makes them fail.
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
    repeats: list[str] = field(default_factory=list)

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
        Gets a folder for each case that was made small, with the case's name. One that fails only in the one simulation
        with all before it has none: its command draws them again.
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
        if any(failing) and len(found.repeats) < _KEPT:
            cases = played.cases[: failing.index(True) + 1]
            number = settings.first + found.accelerators - 1
            whole = f"gatewright fuzz --seed {settings.seed} --first {number} --n 1 --cases {len(cases)}"
            found.repeats.append(_made_small(cases, output, progress) or whole)
        progress("fuzzing", found.accelerators, settings.n, f"{found.integers:,} integers")
    return found


def _made_small(cases: Sequence[Case], output: Path, progress: Progress) -> str | None:
    """Save the last of some cases, made small; return the command that replays it, None if it does not fail again."""
    folder = output / cases[-1].name
    shrunk = shrink(cases, within(progress, f"case {cases[-1].name}"))
    if shrunk is None:
        return None
    reproducer.save(shrunk.case, shrunk.verdict.differences, folder)
    return f"gatewright fuzz --replay {shell_word(folder)}"


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
