"""The command that adjusts hyper-parameters."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewright.cli.answer import Answer
from gatewright.cli.app import command
from gatewright.cli.options import (
    ActivationBits,
    Bits,
    ColumnCounts,
    Dask,
    DataSource,
    Density,
    Epochs,
    Hidden,
    Lanes,
    Layers,
    MetricName,
    Overwrite,
    Projection,
    PruneEpochs,
    QuantiseEpochs,
    Rank,
    Seed,
    Workers,
)
from gatewright.errors import ConfigError, shell_word
from gatewright.flow.settings import CompressChoice, Shape, TrainChoice, WorkerSettings
from gatewright.progress import Progress
from gatewright.sw.search.settings import TuneMethod, TuneSettings


@command(
    "gatewright tune --data mine.npz -o tuned",
    "gatewright tune --data mine.npz --choose learning-rate=1e-3:1e-2 --choose dropout=0,0.2,0.4 -o tuned",
    "gatewright tune model.pt --data mine.npz --density 0.25 --bits 4 --trials 40 -o tuned",
)
def tune(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="Float model (.pt) whose quantising is tuned; left out, the training of a float model is.",
            show_default=False,
        ),
    ] = None,
    data: DataSource = "digits",
    metric: MetricName = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the tuning.")] = Path("tuned"),
    choose: Annotated[
        list[str] | None,
        typer.Option(
            "--choose",
            help="What to tune, in place of what is by default: a range, 'learning-rate=1e-3:1e-2', or values, "
            "'dropout=0,0.2,0.4'; repeat.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        TuneMethod,
        typer.Option(
            "--method",
            help="How values are sampled: a bandit for each hyper-parameter, or a linear one for all.",
        ),
    ] = TuneSettings.method,
    trials: Annotated[int, typer.Option("--trials", help="Trainings in all.")] = TuneSettings.trials,
    samples: Annotated[
        int, typer.Option("--samples", help="Values that are drawn from each range.")
    ] = TuneSettings.samples,
    hidden: Hidden = None,
    layers: Layers = None,
    projection: Projection = None,
    epochs: Epochs = None,
    density: Density = Shape.density,
    bits: Bits = Shape.bits,
    rank: Rank = None,
    columns: ColumnCounts = Shape.columns,
    activation_bits: ActivationBits = Shape.activation_bits,
    lanes: Lanes = None,
    prune_epochs: PruneEpochs = None,
    quantise_epochs: QuantiseEpochs = None,
    workers: Workers = None,
    dask: Dask = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    *,
    progress: Progress,
) -> Answer:
    """Adjust how a float model is trained, or quantised, by the worth of values; goes on where it was left."""
    from gatewright.flow.tune import read_candidates
    from gatewright.flow.tune import tune as run

    shape = Shape(density, bits, rank, columns, activation_bits, lanes)
    training = TrainChoice(hidden, layers, projection, epochs, seed=seed)
    quantising = CompressChoice(prune_epochs, quantise_epochs, seed=seed)
    if model is None and (shape, quantising) != (Shape(), CompressChoice(seed=seed)):
        raise ConfigError(
            "options of quantising need a MODEL: without one, the training of a float model is tuned"
        )
    if model is not None and training != TrainChoice(seed=seed):
        raise ConfigError("options of float training need no MODEL: with one, its quantising is tuned")
    choice: TrainChoice | CompressChoice = training if model is None else quantising
    found = run(
        data,
        output,
        model,
        shape=shape,
        choice=choice,
        candidates=read_candidates(choose, type(choice)) if choose else None,
        settings=TuneSettings(method, trials, samples, seed),
        metric=metric,
        workers=WorkerSettings(workers, dask),
        overwrite=overwrite,
        progress=progress,
    )
    tuned = found.tuned

    def told(what: str, tried: Any) -> str:
        score = "diverged" if tried.score is None else f"{tried.score:.4g} {tuned.metric.unit}"
        values = ", ".join(f"{name.replace('_', '-')} {value:.4g}" for name, value in tried.values.items())
        return f"{what}: {score} with {values}"

    target = "model.pt" if found.command == "train" else "model.npz"
    return Answer(
        found.rows,
        shown=("worth", "tuned_score"),
        lines=(told("best trial", tuned.best), told("separate optima together", tuned.separate)),
        wrote=output,
        following=(f"gatewright {found.command} --config {shell_word(found.config)} -o {target}",),
        values={"values": tuned.chosen.values, "score": tuned.chosen.score, "config": str(found.config)},
    )
