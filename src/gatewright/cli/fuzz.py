"""The command that looks for differences with random accelerators, models and jobs."""

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.answer import Answer
from gatewright.cli.app import ExitCode, command
from gatewright.errors import ConfigError
from gatewright.progress import Progress

N, CASES = 6, 20
"""Accelerators, and cases on each, unless said otherwise."""


@command(
    "gatewright fuzz --n 6 --seed 1",
    "gatewright fuzz --n 1000 --cases 100 --minutes 60 --seed 2 -o runs/fuzz",
    "gatewright fuzz --replay runs/fuzz/2-17-4",
)
def fuzz(
    n: Annotated[
        int, typer.Option("--n", min=1, help="Random accelerators, of 4 to 128 lanes in turn; each is built.")
    ] = N,
    cases: Annotated[
        int, typer.Option("--cases", min=1, help="Random cases on each: one or two models, and their jobs.")
    ] = CASES,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of accelerators, models and jobs; each has a number.")
    ] = 0,
    first: Annotated[int, typer.Option("--first", min=0, help="Number of the first accelerator.")] = 0,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Begin no new accelerator after so long.", show_default=False),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where failing cases go, made small.")
    ] = Path("runs/fuzz"),
    replay: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            help="Run a failing case again, from its folder; nothing is drawn.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[
        Path | None, typer.Option("--rows", help="Also write the rows to this file.", show_default=False)
    ] = None,
    *,
    progress: Progress,
) -> Answer:
    """Hold PyTorch, golden model, RTL and predicted cycles against each other on random accelerators and jobs."""
    from gatewright.cosim.fuzz.run import FuzzSettings
    from gatewright.flow.fuzz import fuzz as run
    from gatewright.flow.fuzz import replay as run_again
    from gatewright.results import write_rows

    if replay is not None:
        if rows is not None:
            raise ConfigError("--rows counts what is drawn; --replay draws nothing: leave one out")
        verdict = run_again(replay, progress)
        said = verdict.differences or (f"no difference: {verdict.compared:,} integers compared",)
        return Answer(
            lines=said,
            values={"integers_compared": verdict.compared, "differences": list(verdict.differences)},
            exit_code=ExitCode.MISMATCH if verdict.differences else ExitCode.OK,
        )
    found = run(FuzzSettings(n, seed, cases, minutes, first), output, progress)
    if rows is not None:
        write_rows(rows, found.rows())
    return Answer(
        found.rows(),
        lines=tuple(found.differing),
        following=tuple(found.repeats),
        exit_code=ExitCode.MISMATCH if found.differing else ExitCode.OK,
    )
