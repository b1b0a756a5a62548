"""Commands for one model: take it over, quantise it, estimate it."""

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.app import command
from gatewright.cli.options import (
    ActivationBits,
    Bits,
    ColumnCounts,
    Lanes,
    ModeName,
    Overwrite,
    Rank,
    Seed,
    shape_of,
)
from gatewright.console import TerminalProgress, console, show_rows
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec, ProductSpec


@command
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="ONNX graph (.onnx), PyTorch state dict (.pt, .safetensors, ...) or Keras (.keras, .h5)."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="Where the float model goes.")] = Path("model.pt"),
    lstm: Annotated[
        str | None,
        typer.Option(
            "--lstm",
            help="Which LSTM, by name; NAME:forward or NAME:reverse for one direction; A,B for a row.",
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="The linear layer that follows: node name, or key prefix.")
    ] = None,
    double: Annotated[bool, typer.Option("--double", help="Round float64 weights to float32.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Take over a model that was trained elsewhere, and compare it with its source."""
    from gatewright import model_steps

    imported = model_steps.import_model(
        file, output, lstm=lstm, head=head, double=double, overwrite=overwrite
    )
    for line in (
        *(f"taken: {name}" for name in imported.taken),
        *(f"left out: {name}" for name in imported.left_out),
        *imported.notes,
        *imported.advice,
    ):
        console.print(line, highlight=False, markup=False)
    console.print(f"largest difference from the source: {imported.difference:.3g}", highlight=False)
    console.print(f"wrote {output}", highlight=False)


@command
def quantise(
    model: Annotated[Path, typer.Argument(help="Float model, as `import` makes it.")],
    samples: Annotated[
        Path, typer.Option("--samples", help="An .npz of sequences (X, lengths) as they occur in use.")
    ],
    output: Annotated[Path, typer.Option("--output", help="Where the integer model goes.")] = Path(
        "model.npz"
    ),
    density: Annotated[
        float, typer.Option("--density", help="Share of weights to keep, above 0 to 1.")
    ] = 1.0,
    lanes: Lanes = CompressionSpec.lanes,
    bits: Bits = ProductSpec.bits,
    rank: Rank = None,
    columns: ColumnCounts = CompressionSpec.columns,
    activation_bits: ActivationBits = CompressionSpec.activation_bits,
    prune_epochs: Annotated[
        int, typer.Option("--prune-epochs", help="Epochs of pruning and fine-tuning in float.")
    ] = CompressSettings.prune_epochs,
    quantise_epochs: Annotated[
        int, typer.Option("--quantise-epochs", help="Epochs of training in integers; 0 only calibrates.")
    ] = 0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Compress a model without its training data: formats from samples, and the float model as the teacher."""
    from gatewright import model_steps

    with TerminalProgress() as progress:
        rows = model_steps.quantise(
            model,
            samples,
            output,
            density,
            shape_of(lanes, bits, rank, columns, activation_bits),
            CompressSettings(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs, seed=seed),
            overwrite=overwrite,
            progress=progress,
        )
    show_rows(rows)
    console.print(f"wrote {output}", highlight=False)


@command
def estimate(
    bundle: Annotated[Path, typer.Argument(help="Integer model (.npz), as `compress` makes it.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Accelerator configuration (JSON); default: the smallest that fits."),
    ] = None,
    mode: ModeName = "dense",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of the sequence.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict the cycles of every op and of the whole sequence, and the resources, as high-level synthesis does."""
    from gatewright import steps as run_steps

    found = run_steps.estimate(bundle, config, mode=mode, steps=steps)
    typer.echo(dumps(found.to_json(), indent=1) if json else found.text())
