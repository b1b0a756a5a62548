"""Commands that make models: train, import, quantise, simplify."""

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.answer import Answer
from gatewright.cli.app import command
from gatewright.cli.options import (
    ActivationBits,
    Bits,
    Clip,
    ColumnCounts,
    DataSource,
    Density,
    Dropout,
    Epochs,
    FloatFile,
    Hidden,
    Lanes,
    Layers,
    LearningRate,
    MetricName,
    Output,
    Overwrite,
    Projection,
    PruneEpochs,
    PrunePower,
    PruneRate,
    PruneShare,
    QuantiseEpochs,
    QuantiseRate,
    Rank,
    Seed,
    WeightDecay,
    check_output,
)
from gatewright.errors import shell_word
from gatewright.flow.settings import CompressChoice, Shape, TrainChoice
from gatewright.progress import Progress
from gatewright.sw.settings import Degree, Scheme, SimplifySettings


@command(
    "gatewright train --data digits -o digits.pt",
    "gatewright train --data mine.npz --layers 2 --projection 32 -o mine.pt",
)
def train(
    data: DataSource = "digits",
    metric: MetricName = "",
    output: Output = Path("model.pt"),
    hidden: Hidden = None,
    layers: Layers = None,
    projection: Projection = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    weight_decay: WeightDecay = None,
    dropout: Dropout = None,
    clip: Clip = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    *,
    progress: Progress,
) -> Answer:
    """Train a float LSTM on data with targets."""
    from gatewright.flow.inputs import as_task
    from gatewright.flow.train import train as run

    check_output(output, overwrite)
    choice = TrainChoice(hidden, layers, projection, epochs, learning_rate, seed, weight_decay, dropout, clip)
    trained = run(as_task(data, metric=metric, seed=seed), choice, name=output.stem, progress=progress)
    trained.model.save(output)
    integer = shell_word(output.with_suffix(".npz"))
    following = f"gatewright quantise {shell_word(output)} --data {shell_word(data)} -o {integer}"
    return Answer(trained.rows, shown=("baseline_score", "float_score"), wrote=output, following=(following,))


@command(
    "gatewright import theirs.pt --head classifier -o model.pt",
    "gatewright import theirs.onnx --lstm lstm1:forward -o model.pt",
    "gatewright import theirs.keras -o model.pt",
)
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="PyTorch (.pt, .pth, .bin, .ckpt, .safetensors), ONNX (.onnx) or Keras (.keras, .h5).",
            show_default=False,
        ),
    ],
    output: Output = Path("model.pt"),
    lstm: Annotated[
        str | None,
        typer.Option(
            "--lstm",
            help="Which LSTM, if there are several: its name, NAME:forward or NAME:reverse for one direction, or "
            "several in a row with commas.",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option("--head", help="The linear layer that follows, by its name.", show_default=False),
    ] = None,
    double: Annotated[
        bool, typer.Option("--double", help="Round weights of 64 bits to the 32 bits of the float model.")
    ] = False,
    overwrite: Overwrite = False,
) -> Answer:
    """Take over a model that was trained elsewhere: says what was taken, and what was not, and compares the two."""
    from gatewright.sw.importers import import_model

    check_output(output, overwrite)
    imported = import_model(file, lstm=lstm, head=head, double=double)
    imported.model.save(output)
    lines = [*(f"took {each}" for each in imported.taken), *imported.notes]
    lines.append(f"largest difference from the source: {imported.difference:.3g}")
    return Answer(
        lines=tuple(lines),
        warnings=tuple(f"left out: {each}" for each in imported.left_out),
        wrote=output,
        following=(
            *imported.advice,
            f"gatewright quantise {shell_word(output)} --data DATA -o {shell_word(output.with_suffix('.npz'))}",
        ),
        values={
            "taken": list(imported.taken),
            "left_out": list(imported.left_out),
            "difference": imported.difference,
            "reversed_time": imported.reversed_time,
        },
    )


