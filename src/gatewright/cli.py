"""The command line: each command is one step, reading and writing plain files of a run folder."""

import functools
import shlex
import sys
from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gatewright import __version__
from gatewright.console import TerminalProgress, console, show_rows, show_summary
from gatewright.errors import GatewrightError
from gatewright.hw.config import AcceleratorConfig
from gatewright.reports.markdown import markdown
from gatewright.results import read_rows
from gatewright.run import RunFolder
from gatewright.sw.mode import POLICY, ModePolicy, Policy
from gatewright.sw.settings import CompressSettings, Degree, Scheme, SimplifySettings
from gatewright.sw.spec import Columns, CompressionSpec, ProductSpec

app = typer.Typer(
    help="A trained LSTM becomes a small FPGA accelerator, proven bit for bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

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
PATTERN_DENSITIES = [0.25, 0.125, 0.0625]


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register a command that prints errors meant for people as such, with exit status 2."""

    @functools.wraps(function)
    def guarded(*args: Any, **options: Any) -> None:
        try:
            function(*args, **options)
        except GatewrightError as error:
            console.print(f"[bold red]{type(error).__name__}:[/] ", end="")
            console.print(str(error), markup=False, highlight=False)
            raise typer.Exit(2) from None

    return app.command(function.__name__.rstrip("_"))(guarded)


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
            _given(hidden=hidden, epochs=epochs, learning_rate=learning_rate),
            command=_command_line(),
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
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Factorise the trained LSTM, prune it to each density, and quantise it in integer-exact training."""
    from gatewright import steps

    with TerminalProgress() as progress:
        given = _given(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs)
        shape = _shape(lanes, bits, rank, columns, activation_bits)
        rows = steps.compress(run, density, shape, seed, given, overwrite=overwrite, progress=progress)
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
        given = _given(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs)
        rows = steps.patterns(run, density, lanes, seed, given, overwrite=overwrite, progress=progress)
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
def import_(
    file: Annotated[Path, typer.Argument(help="ONNX graph (.onnx) or PyTorch state dict (.pt, .pth, ...).")],
    output: Annotated[Path, typer.Option("--output", help="Where the float model goes.")] = Path("model.pt"),
    lstm: Annotated[
        str | None, typer.Option("--lstm", help="Which LSTM, if there are several: node name, or key prefix.")
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="The linear layer that follows: node name, or key prefix.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Take over a model that was trained elsewhere, and compare it with its source."""
    from gatewright import model_steps

    imported = model_steps.import_model(file, output, lstm=lstm, head=head, overwrite=overwrite)
    for note in imported.notes:
        console.print(note, highlight=False)
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
            _shape(lanes, bits, rank, columns, activation_bits),
            CompressSettings(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs, seed=seed),
            overwrite=overwrite,
            progress=progress,
        )
    show_rows(rows)
    console.print(f"wrote {output}", highlight=False)


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
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Prove PyTorch = golden model = RTL on the test split, and measure cycles on the RTL."""
    from gatewright import steps

    with TerminalProgress() as progress:
        rows = steps.cosim(
            run,
            recordings=recordings,
            policy=ModePolicy(weight_threshold, input_threshold, policy),
            stalls=stalls,
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    show_rows(rows)
    if any(row.name == "mismatches" and row.value for row in rows):
        raise typer.Exit(1)


@command
def report(run: Run = RUN) -> None:
    """Write the run's report: one HTML file, figures, and all rows as JSON and CSV."""
    from gatewright import steps

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
    overwrite: Overwrite = False,
) -> None:
    """Do everything on spoken digits: train, compress, compile, emit, simulate, prove, report."""
    from gatewright import steps

    with TerminalProgress() as progress:
        summary, path = steps.demo(
            run,
            task,
            seed,
            _given(hidden=hidden, epochs=epochs, learning_rate=learning_rate),
            _given(prune_epochs=prune_epochs, quantise_epochs=quantise_epochs),
            density,
            _shape(lanes, bits, rank, columns, activation_bits),
            cell_lanes=cell_lanes,
            recordings=recordings,
            command=_command_line(),
            overwrite=overwrite,
            progress=progress,
        )
    show_summary(summary)
    console.print(f"wrote {path}", highlight=False)
    if summary["mismatches"]:
        raise typer.Exit(1)


@command
def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="hw, hw-large, hw-wide, cycles, place, sim, golden, train, qat, compress, patterns or import."
        ),
    ],
    json: Annotated[Path | None, typer.Option("--json", help="Also write the rows to this file.")] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Random cases of `cycles`.")] = 500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the cases of `cycles`.")] = 0,
) -> None:
    """Measure a part and print rows: name, value, unit, parameters, seed."""
    from gatewright import steps

    with TerminalProgress() as progress:
        rows = steps.bench(name, path=json, cases=n, seed=seed, progress=progress)
    show_rows(rows)


@command
def table(
    files: Annotated[list[Path], typer.Argument(help="Files of rows, as steps and benchmarks write them.")],
) -> None:
    """Print rows as a Markdown table."""
    rows = [row for path in files for row in read_rows(path)]
    typer.echo(markdown(rows), nl=False)


def _given(**options: Any) -> dict[str, Any]:
    """Keep the options that the user gave; those left out are None."""
    return {name: value for name, value in options.items() if value is not None}


def _shape(lanes: int, bits: int, rank: int | None, columns: Columns, activation_bits: int) -> dict[str, Any]:
    return {
        "lanes": lanes,
        "bits": bits,
        "rank": rank,
        "columns": columns,
        "activation_bits": activation_bits,
    }


def _command_line() -> str:
    return shlex.join(["gatewright", *sys.argv[1:]])


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gatewright {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the whole command."""


def main() -> None:
    """Run the command line."""
    app()
