"""Commands for boards: bitstream, run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gatewright.cli.answer import Answer
from gatewright.cli.app import ExitCode, command
from gatewright.cli.options import BuildFolder
from gatewright.errors import ConfigError
from gatewright.flow.settings import DriveSettings
from gatewright.progress import Progress

SHOWN = 20
"""Sequences that people see; programs see all."""


@command("gatewright bitstream fpga", "gatewright bitstream fpga --seed 2")
def bitstream(
    folder: BuildFolder,
    seed: Annotated[int, typer.Option("--seed", min=1, help="Seed of the placer.")] = 1,
    *,
    progress: Progress,
) -> Answer:
    """Make the bitstream of a build for a board, in minutes; an error if its clock is missed."""
    from gatewright.flow.bitstream import bitstream as run

    path, made = run(folder, seed=seed, progress=progress)
    placed = made.placement
    line = (
        f"{path}: {made.megahertz:g} MHz, met with {placed.megahertz:.1f} MHz, {len(made.contents):,} bytes"
    )
    return Answer(
        placed.rows(),
        shown=(
            "placed_frequency",
            "placed_luts",
            "placed_flip_flops",
            "placed_block_ram",
            "placed_multipliers",
        ),
        lines=(line,),
        values={"bitstream": str(path), "megahertz": made.megahertz, "met": placed.megahertz},
    )


@command(
    "gatewright run fpga --port /dev/ttyUSB0 --input mine.npz",
    "gatewright run fpga --port /dev/spidev0.0 --input mine.npz",
    "gatewright run fpga --simulate --input mine.npz --recordings 3 --damage 0.01",
)
def run_(
    folder: BuildFolder,
    input: Annotated[
        str, typer.Option("--input", help="Sequences, as `verify --data` takes them.", show_default=False)
    ],
    port: Annotated[
        str | None, typer.Option("--port", help="Serial port or SPI device of the board.", show_default=False)
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Run on the board's text in Verilator instead.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Which model of the folder; default: the first.", show_default=False),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option("--split", help="Where sequences come from.")
    ] = DriveSettings.split,
    recordings: Annotated[
        int, typer.Option("--recordings", min=1, help="Sequences to run, if there are as many.")
    ] = DriveSettings.recordings,
    baud: Annotated[
        int | None,
        typer.Option(
            "--baud",
            min=1200,
            help="Of a serial line; default: that of the build's board.",
            show_default=False,
        ),
    ] = None,
    damage: Annotated[
        float,
        typer.Option(
            "--damage",
            help="Share of bytes that a simulated line changes; a fifth as many are lost, or with SPI lack an edge.",
        ),
    ] = DriveSettings.damage,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of that damage.")] = DriveSettings.seed,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", help="Also write counts as rows to this file.", show_default=False),
    ] = None,
    *,
    progress: Progress,
) -> Answer:
    """Run sequences on a board through its line, and hold every result against the golden model."""
    from gatewright.flow.drive import drive_board
    from gatewright.results import write_rows

    if (port is None) != simulate:
        raise ConfigError("give either the --port of a board or --simulate")
    settings = DriveSettings(model, split, recordings, baud, damage, seed)
    found = drive_board(folder, port, input, settings, progress=progress)
    if rows is not None:
        write_rows(rows, found.rows(settings))
    driven = found.driven
    lines = []
    for number, outputs in enumerate(found.outputs[:SHOWN]):
        last = outputs[-1].tolist()
        told = found.labels[outputs[-1].argmax()] if len(found.labels) == len(last) > 1 else ""
        values = " ".join(f"{value:g}" for value in last)
        lines.append(f"{number:>4}  {told or '-':12}  {values}")
    if more := len(found.outputs) - SHOWN:
        lines += [f"and {more} more; --json has all"] if more > 0 else []
    equal = driven.compared - driven.mismatches
    lines.append(
        f"{len(found.outputs)} sequences, {equal:,} of {driven.compared:,} results equal to the golden model, "
        f"{found.repeats:,} requests sent again"
    )
    if seen := found.line:
        lines.append(
            f"{seen.cycles:,} cycles simulated; of {seen.bytes:,} bytes on the line {seen.changed:,} were changed and "
            f"{seen.lost:,} lost"
        )
    return Answer(
        lines=tuple(lines),
        warnings=(driven.report,) if driven.report else (),
        values={
            "compared": driven.compared,
            "mismatches": driven.mismatches,
            "repeats": found.repeats,
            "labels": list(found.labels),
            "cycles": driven.cycles,
            "line": None if seen is None else seen._asdict(),
            "outputs": [each.tolist() for each in found.outputs],
        },
        exit_code=ExitCode.MISMATCH if driven.mismatches else ExitCode.OK,
    )
