"""Cases of one target, in one simulation."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from gatewright.cosim import simulator
from gatewright.cosim.fuzz.case import Case
from gatewright.cosim.fuzz.judge import Verdict, judge
from gatewright.cosim.fuzz.reference import refer
from gatewright.cosim.fuzz.script import Script, write_scripts
from gatewright.cosim.fuzz.targets import Target
from gatewright.cosim.testbenches import played
from gatewright.cosim.traffic import read_log
from gatewright.errors import BrokenRuleError
from gatewright.hw.interface import ErrorCode
from gatewright.progress import Progress, silent

_CYCLES = 5_000
"""Of a case, about."""


def play(target: Target, cases: Sequence[Case], progress: Progress = silent) -> list[Verdict]:
    """Run cases of a target one after the other, and judge each.

    Parameters
    ----------
    target : Target
    cases : sequence of Case
        The accelerator is reset before the first alone.
    progress : Progress
        Told about the build and the cases.

    Raises
    ------
    ToolError
        A tool is missing or failed. What the hardware never may do is no such failure, but a difference.
    """
    simulation = simulator.build(
        target.config,
        progress,
        verilog=target.verilog(),
        adapter=target.adapter,
        cycles=len(cases) * _CYCLES,
    )
    verdicts: list[Verdict] = []
    while len(verdicts) < len(cases):
        verdicts += _simulate(simulation, cases[len(verdicts) :], progress)
    return verdicts


def _simulate(simulation: Path, cases: Sequence[Case], progress: Progress) -> list[Verdict]:
    """Give the verdicts of cases up to the first on which the simulation stopped."""
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        scripts: list[list[Script]] = []
        ends = []
        count = 0
        shown = ErrorCode.NONE
        for case in cases:
            scripts.append(write_scripts(case, shown))
            shown = case.shown
            for script in scripts[-1]:
                script.file.write(folder / f"{count}.job")
                count += 1
            ends.append(count)

        def watch() -> None:
            seen = sum(1 for _ in folder.glob("*.seen"))
            progress("simulating", sum(end < seen for end in ends), len(cases), "")

        broken = ""
        try:
            simulator.simulate(simulation, played.NAME, folder, tests=played.TESTS, watch=watch)
        except BrokenRuleError as error:
            broken, _, _ = str(error).partition("\n")
        finished = len(list(folder.glob("*.seen"))) - bool(broken)
        verdicts = []
        for case, own, end in zip(cases, scripts, ends, strict=True):
            if end > finished:
                verdicts.append(Verdict(0, 0, 0, 0, (broken,)))
                break
            logs = [
                read_log(folder / f"{number}.seen", case.target.config)
                for number in range(end - len(own), end)
            ]
            verdicts.append(judge(case, refer(case), own, logs))
        return verdicts
