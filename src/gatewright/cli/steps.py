"""The steps of a run: each reads and writes plain files of its folder."""

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.app import command, command_line
from gatewright.cli.options import (
    DEMO_TRIALS,
    DENSITIES,
    PATTERN_DENSITIES,
    RUN,
    ActivationBits,
    Bits,
    CellLanes,
    ColumnCounts,
    Densities,
    Epochs,
    Hidden,
    Lanes,
    LearningRate,
    ModeName,
    Overwrite,
    PruneEpochs,
    QuantiseEpochs,
    Rank,
    Recordings,
    Run,
    Seed,
    TaskName,
    Workers,
    given,
    shape_of,
)
from gatewright.console import TerminalProgress, console, show_rows, show_summary
from gatewright.executors import processors
from gatewright.hw.config import AcceleratorConfig
from gatewright.run import RunFolder
from gatewright.sw.mode import POLICY, ModePolicy, Policy
from gatewright.sw.settings import Degree, Scheme, SimplifySettings
from gatewright.sw.spec import CompressionSpec, ProductSpec


@command
def train(
    run: Run = RUN,
    task: TaskName = "digits",
    hidden: Hidden = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train a float LSTM on a task; makes the run folder."""
    from gatewright import steps

    with TerminalProgress() as progress:
        rows = steps.train(
            run,
            task,
            seed,
            given(hidden=hidden, epochs=epochs, learning_rate=learning_rate),
            command=command_line(),
            overwrite=overwrite,
            progress=progress,
        )
    show_rows(rows)


@command
def compress(
    run: Run = RUN,
    density: Densities = DENSITIES,
    lanes: Lanes = CompressionSpec.lanes,
    bits: Bits = ProductSpec.bits,
    rank: Rank = None,
    columns: ColumnCounts = CompressionSpec.columns,
    activation_bits: ActivationBits = CompressionSpec.activation_bits,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    workers: Workers = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Factorise the trained LSTM, prune it to each density, and quantise it in integer-exact training."""
    from gatewright import steps

    with TerminalProgress() as progress:
        chosen = given(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs)
        shape = shape_of(lanes, bits, rank, columns, activation_bits)
        rows = steps.compress(
            run,
            density,
            shape,
            seed,
            chosen,
            processes=workers or processors(),
            overwrite=overwrite,
            progress=progress,
        )
    show_rows(rows)


@command
def patterns(
    run: Run = RUN,
    density: Densities = PATTERN_DENSITIES,
    lanes: Lanes = CompressionSpec.lanes,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Compare balanced patterns with unstructured pruning at equal density; the report shows the curves."""
    from gatewright import steps

    with TerminalProgress() as progress:
        chosen = given(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs)
        rows = steps.patterns(run, density, lanes, seed, chosen, overwrite=overwrite, progress=progress)
    show_rows(rows)


@command
def simplify(
    run: Run = RUN,
    score: Annotated[
        float,
        typer.Option("--score", help="Validation accuracy that is needed, in percent; bits for a text."),
    ] = 97.5,
    volume: Annotated[int, typer.Option("--volume", help="Most bits of the emitted image.")] = 48_000,
    degree: Annotated[
        Degree, typer.Option("--degree", help="Measure of contribution.")
    ] = SimplifySettings.degree,
    scheme: Annotated[Scheme, typer.Option("--scheme", help="How widths fall.")] = SimplifySettings.scheme,
    lanes: Lanes = SimplifySettings.lanes,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Drop what contributes least while the score allows, then narrow weights until the volume is met."""
    from gatewright import model_steps

    with TerminalProgress() as progress:
        rows = model_steps.simplify(
            run,
            score,
            volume,
            seed,
            SimplifySettings(degree=degree, scheme=scheme, lanes=lanes),
            overwrite=overwrite,
            progress=progress,
        )
    show_rows(rows)


@command
def compile(
    run: Run = RUN,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Accelerator configuration (JSON); default: the smallest that fits."),
    ] = None,
    cell_lanes: CellLanes = AcceleratorConfig.cell_lanes,
    overwrite: Overwrite = False,
) -> None:
    """Compile every bundle of the run to an image and a program, in dense and sparse mode."""
    from gatewright import steps

    show_rows(steps.compile(run, config=config, cell_lanes=cell_lanes, overwrite=overwrite))


@command
def verilog(
    run: Run = RUN,
    bake: Annotated[
        float | None,
        typer.Option("--bake", help="Density of the model that the memories begin with; default: none."),
    ] = None,
    mode: ModeName = "sparse",
    megahertz: Annotated[
        float, typer.Option("--mhz", help="Clock frequency that the constraints ask for.")
    ] = 100.0,
    overwrite: Overwrite = False,
) -> None:
    """Write the accelerator as Verilog, linted, with scripts for every FPGA that it fits."""
    from gatewright import steps

    flows = steps.verilog(run, bake=bake, mode=mode, megahertz=megahertz, overwrite=overwrite)
    console.print(f"wrote {RunFolder(run).flows} for {', '.join(flows)}", highlight=False)


@command
def synth(
    run: Run = RUN,
    place: Annotated[
        str | None,
        typer.Option("--place", help="Also place and route on this ECP5: ecp5-25k, ecp5-45k or ecp5-85k."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Seeds to place with.")] = 3,
    overwrite: Overwrite = False,
) -> None:
    """Synthesise for ECP5 with Yosys, and place with nextpnr: cells, multipliers, block RAM, MHz (all estimates)."""
    from gatewright import steps

    with TerminalProgress() as progress:
        rows = steps.synth(
            run, place_on=place, seeds=range(1, seeds + 1), overwrite=overwrite, progress=progress
        )
    show_rows(rows)


@command
def cosim(
    run: Run = RUN,
    recordings: Recordings = 20,
    policy: Annotated[
        Policy, typer.Option("--policy", help="Which sparsities must reach their thresholds for sparse mode.")
    ] = POLICY.policy,
    weight_threshold: Annotated[
        float, typer.Option("--weight-threshold", help="Share of zeros among the weights, 0 to 1.")
    ] = POLICY.weight_threshold,
    input_threshold: Annotated[
        float, typer.Option("--input-threshold", help="Share of zeros in a sequence, 0 to 1.")
    ] = POLICY.input_threshold,
    stalls: Annotated[
        bool, typer.Option("--stalls", help="Add random gaps and stalls on the streams.")
    ] = False,
    workers: Workers = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Prove PyTorch = golden model = RTL on the test split, and measure cycles on the RTL."""
    from gatewright.cosim_steps import cosim as prove

    with TerminalProgress() as progress:
        rows = prove(
            run,
            recordings=recordings,
            policy=ModePolicy(weight_threshold, input_threshold, policy),
            stalls=stalls,
            seed=seed,
            processes=workers or processors(),
            overwrite=overwrite,
            progress=progress,
        )
    show_rows(rows)
    if any(row.name == "mismatches" and row.value for row in rows):
        raise typer.Exit(1)


@command
def report(
    run: Run = RUN,
    study: Annotated[
        Path | None, typer.Option("--study", help="Report this study instead, also a half-finished one.")
    ] = None,
) -> None:
    """Write the run's report, or a study's: one HTML file, figures, and all rows as JSON and CSV."""
    from gatewright import steps
    from gatewright.reports.study_report import write_study_report

    if study is not None:
        console.print(f"wrote {write_study_report(study)}", highlight=False)
        return
    summary, path = steps.report(run)
    show_summary(summary)
    console.print(f"wrote {path}", highlight=False)


@command
def demo(
    run: Run = Path("runs/demo"),
    task: TaskName = "digits",
    hidden: Hidden = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    seed: Seed = 0,
    density: Densities = DENSITIES,
    lanes: Lanes = CompressionSpec.lanes,
    bits: Bits = ProductSpec.bits,
    rank: Rank = None,
    columns: ColumnCounts = CompressionSpec.columns,
    activation_bits: ActivationBits = CompressionSpec.activation_bits,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    cell_lanes: CellLanes = AcceleratorConfig.cell_lanes,
    recordings: Recordings = 20,
    trials: Annotated[
        int, typer.Option("--trials", min=0, help="Candidates of the search; 0: no search.")
    ] = DEMO_TRIALS,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Do everything on spoken digits: train, compress, compile, emit, simulate, prove, search, report."""
    from gatewright import steps

    with TerminalProgress() as progress:
        summary, path = steps.demo(
            run,
            task,
            seed,
            given(hidden=hidden, epochs=epochs, learning_rate=learning_rate),
            given(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs),
            density,
            shape_of(lanes, bits, rank, columns, activation_bits),
            cell_lanes=cell_lanes,
            recordings=recordings,
            trials=trials,
            processes=workers or processors(),
            command=command_line(),
            overwrite=overwrite,
            progress=progress,
        )
    show_summary(summary)
    console.print(f"wrote {path}", highlight=False)
    if summary["mismatches"]:
        raise typer.Exit(1)
