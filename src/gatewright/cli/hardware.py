"""Commands that take models to hardware, and prove it: build, verify, estimate, synth, prove."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gatewright.cli.answer import Answer
from gatewright.cli.app import ExitCode, command
from gatewright.cli.options import (
    Accelerator,
    BuildFolder,
    CellLanes,
    Clock,
    DeviceName,
    InputThreshold,
    Lanes,
    MetricName,
    ModePolicyName,
    OnDevice,
    Overwrite,
    Seed,
    StorageMode,
    WeightThreshold,
    Workers,
)
from gatewright.custody import Engine
from gatewright.errors import shell_word
from gatewright.flow.settings import (
    MEGAHERTZ,
    BuildSettings,
    Skipping,
    VerifySettings,
    WorkerSettings,
    storages_of,
)
from gatewright.progress import Progress
from gatewright.sw.mode import POLICY, ModePolicy

Models = Annotated[
    list[Path],
    typer.Argument(
        help="Integer models (.npz) for one accelerator, or the folder of a study.", show_default=False
    ),
]
Point = Annotated[
    str | None,
    typer.Option(
        "--point", help="Point of the study, by name; default: the recommended one.", show_default=False
    ),
]
ResultsWhen = Annotated[
    Literal["last", "every-step", "all"] | None,
    typer.Option(
        "--results",
        help="When results are sent: with the last step, or with all ('every-step' is the same); "
        "default: as the model was made.",
        show_default=False,
    ),
]


def _every_step(results: str | None) -> bool | None:
    return None if results is None else results != "last"


@command(
    "gatewright build model.npz -o fpga",
    "gatewright build study --point best --device ecp5-25k -o fpga",
    "gatewright build model.npz --bake model -o fpga",
    "gatewright build model.npz --board ulx3s-85f --clock 80 -o fpga",
)
def build(
    models: Models,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that is made.")] = Path("fpga"),
    point: Point = None,
    lanes: Lanes = None,
    cell_lanes: CellLanes = None,
    device: OnDevice = None,
    accelerator: Accelerator = None,
    storage: StorageMode = ["auto"],  # noqa: B006
    policy: ModePolicyName = POLICY.policy,
    weight_threshold: WeightThreshold = None,
    input_threshold: InputThreshold = None,
    results: ResultsWhen = None,
    bake: Annotated[
        str | None,
        typer.Option(
            "--bake",
            help="Model that is baked in, by name: hardware for this one model, with nothing to load; default: none.",
            show_default=False,
        ),
    ] = None,
    mapped: Annotated[
        bool, typer.Option("--mapped", help="Also the top behind AXI4-Lite alone, for hosts without streams.")
    ] = False,
    board: Annotated[
        str | None,
        typer.Option(
            "--board",
            help="Also what `bitstream` needs for this board, by name or its own file (.toml), with the most lanes "
            "that fit it unless --lanes, --accelerator or --device settles them; default: none.",
            show_default=False,
        ),
    ] = None,
    clock: Clock = MEGAHERTZ,
    overwrite: Overwrite = False,
    *,
    progress: Progress,
    command: str,
) -> Answer:
    """Build an accelerator: images, Verilog, FPGA folders. The smallest, a given one, or the fastest on a device."""
    from gatewright.flow.build import build as run
    from gatewright.hw.compiler.choose import HardwareChoice
    from gatewright.hw.config import AcceleratorConfig

    given = None if accelerator is None else AcceleratorConfig.load(accelerator)
    choice = HardwareChoice(config=given, device=device, lanes=lanes, cell_lanes=cell_lanes)
    modes = ModePolicy(policy, weight_threshold, input_threshold)
    settings = BuildSettings(storages_of(storage), _every_step(results), clock, bake, modes, mapped, board)
    design = run(
        models, output, choice, settings, point=point, command=command, overwrite=overwrite, progress=progress
    )
    return Answer(
        list(design.rows()),
        lines=(design.chosen,) if design.chosen else (),
        wrote=output,
        following=(
            f"gatewright verify {shell_word(output)} --data DATA",
            *((f"gatewright bitstream {shell_word(output)}",) if board else ()),
            f"gatewright estimate {shell_word(output)}",
            f"gatewright report {shell_word(output)}",
        ),
        values={"accelerator": design.config.to_json(), "models": [each.name for each in design.models]},
    )


@command(
    "gatewright verify fpga --data mine.npz",
    "gatewright verify fpga --data mine.npz --recordings 100 --stalls",
    "gatewright verify fpga --data mine.npz --recordings 3 --vectors vectors",
    "gatewright verify fpga --data mine.npz --waves waves --waves-job 2",
)
def verify(
    folder: BuildFolder,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Sequences, as for `quantise`; default: those the model was made on.",
            show_default=False,
        ),
    ] = None,
    metric: MetricName = "",
    recordings: Annotated[
        int,
        typer.Option("--recordings", min=1, help="Sequences to simulate at RTL level, if there are as many."),
    ] = VerifySettings.recordings,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option("--split", help="Where they come from.")
    ] = VerifySettings.split,
    skip: Annotated[
        Skipping, typer.Option("--skip", help="Whether zero activations are skipped, in all sequences alike.")
    ] = VerifySettings.skip,
    stalls: Annotated[
        bool, typer.Option("--stalls", help="Add random gaps and stalls on the streams.")
    ] = False,
    axi: Annotated[
        bool,
        typer.Option("--axi/--no-axi", help="Also simulate the top with AXI ports; else it stays unproven."),
    ] = True,
    engine: Annotated[
        Engine,
        typer.Option("--engine", help="What simulates the plain top; the AXI top is always Verilator's."),
    ] = VerifySettings.engine,
    vectors: Annotated[
        Path | None,
        typer.Option(
            "--vectors",
            help="Folder for the same sequences as hexadecimal files, with a bench for Icarus Verilog or Verilator.",
            show_default=False,
        ),
    ] = None,
    waves: Annotated[
        Path | None,
        typer.Option(
            "--waves",
            help="Folder for the waves of one job of the first model (VCD), with layouts for GTKWave and Surfer.",
            show_default=False,
        ),
    ] = None,
    waves_job: Annotated[
        int, typer.Option("--waves-job", min=0, help="Which job: the sequences to simulate count from 0.")
    ] = 0,
    workers: Workers = None,
    seed: Seed = 0,
    *,
    progress: Progress,
    command: str,
) -> Answer:
    """Prove PyTorch = golden model = RTL on sequences, for the very files in the folder, and measure cycles."""
    from gatewright.flow.inputs import as_task
    from gatewright.flow.vectors import check_vectors, write_vectors
    from gatewright.flow.verify import verify as run
    from gatewright.flow.waves import check_waves, write_waves

    if vectors is not None:
        check_vectors(vectors)
    settings = VerifySettings(recordings, split, skip, stalls, axi, seed, engine)
    task = None if data is None else as_task(data, metric=metric, seed=seed)
    if waves is not None:
        check_waves(folder, waves_job, task, settings)
    found = run(folder, task, settings, workers=WorkerSettings(workers), command=command, progress=progress)
    proof = found.proof
    more: list[str] = []
    if vectors is not None:
        write_vectors(folder, vectors, task, settings)
        more.append(f"vectors: {vectors}")
    if waves is not None:
        said = write_waves(folder, waves, waves_job, task, settings, progress=progress)
        more.append(f"waves of job {waves_job}: {waves} ({said})")
    verdict = proof.verdict(folder)
    unproven = proof.unproven(folder)
    line = f"{verdict}: {proof.compared:,} integers compared, {proof.mismatches:,} mismatches"
    return Answer(
        found.rows,
        shown=("integers_compared", "mismatches", "cycles_per_step", "busy_on_nonzeros"),
        lines=(line, *more),
        warnings=(*found.complaints, *(f"unproven: {each}" for each in unproven)),
        following=(
            f"gatewright report {shell_word(folder)}",
            *((f"cd {shell_word(waves)} && gtkwave waves.gtkw",) if waves is not None else ()),
        ),
        values={
            "verdict": verdict,
            "integers_compared": proof.compared,
            "mismatches": proof.mismatches,
            "files": dict(proof.files),
            "unproven": list(unproven),
        },
        exit_code=ExitCode.OK if found.holds else ExitCode.MISMATCH,
    )


@command(
    "gatewright estimate model.npz --steps 100",
    "gatewright estimate fpga --results every-step --json",
    "gatewright estimate fpga --device ecp5-45k --clock 150",
)
def estimate(
    model: Annotated[
        Path, typer.Argument(help="Integer model (.npz), or folder that `build` made.", show_default=False)
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Which model of the folder; default: the first.", show_default=False),
    ] = None,
    lanes: Lanes = None,
    cell_lanes: CellLanes = None,
    device: OnDevice = None,
    accelerator: Accelerator = None,
    storage: StorageMode = ["auto"],  # noqa: B006
    policy: ModePolicyName = POLICY.policy,
    weight_threshold: WeightThreshold = None,
    input_threshold: InputThreshold = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of the sequence.")] = 50,
    results: ResultsWhen = None,
    clock: Annotated[
        float | None,
        typer.Option(
            "--clock",
            help="Clock frequency in MHz to ask for; default: what `synth --place` met, else what the build asked for.",
            show_default=False,
        ),
    ] = None,
) -> Answer:
    """Predict time, cycles of every op, work of every layer, and utilisation, as high-level synthesis does."""
    from gatewright.flow.estimate import estimate as run
    from gatewright.hw.compiler.choose import HardwareChoice
    from gatewright.hw.config import AcceleratorConfig

    given = None if accelerator is None else AcceleratorConfig.load(accelerator)
    choice = HardwareChoice(config=given, device=device, lanes=lanes, cell_lanes=cell_lanes)
    modes = ModePolicy(policy, weight_threshold, input_threshold)
    settings = BuildSettings(storages_of(storage), _every_step(results), policy=modes)
    found = run(model, choice, settings, name=name, steps=steps, megahertz=clock)
    return Answer(text=found.text(), values=found.to_json())


@command("gatewright synth fpga", "gatewright synth fpga --place ecp5-85k --seeds 3")
def synth(
    folder: BuildFolder,
    place: Annotated[
        DeviceName | None,
        typer.Option("--place", help="Also place and route on this device.", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Seeds to place with.")] = 3,
    *,
    progress: Progress,
) -> Answer:
    """Synthesise for ECP5 with Yosys, and place with nextpnr: cells, block RAM, MHz, µs per step (all estimates)."""
    from gatewright.flow.synth import placed_lines
    from gatewright.flow.synth import synth as run

    rows = run(folder, place_on=place, seeds=range(1, seeds + 1), progress=progress)
    lines = placed_lines(folder) if place else ()
    return Answer(rows, lines=tuple(lines), following=(f"gatewright report {shell_word(folder)}",))


@command(
    "gatewright prove",
    "gatewright prove --only axi-lite --only sigma",
    "gatewright prove --rows proofs.json",
)
def prove(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Proof, by name; repeat for several.", show_default=False),
    ] = None,
    rows: Annotated[
        Path | None, typer.Option("--rows", help="Also write the rows to this file.", show_default=False)
    ] = None,
    *,
    progress: Progress,
) -> Answer:
    """Prove what is said of the RTL, for all inputs or all of some cycles, and refute each with one broken line."""
    from gatewright.flow.prove import prove as run
    from gatewright.results import write_rows

    findings = run(only or (), progress=progress)
    failed = [each for each in findings if not each.proved]
    lines = [line for each in findings for line in (each.text, f"    {each.proof.says}")]
    verdict = f"{len(findings) - len(failed)} of {len(findings)} proved, each refuted with its broken line"
    found = [row for each in findings for row in each.rows()]
    if rows is not None:
        write_rows(rows, found)
    return Answer(
        found,
        shown=("proof_seconds",),
        lines=(*lines, verdict),
        warnings=tuple(f"{each.proof.name}: {each.trouble}" for each in failed),
        values={"proofs": [each.to_json() for each in findings]},
        exit_code=ExitCode.MISMATCH if failed else ExitCode.OK,
    )
