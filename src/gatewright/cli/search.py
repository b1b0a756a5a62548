"""The command that searches."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.answer import Answer
from gatewright.cli.app import ExitCode, command
from gatewright.cli.options import (
    ActivationBits,
    Clock,
    ColumnCounts,
    Dask,
    DataSource,
    DeviceName,
    FloatFile,
    Lanes,
    MetricName,
    Overwrite,
    PruneEpochs,
    QuantiseEpochs,
    Seed,
    Workers,
)
from gatewright.cosim.search.settings import Method, SearchSettings
from gatewright.flow.settings import MEGAHERTZ, CompressChoice, Shape, WorkerSettings
from gatewright.progress import Progress
from gatewright.sw.search.space import Granularity

POINTS = 5
"""Most points that are finished unless told otherwise."""


@command(
    "gatewright search model.pt --data mine.npz --latency 50us --device ecp5-25k -o study",
    "gatewright search model.pt --data mine.npz --choose rank=8,16,none --choose layer0.hidden=32,64 -o study",
    "gatewright search model.pt --data mine.npz --trials 200 -o study    # more trials on a finished study",
)
def search(
    model: FloatFile,
    data: DataSource,
    metric: MetricName = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the study.")] = Path("study"),
    method: Annotated[
        Method,
        typer.Option(
            "--method",
            help="Who proposes candidates: a linear bandit, a bandit for each parameter (ucb, softmax, greedy), "
            "Optuna's samplers, or the gradient search (entropy).",
        ),
    ] = SearchSettings.method,
    trials: Annotated[int, typer.Option("--trials", help="Candidates in all.")] = SearchSettings.trials,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds", help="Parts of the trials; between them the shared weights are trained further."
        ),
    ] = SearchSettings.rounds,
    tune_epochs: Annotated[
        int, typer.Option("--tune-epochs", help="Epochs of integer training of each candidate.")
    ] = SearchSettings.tune_epochs,
    granularity: Annotated[
        Granularity,
        typer.Option(
            "--granularity", help="One rank for the network, or rank, bits and density for each matrix."
        ),
    ] = "network",
    space: Annotated[
        Path | None,
        typer.Option(
            "--space",
            help="File (.toml, .json) of candidate values, named as --choose names them.",
            show_default=False,
        ),
    ] = None,
    choose: Annotated[
        list[str] | None,
        typer.Option(
            "--choose",
            help="Candidate values: 'rank=8,16,none', 'layer0.hidden=32,64', 'network.activation_bits=8,16', "
            "'columns=equal,contribution', 'lanes=16,32', 'cell_lanes=1,2'; repeat.",
            show_default=False,
        ),
    ] = None,
    lanes: Lanes = None,
    activation_bits: ActivationBits = Shape.activation_bits,
    columns: ColumnCounts = Shape.columns,
    device: Annotated[
        DeviceName | None,
        typer.Option(
            "--device",
            help="FPGA that the accelerator must fit; its lanes and cell lanes are searched unless --lanes or --choose "
            "settles them.",
            show_default=False,
        ),
    ] = None,
    score: Annotated[
        float | None,
        typer.Option(
            "--score",
            help="Stop at this validation score, once both targets are met, too.",
            show_default=False,
        ),
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option("--latency", help="Target: time per step at --clock, such as 50us.", show_default=False),
    ] = None,
    cycles: Annotated[
        float | None,
        typer.Option(
            "--cycles",
            help="Target: cycles per step; default: none; the search then aims at a tenth of the 8-bit model's, "
            "or what is within reach.",
            show_default=False,
        ),
    ] = None,
    volume: Annotated[
        float | None,
        typer.Option(
            "--volume",
            help="Target: stored bits; default: none; the search then aims as for --cycles.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            help="What no candidate may exceed: 'latency=50us', 'cycles=500', 'bits=1e5', 'luts=20000', "
            "'block_rams=40', 'multipliers=28'; or 'score=95', the least of a final point; repeat.",
            show_default=False,
        ),
    ] = None,
    clock: Clock = MEGAHERTZ,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            help="Study of the same space whose finished points are tried first.",
            show_default=False,
        ),
    ] = None,
    spread: Annotated[
        float,
        typer.Option(
            "--spread",
            help="Octaves around both targets that trials of 'linear' aim at, to cover the whole front.",
        ),
    ] = SearchSettings.spread,
    at_once: Annotated[
        int,
        typer.Option(
            "--at-once",
            help="Trials that may be under way at once, and so do not know of each other. Further workers wait.",
        ),
    ] = SearchSettings.at_once,
    patience: Annotated[
        int, typer.Option("--patience", help="Stop after so many trials without improvement; 0: never.")
    ] = SearchSettings.patience,
    measure: Annotated[
        bool | None,
        typer.Option(
            "--measure/--predict",
            help="Simulate every candidate at RTL level, or only finished points; default: every one, unless the "
            "hardware is searched.",
            show_default=False,
        ),
    ] = None,
    points: Annotated[
        int, typer.Option("--points", min=1, help="Most points to finish: to train in full and to measure.")
    ] = POINTS,
    uniform: Annotated[
        bool, typer.Option("--uniform", help="Also train and measure models with one rank and width for all.")
    ] = False,
    workers: Workers = None,
    dask: Dask = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage", help="Optuna storage by URL; default: a journal in the folder.", show_default=False
        ),
    ] = None,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    *,
    progress: Progress,
    command: str,
) -> Answer:
    """Search the compression of a model, scored by cycles measured on the RTL; goes on with a study that was left."""
    from gatewright.cosim.search.folder import StudyFolder
    from gatewright.cosim.search.latency import cycles_of, limits_of
    from gatewright.cosim.search.start import Scope
    from gatewright.flow.search import search as run
    from gatewright.sw.search.choices import read_choices

    settings = SearchSettings(
        method=method,
        trials=trials,
        rounds=rounds,
        seed=seed,
        tune_epochs=tune_epochs,
        measure=measure,
        target_score=score,
        target_cycles=cycles if latency is None else cycles_of(latency, clock),
        target_bits=volume,
        spread=spread,
        at_once=at_once,
        patience=patience,
        limits=limits_of(limit or [], clock),
        known=StudyFolder.open(known).candidates() if known else (),
        megahertz=clock,
    )
    choices = (read_choices(space) if space else {}) | read_choices(choose or [])
    scope = Scope(granularity, choices, lanes, activation_bits, columns, device, storage)
    searched = run(
        model,
        data,
        output,
        settings,
        scope,
        CompressChoice(prune_epochs, quantise_epochs, seed=seed),
        metric=metric,
        points=points,
        uniform=uniform,
        workers=WorkerSettings(workers, dask),
        command=command,
        overwrite=overwrite,
        progress=progress,
    )
    found, best = searched.found, searched.found.recommendation
    return Answer(
        lines=(f"stopped: {found.outcome.reason}", *([] if best is None else [best.text])),
        wrote=output,
        following=() if best is None else (best.command, f"open {searched.report}"),
        values={
            "reason": found.outcome.reason,
            "trials": found.outcome.trials,
            "report": str(searched.report),
            "points": {name: str(path) for name, path in found.points.items()},
            "recommended": None if best is None else asdict(best) | {"bundle": str(best.bundle)},
        },
        exit_code=ExitCode.INTERRUPTED if found.interrupted else ExitCode.OK,
    )
