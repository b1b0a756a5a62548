"""Commands beside the path: the demo, reports, benchmarks, and rows as a table."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gatewright.benchmarks import NAMES
from gatewright.cli.answer import Answer
from gatewright.cli.app import ExitCode, command
from gatewright.cli.options import (
    CellLanes,
    Epochs,
    Hidden,
    Lanes,
    Overwrite,
    PruneEpochs,
    QuantiseEpochs,
    Seed,
    Workers,
)
from gatewright.errors import ConfigError
from gatewright.flow.settings import CompressChoice, Shape, TrainChoice, VerifySettings, WorkerSettings
from gatewright.progress import Progress

if TYPE_CHECKING:
    BenchmarkName = str
else:
    BenchmarkName = Literal[NAMES]

TRIALS = 32
"""Candidates of the demo's search."""


@command("gatewright demo", "gatewright demo -o runs/quick --trials 0")
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder that is made.")] = Path(
        "runs/demo"
    ),
    hidden: Hidden = None,
    epochs: Epochs = None,
    density: Annotated[
        list[float] | None,
        typer.Option(
            "--density",
            help="Share of weights that a model keeps; repeat for several models.",
            show_default=False,
        ),
    ] = None,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    lanes: Lanes = None,
    cell_lanes: CellLanes = None,
    recordings: Annotated[
        int, typer.Option("--recordings", min=1, help="Test sequences to simulate at RTL level.")
    ] = VerifySettings.recordings,
    trials: Annotated[
        int, typer.Option("--trials", min=0, help="Candidates of the search; 0: no search.")
    ] = TRIALS,
    workers: Workers = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    *,
    progress: Progress,
    command: str,
) -> Answer:
    """Do everything on spoken digits: train, quantise, build, verify, search, report; goes on where it was left."""
    from gatewright.flow.demo import DemoSettings
    from gatewright.flow.demo import demo as run
    from gatewright.hw.compiler.choose import HardwareChoice
    from gatewright.sw.tasks import DataSettings

    settings = DemoSettings(
        data=DataSettings("digits", seed=seed),
        training=TrainChoice(hidden=hidden, epochs=epochs, seed=seed),
        shape=Shape(lanes=lanes or Shape.lanes),
        compression=CompressChoice(prune_epochs, quantise_epochs, seed=seed),
        hardware=HardwareChoice(lanes=lanes, cell_lanes=cell_lanes),
        proof=VerifySettings(recordings=recordings),
        trials=trials,
    )
    if density:
        settings = replace(settings, densities=tuple(sorted(set(density), reverse=True)))
    found = run(
        output,
        settings,
        workers=WorkerSettings(workers),
        command=command,
        overwrite=overwrite,
        progress=progress,
    )
    return _reported(found, output)


@command(
    "gatewright report fpga",
    "gatewright report study",
    "gatewright report small-fpga large-fpga study -o comparison.html",
)
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Run folder, or folder of a study; several are compared.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File of a comparison; default: comparison.html.", show_default=False
        ),
    ] = None,
) -> Answer:
    """Write the report: one HTML file, figures, all rows; says what is proven and what is not. Or compare several."""
    from gatewright.flow.report import COMPARISON, compare
    from gatewright.flow.report import report as run

    if len(folders) > 1:
        path = compare(folders, output or COMPARISON)
        return Answer(lines=(f"comparison: {path}",), wrote=path, values={"comparison": str(path)})
    if output is not None:
        raise ConfigError("--output is for a comparison of several folders; a report lies in its folder")
    return _reported(run(folders[0]), folders[0])


@command(
    "gatewright bench hw --rows hw.json",
    "gatewright bench cycles --n 500 --seed 1",
    "gatewright bench opponents --task fashion-mnist --seeds 1,2 -o opponents",
)
def bench(
    name: Annotated[BenchmarkName, typer.Argument(help="What to measure.", show_default=False)],
    rows: Annotated[
        Path | None, typer.Option("--rows", help="Also write the rows to this file.", show_default=False)
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Random cases of `cycles`.")] = 500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the cases of `cycles`.")] = 0,
    text: Annotated[
        Path | None,
        typer.Option("--text", help="A text (.txt), for those that need one.", show_default=False),
    ] = None,
    silero: Annotated[
        Path | None,
        typer.Option(
            "--silero",
            help="Folder with Silero VAD and speech, for those that need them.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            help="Folder with the IDX files of Fashion-MNIST, for those that need them.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str,
        typer.Option(
            "--task", help="Data of `opponents`: digits, fashion-mnist, a folder of IDX files, a text."
        ),
    ] = "digits",
    seeds: Annotated[
        str,
        typer.Option(
            "--seeds", help="Model seeds of `opponents`, such as 1,2,3; default: 1 to 5.", show_default=False
        ),
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder that `opponents`, `regret` and `narrowing` go on from.",
            show_default=False,
        ),
    ] = None,
    *,
    progress: Progress,
) -> Answer:
    """Measure a part: rows with name, value, unit, parameters, seed."""
    from gatewright.benchmarks import registry

    options = registry.Options(progress, n, seed, text, silero, task, _numbers(seeds), folder, images)
    return Answer(registry.bench(name, rows, options))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(",") if each)
    except ValueError:
        raise ConfigError(
            f"--seeds must be whole numbers with commas between, such as 1,2,3, not {text!r}"
        ) from None


@command("gatewright cache", "gatewright cache --clear")
def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove all of it but what is being built now.")
    ] = False,
) -> Answer:
    """Say where built simulations are kept and how large they are, or remove them; they are made again when needed."""
    from gatewright.cosim import cache as simulations

    found = simulations.clear() if clear else simulations.contents()
    size = f"{found.entries:,} entries, {found.size / 1e6:,.1f} MB"
    kept = f"; {found.in_use} are being built now and stay" if found.in_use else ""
    line = f"removed {size}{kept}" if clear else size
    return Answer(
        lines=(f"{found.folder}: {line}",),
        values={"folder": str(found.folder), "entries": found.entries, "bytes": found.size},
    )


@command("gatewright table docs/results/hw.json")
def table(
    files: Annotated[list[Path], typer.Argument(help="Files of rows, as steps and benchmarks write them.")],
) -> Answer:
    """Print rows as a Markdown table."""
    from gatewright.reports.markdown import markdown
    from gatewright.results import read_rows

    rows = read_rows(*files)
    return Answer(rows, text=markdown(rows))


def _reported(found, folder: Path) -> Answer:
    lines = [f"{name}: {_said(value)}" for name, value in found.summary.items() if name != "config"]
    failed = found.verdict == "FAIL" or bool(found.unproven)
    return Answer(
        lines=(*lines, f"report: {found.path}"),
        warnings=tuple(f"unproven: {each} changed since, or was never proven" for each in found.unproven),
        values={"report": str(found.path), "summary": found.summary, "unproven": list(found.unproven)},
        exit_code=ExitCode.MISMATCH if failed else ExitCode.OK,
    )


def _said(value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(entry)}" for key, entry in value.items())
    return f"{value:.5g}" if isinstance(value, float) else str(value)
