"""Random accelerators, models and jobs, held against golden model, PyTorch and predictions; failures made small."""

from dataclasses import dataclass, field

from gatewright.cosim.fuzz.run import FuzzSettings, Played, run
from gatewright.progress import Progress, silent
from gatewright.results import Row


@dataclass
class Fuzzed:
    """What a run of `fuzz` found.

    Parameters
    ----------
    settings : FuzzSettings
    accelerators, models, jobs, integers, cycles, errors, resets : int
        How much was run and compared.
    differing : list of str
        Each case that differs, by its name, with what differs.
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


def fuzz(settings: FuzzSettings, progress: Progress = silent) -> Fuzzed:
    """Run random cases.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    found = Fuzzed(settings)
    for played in run(settings, progress):
        found.add(played)
        progress("fuzzed", found.accelerators, settings.n, f"{found.integers:,} integers")
    return found
