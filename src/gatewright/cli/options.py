"""Options that several commands share, and how they are read."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gatewright.sw.spec import Columns

TASKS = "as suits the task"

Run = Annotated[Path, typer.Option("--run", help="Run folder that the steps share.", show_default=True)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what this step made before.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Seed of the split, the training and all else random.")
]
TaskName = Annotated[
    str,
    typer.Option("--task", help="'digits', or the path of sequences (.npz) or of a text (.txt)."),
]
Hidden = Annotated[int | None, typer.Option("--hidden", help=f"Hidden size of the LSTM; default: {TASKS}.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help=f"Epochs of float training; default: {TASKS}.")]
LearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", help=f"Peak learning rate of float training; default: {TASKS}."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes that work side by side; default: one per processor."),
]
PruneEpochs = Annotated[
    int | None,
    typer.Option("--prune-epochs", help=f"Epochs of pruning and fine-tuning in float; default: {TASKS}."),
]
QuantiseEpochs = Annotated[
    int | None, typer.Option("--quantise-epochs", help=f"Epochs of training in integers; default: {TASKS}.")
]
Densities = Annotated[
    list[float], typer.Option("--density", help="Share of weights to keep, above 0 to 1; repeat for several.")
]
Bits = Annotated[int, typer.Option("--bits", help="Width of all weights: 2, 4 or 8.")]
Rank = Annotated[
    int | None,
    typer.Option(
        "--rank", help="Rank of the factors of W_ih and W_hh, where that saves weights; default: whole."
    ),
]
ColumnCounts = Annotated[
    Columns,
    typer.Option("--columns", help="Weights of each column: equal, or more where they contribute more."),
]
ActivationBits = Annotated[
    int, typer.Option("--activation-bits", help="Width of inputs and hidden values: 8 or 16.")
]
Lanes = Annotated[int, typer.Option("--lanes", help="Lanes of the accelerator: a power of two, 4 to 1024.")]
CellLanes = Annotated[int, typer.Option("--cell-lanes", help="LSTM units finished per cycle.")]
ModeName = Annotated[
    Literal["dense", "sparse"], typer.Option("--mode", help="How the model's matrices are stored.")
]
Recordings = Annotated[
    int,
    typer.Option(
        "--recordings", min=1, help="Test sequences to simulate at RTL level, if there are as many."
    ),
]

RUN = Path("runs/run")
DENSITIES = [1.0, 0.25, 0.125, 0.0625]
POINTS = 5
DEMO_TRIALS = 32
PATTERN_DENSITIES = [0.25, 0.125, 0.0625]


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that the user gave; those left out are None."""
    return {name: value for name, value in options.items() if value is not None}


def shape_of(
    lanes: int, bits: int, rank: int | None, columns: Columns, activation_bits: int
) -> dict[str, Any]:
    return {
        "lanes": lanes,
        "bits": bits,
        "rank": rank,
        "columns": columns,
        "activation_bits": activation_bits,
    }
