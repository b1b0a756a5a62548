"""The command that searches."""

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.app import command, command_line
from gatewright.cli.options import (
    POINTS,
    RUN,
    ActivationBits,
    Lanes,
    Overwrite,
    PruneEpochs,
    QuantiseEpochs,
    Run,
    Seed,
    Workers,
    given,
)
from gatewright.console import TerminalProgress, console
from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.latency import cycles_of, limits_of
from gatewright.cosim.search.settings import Method, SearchSettings
from gatewright.cosim.search.start import Scope
from gatewright.executors import processors
from gatewright.sw.search.choices import read_choices
from gatewright.sw.search.space import Granularity
from gatewright.sw.spec import CompressionSpec


@command
def search(
    run: Run = RUN,
    study: Annotated[
        Path | None, typer.Option("--study", help="Folder of the study; default: 'search' in the run folder.")
    ] = None,
    method: Annotated[
        Method, typer.Option("--method", help="Who proposes candidates.")
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
    lanes: Lanes = CompressionSpec.lanes,
    activation_bits: ActivationBits = CompressionSpec.activation_bits,
    space: Annotated[
        Path | None,
        typer.Option(
            "--space", help="File (.toml, .json) of candidate values, named as --choose names them."
        ),
    ] = None,
    choose: Annotated[
        list[str] | None,
        typer.Option(
            "--choose",
            help="Candidate values: 'rank=8,16,none', 'layer0.hidden=32,64', 'network.activation_bits=8,16', "
            "'columns=equal,contribution', 'lanes=16,32', 'cell_lanes=1,2'; repeat.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="FPGA that the accelerator must fit, for example ecp5-25k.")
    ] = None,
    score: Annotated[
        float | None,
        typer.Option("--score", help="Stop at this validation score, once both targets are met, too."),
    ] = None,
    cycles: Annotated[
        float | None,
        typer.Option("--cycles", help="Target: cycles per step; default: a tenth of the 8-bit model's."),
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(
            "--latency", help="Target by time: 50us per step, at --megahertz; in place of --cycles."
        ),
    ] = None,
    megahertz: Annotated[
        float, typer.Option("--megahertz", help="Clock that --latency is meant at.")
    ] = 100.0,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            help="What no candidate may exceed: 'cycles=500', 'latency=50us', 'bits=1e5', 'luts=20000', "
            "'block_rams=40', 'multipliers=28'; or 'score=95', the least of a final point; repeat.",
        ),
    ] = None,
    volume: Annotated[
        float | None,
        typer.Option("--volume", help="Target: stored bits; default: a tenth of the 8-bit model's."),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known", help="Folder of a study whose final front is tried first; of the same space."
        ),
    ] = None,
    spread: Annotated[
        float,
        typer.Option(
            "--spread",
            help="Octaves around both targets that trials of 'worth' aim at, to cover the whole front.",
        ),
    ] = SearchSettings.spread,
    patience: Annotated[
        int, typer.Option("--patience", help="Stop after so many trials without improvement; 0: never.")
    ] = SearchSettings.patience,
    measure: Annotated[
        bool | None,
        typer.Option(
            "--measure/--predict",
            help="Simulate every candidate at RTL level, or only the final front; default: every one, unless the "
            "hardware is searched.",
        ),
    ] = None,
    points: Annotated[int, typer.Option("--points", min=1, help="Most points of the final front.")] = POINTS,
    uniform: Annotated[
        bool, typer.Option("--uniform", help="Also train and measure models with one rank and width for all.")
    ] = False,
    workers: Workers = None,
    dask: Annotated[
        str | None, typer.Option("--dask", help="Address of a Dask scheduler whose workers evaluate instead.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Optuna storage by URL; default: a journal in the folder.")
    ] = None,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Search ranks, widths and densities, scored by cycles measured on the RTL; goes on with a study that was left."""
    from gatewright import steps

    if latency is not None:
        cycles = cycles_of(latency, megahertz)
    settings = SearchSettings(
        method=method,
        trials=trials,
        rounds=rounds,
        seed=seed,
        tune_epochs=tune_epochs,
        measure=measure,
        target_score=score,
        target_cycles=cycles,
        target_bits=volume,
        spread=spread,
        patience=patience,
        limits=limits_of(limit or [], megahertz),
        known=StudyFolder.open(known).candidates() if known else (),
    )
    choices = (read_choices(space) if space else {}) | read_choices(choose or [])
    scope = Scope(
        granularity,
        choices,
        lanes=lanes,
        activation_bits=activation_bits,
        device=device,
        storage=storage,
    )
    with TerminalProgress() as progress:
        found, report = steps.search(
            run,
            settings,
            scope,
            given(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs),
            study=study,
            points=points,
            uniform=uniform,
            processes=workers or processors(),
            dask=dask,
            command=command_line(),
            overwrite=overwrite,
            progress=progress,
        )
    console.print(f"stopped: {found.outcome.reason}", highlight=False)
    if found.recommendation is not None:
        console.print(found.recommendation.text, highlight=False)
    console.print(f"wrote {report}", highlight=False)
    if found.interrupted:
        raise typer.Exit(130)
