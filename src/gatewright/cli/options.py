"""Options that several commands share: one word, one meaning."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gatewright.errors import ConfigError
from gatewright.hw.fpga.devices import DEVICES
from gatewright.sw.mode import Policy
from gatewright.sw.spec import Columns

TASKS = "as suits the data"

if TYPE_CHECKING:
    DeviceName = str
else:
    DeviceName = Literal[tuple(DEVICES)]

FloatFile = Annotated[
    Path, typer.Argument(help="Float model (.pt), as `import` and `train` make it.", show_default=False)
]
DataSource = Annotated[
    str,
    typer.Option(
        "--data",
        help="'digits', 'fashion-mnist', an .npz, a folder, a text, or 'module:name'; docs/data.md says what they "
        "hold.",
    ),
]
MetricName = Annotated[
    str,
    typer.Option(
        "--metric",
        help="accuracy, f1, bits, mse, r2, snr, agreement, or 'module:name'; default: as suits the data.",
        show_default=False,
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where the result goes.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Seed of the split, the training and all else random.")
]
Hidden = Annotated[
    int | None, typer.Option("--hidden", help=f"Hidden size; default: {TASKS}.", show_default=False)
]
Layers = Annotated[
    int | None, typer.Option("--layers", min=1, help="LSTM layers; default: 1.", show_default=False)
]
Projection = Annotated[
    int | None,
    typer.Option(
        "--projection", min=1, help="Size of the recurrent projection; default: none.", show_default=False
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", help=f"Epochs of float training; default: {TASKS}.", show_default=False),
]
LearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", help=f"Peak learning rate; default: {TASKS}.", show_default=False),
]
WeightDecay = Annotated[
    float | None,
    typer.Option("--weight-decay", help=f"Of AdamW; default: {TASKS}.", show_default=False),
]
Dropout = Annotated[
    float | None,
    typer.Option(
        "--dropout",
        help=f"Share of the last hidden vector dropped in training; default: {TASKS}.",
        show_default=False,
    ),
]
Clip = Annotated[
    float | None,
    typer.Option(
        "--clip", help=f"Largest norm of the gradients of an update; default: {TASKS}.", show_default=False
    ),
]
PruneRate = Annotated[
    float | None,
    typer.Option(
        "--prune-rate", help=f"Peak learning rate of training in float; default: {TASKS}.", show_default=False
    ),
]
QuantiseRate = Annotated[
    float | None,
    typer.Option(
        "--quantise-rate",
        help=f"Peak learning rate of training in integers; default: {TASKS}.",
        show_default=False,
    ),
]
PruneShare = Annotated[
    float | None,
    typer.Option(
        "--prune-share",
        help="Share of the updates of pruning in which the density falls; default: 0.5.",
        show_default=False,
    ),
]
PrunePower = Annotated[
    float | None,
    typer.Option(
        "--prune-power",
        help="Power by which the density falls, 1 for a line; default: 3.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Processes that work side by side; default: one per processor.",
        show_default=False,
    ),
]
Dask = Annotated[
    str | None,
    typer.Option("--dask", help="Address of a Dask scheduler whose workers do the work.", show_default=False),
]
PruneEpochs = Annotated[
    int | None,
    typer.Option(
        "--prune-epochs",
        help=f"Epochs of pruning and fine-tuning in float; default: {TASKS}.",
        show_default=False,
    ),
]
QuantiseEpochs = Annotated[
    int | None,
    typer.Option(
        "--quantise-epochs",
        help=f"Epochs of training in integers, 0 only calibrates; default: {TASKS}.",
        show_default=False,
    ),
]
Density = Annotated[float, typer.Option("--density", help="Share of weights to keep, above 0 to 1.")]
Bits = Annotated[int, typer.Option("--bits", help="Width of all weights: 2, 4 or 8.")]
Rank = Annotated[
    int | None,
    typer.Option(
        "--rank",
        min=1,
        help="Rank of the factors of W_ih and W_hh, where that saves weights; default: whole.",
        show_default=False,
    ),
]
ColumnCounts = Annotated[
    Columns,
    typer.Option("--columns", help="Weights of each column: equal, or more where they contribute more."),
]
ActivationBits = Annotated[
    int, typer.Option("--activation-bits", help="Width of inputs and hidden values: 8 or 16.")
]
Lanes = Annotated[
    int | None,
    typer.Option(
        "--lanes",
        help="Lanes of the accelerator, a power of two; default: those a model was made for, or the fewest from 32 up "
        "that hold it.",
        show_default=False,
    ),
]
CellLanes = Annotated[
    int | None,
    typer.Option(
        "--cell-lanes", help="LSTM units finished per cycle; default: as suits them.", show_default=False
    ),
]
StorageMode = Annotated[
    list[str],
    typer.Option(
        "--storage",
        help="How matrices are stored: 'auto' (each by its own sparsity), 'dense' or 'sparse'; repeat for more images.",
    ),
]
ModePolicyName = Annotated[
    Policy,
    typer.Option(
        "--policy",
        help="Which shares of zeros must reach their thresholds for zero activations to be skipped.",
    ),
]
WeightThreshold = Annotated[
    float | None,
    typer.Option(
        "--weight-threshold",
        min=0,
        max=1,
        help="Zeros among a matrix's weights from which it is stored sparse; default: what costs less.",
        show_default=False,
    ),
]
InputThreshold = Annotated[
    float | None,
    typer.Option(
        "--input-threshold",
        min=0,
        max=1,
        help="Zeros among activations from which they are skipped; default: what costs no cycle.",
        show_default=False,
    ),
]
OnDevice = Annotated[
    DeviceName | None,
    typer.Option("--device", help="FPGA that the accelerator must fit.", show_default=False),
]
Clock = Annotated[float, typer.Option("--clock", help="Clock frequency in MHz.")]
Accelerator = Annotated[
    Path | None,
    typer.Option(
        "--accelerator",
        help="Configuration of the accelerator (JSON); default: the smallest.",
        show_default=False,
    ),
]
BuildFolder = Annotated[Path, typer.Argument(help="Folder that `build` made.", show_default=False)]


def check_output(output: Path, overwrite: bool) -> None:
    """Refuse an output that exists, and one whose folder does not, before any work is done.

    Raises
    ------
    ConfigError
        The text says what to type.
    """
    if output.is_dir() or output.is_symlink():
        raise ConfigError(f"{output} is a folder or a link; --output needs the name of a file")
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists; --overwrite replaces it")
    if not output.parent.is_dir():
        raise ConfigError(f"{output.parent} is no folder; make it first")