@command(
    "gatewright quantise model.pt --data mine.npz -o model.npz",
    "gatewright quantise model.pt --data mine.npz --bits 4 --density 0.25 --lanes 8 -o small.npz",
)
def quantise(
    model: FloatFile,
    data: DataSource,
    metric: MetricName = "",
    output: Output = Path("model.npz"),
    density: Density = Shape.density,
    bits: Bits = Shape.bits,
    rank: Rank = None,
    columns: ColumnCounts = Shape.columns,
    activation_bits: ActivationBits = Shape.activation_bits,
    lanes: Lanes = None,
    scale: Annotated[
        bool,
        typer.Option(
            "--scale/--raw", help="Bring features of different size to one scale, folded into the model."
        ),
    ] = True,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    prune_rate: PruneRate = None,
    quantise_rate: QuantiseRate = None,
    prune_share: PruneShare = None,
    prune_power: PrunePower = None,
    weight_decay: WeightDecay = None,
    dropout: Dropout = None,
    clip: Clip = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    *,
    progress: Progress,
) -> Answer:
    """Make an integer model: factorised, pruned, quantised. Data without targets do: the float model then teaches."""
    from gatewright.flow.inputs import as_model, as_task
    from gatewright.flow.quantise import quantise as run

    check_output(output, overwrite)
    shape = Shape(density, bits, rank, columns, activation_bits, lanes)
    choice = CompressChoice(
        prune_epochs,
        quantise_epochs,
        scale,
        seed,
        prune_rate,
        quantise_rate,
        prune_share,
        prune_power,
        weight_decay,
        dropout,
        clip,
    )
    found = run(
        as_model(model),
        as_task(data, metric=metric, seed=seed),
        shape,
        choice,
        name=output.stem,
        progress=progress,
    )
    found.bundle.save(output)
    return Answer(
        found.rows,
        warnings=found.warnings,
        wrote=output,
        following=(f"gatewright build {shell_word(output)} -o fpga",),
    )


@command(
    "gatewright simplify digits.pt --data digits --score 97.5 --volume 48000 -o small.npz",
    "gatewright simplify digits.pt --data digits --score 97.5 --volume 48000 --float small.pt -o small.npz",
)
def simplify(
    model: FloatFile,
    data: DataSource,
    score: Annotated[
        float, typer.Option("--score", help="Validation score that is needed, in the metric of the data.")
    ],
    volume: Annotated[int, typer.Option("--volume", min=1, help="Most bits of the emitted image.")],
    metric: MetricName = "",
    output: Output = Path("model.npz"),
    float_output: Annotated[
        Path | None,
        typer.Option(
            "--float",
            help="Also write the simplified float model (.pt): `gatewright search` may start from it.",
            show_default=False,
        ),
    ] = None,
    degree: Annotated[
        Degree, typer.Option("--degree", help="Measure of contribution.")
    ] = SimplifySettings.degree,
    scheme: Annotated[Scheme, typer.Option("--scheme", help="How widths fall.")] = SimplifySettings.scheme,
    lanes: Lanes = None,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    prune_rate: PruneRate = None,
    quantise_rate: QuantiseRate = None,
    weight_decay: WeightDecay = None,
    dropout: Dropout = None,
    clip: Clip = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    *,
    progress: Progress,
) -> Answer:
    """Drop what contributes least until the volume is met or the score forbids it; narrow weights only if needed."""
    from gatewright.flow.inputs import as_model, as_task
    from gatewright.flow.simplify import simplify as run
    from gatewright.flow.size import usual_lanes
    from gatewright.sw.compress import Requirement

    check_output(output, overwrite)
    if float_output is not None:
        check_output(float_output, overwrite)
    dense = as_model(model)
    how = SimplifySettings(degree=degree, scheme=scheme, lanes=lanes or usual_lanes(dense.network))
    found = run(
        dense,
        as_task(data, metric=metric, seed=seed),
        Requirement(score, volume),
        how,
        CompressChoice(
            prune_epochs,
            quantise_epochs,
            seed=seed,
            prune_rate=prune_rate,
            quantise_rate=quantise_rate,
            weight_decay=weight_decay,
            dropout=dropout,
            clip=clip,
        ),
        name=output.stem,
        progress=progress,
    )
    found.bundle.save(output)
    following = [f"gatewright build {shell_word(output)} -o fpga"]
    if float_output is not None:
        found.model.save(float_output)
        following.append(f"gatewright search {shell_word(float_output)} --data {shell_word(data)} -o study")
    missed = () if found.outcome.met else (f"the requirement is not met: {found.outcome.reason}",)
    return Answer(
        found.rows,
        warnings=missed,
        wrote=output,
        following=tuple(following),
        values={"met": found.outcome.met},
    )
