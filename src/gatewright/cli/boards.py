"""Commands for boards: bitstream, run."""

from typing import Annotated, Literal

import typer

from gatewright.cli.answer import Answer
from gatewright.cli.app import ExitCode, command
from gatewright.cli.options import BuildFolder
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
    "gatewright run fpga --port /dev/ttyUSB0 --input digits --recordings 300 --json",
)
def run_(
    folder: BuildFolder,
    port: Annotated[str, typer.Option("--port", help="Serial port of the board.", show_default=False)],
    input: Annotated[
        str, typer.Option("--input", help="Sequences, as `verify --data` takes them.", show_default=False)
    ],
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
        typer.Option("--baud", min=1200, help="Of the serial line; default: 1000000.", show_default=False),
    ] = None,
) -> Answer:
    """Run sequences on a board through its serial port, and hold every result against the golden model."""
    from gatewright.flow.drive import drive_board

    settings = DriveSettings(model=model, split=split, recordings=recordings, baud=baud)
    found = drive_board(folder, port, input, settings)
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
    return Answer(
        lines=tuple(lines),
        warnings=(driven.report,) if driven.report else (),
        values={
            "compared": driven.compared,
            "mismatches": driven.mismatches,
            "repeats": found.repeats,
            "labels": list(found.labels),
            "cycles": driven.cycles,
            "outputs": [each.tolist() for each in found.outputs],
        },
        exit_code=ExitCode.MISMATCH if driven.mismatches else ExitCode.OK,
    )
