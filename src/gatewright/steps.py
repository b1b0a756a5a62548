"""The steps of the command line as functions: each reads and writes files of a run folder."""

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from gatewright.benchmarks.patterns import compare_patterns
from gatewright.cosim import toolchain
from gatewright.cosim.search import start
from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.start import Found, Scope
from gatewright.cosim_steps import cosim
from gatewright.errors import ToolError
from gatewright.executors import run_all
from gatewright.hw.compiler import Compiled, Mode, compile_bundle, smallest_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.estimate import Estimate
from gatewright.hw.estimate import estimate as estimate_model
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.flows import write_flows
from gatewright.hw.fpga.place import place_accelerator
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import AXI_TOP, TOP, emit, emit_axi
from gatewright.model_steps import modes, task_of
from gatewright.progress import Progress
from gatewright.reports.candidates import FOUND
from gatewright.reports.report import write_report
from gatewright.reports.study import read_study
from gatewright.reports.study_report import write_study_report
from gatewright.results import Row, read_rows, write_rows
from gatewright.run import RunFolder
from gatewright.storage import write_json
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import CompressSettings, uniform_spec
from gatewright.sw.compress import compress as compress_model
from gatewright.sw.metrics import UNITS
from gatewright.sw.mode import POLICY
from gatewright.sw.models import FloatModel
from gatewright.sw.spec import CompressionSpec, ProductSpec
from gatewright.sw.tasks import DataSettings, baseline, load_task
from gatewright.sw.training import train_float

MEGAHERTZ = 100.0
"""Clock frequency that constraints ask for unless told otherwise."""

DEMO_POINTS = 3
"""Most points of the final front of the demo's search."""

HEADLINE_DENSITY = 0.125
"""Density whose cycles stand in the summary, where the run has it; else the sparsest."""


def train(
    root: Path,
    task: str,
    seed: int,
    given: dict[str, Any],
    *,
    command: str,
    overwrite: bool,
    progress: Progress,
) -> list[Row]:
    """Train the float model; makes the run folder with it and notes the command for the report.

    `given` has the fields of `TrainSettings` that are not to be the task's own.
    """
    data = load_task(task, seed=seed)
    settings = replace(data.training, seed=seed, **given)
    run = RunFolder.create(root, {"task": task, "seed": seed, "command": command}, overwrite=overwrite)
    model = train_float(data, settings, progress)
    unit = UNITS[data.metric]
    rows = [
        Row(f"baseline_{data.metric}", unit, baseline(data), {"split": "test"}, seed),
        *(
            Row(f"float_{data.metric}", unit, model.score(split, data.metric), {"split": name}, seed)
            for name, split in (("validation", data.validation), ("test", data.test))
        ),
        *(
            Row("training_progress", unit, value, {"epoch": epoch}, seed)
            for epoch, value in enumerate(model.history, 1)
        ),
    ]
    model.save(run.float_model)
    write_rows(run.rows("train"), rows)
    return rows


def compress(
    root: Path,
    densities: Sequence[float],
    shape: dict[str, Any],
    seed: int,
    given: dict[str, Any],
    *,
    processes: int,
    overwrite: bool,
    progress: Progress,
) -> list[Row]:
    """Make one bundle for each density, side by side in as many processes.

    `shape` has the other arguments of `uniform_spec`, `given` the fields of `CompressSettings` that are not to be the
    task's own.
    """
    run = RunFolder.open(root)
    run.need("train")
    task = task_of(run)
    settings = replace(task.compression, seed=seed, **given)
    model = FloatModel.load(run.float_model)
    specs = {
        density: uniform_spec(model.network, density, **shape)
        for density in sorted(set(densities), reverse=True)
    }
    run.start("compress", overwrite=overwrite)
    work = [(task, model, spec, settings) for spec in specs.values()]
    bundles = run_all(compress_model, work, processes, "compress", progress)
    rows = []
    for density, bundle in zip(specs, bundles, strict=True):
        bundle.save(run.bundle(density))
        at = {"density": density}
        rows += [
            Row(
                f"quantised_{task.metric}",
                UNITS[task.metric],
                bundle.notes[f"{name}_{task.metric}"],
                {**at, "split": name},
                seed,
            )
            for name in ("validation", "test")
        ]
        rows += [
            Row("weight_density", "share", stage.matrix.density, {**at, "matrix": name}, seed)
            for name, stage in bundle.matrices.items()
        ]
    write_rows(run.rows("compress"), rows)
    return rows


def patterns(
    root: Path,
    densities: Sequence[float],
    lanes: int,
    seed: int,
    given: dict[str, Any],
    *,
    overwrite: bool,
    progress: Progress,
) -> list[Row]:
    """Compare balanced patterns with unstructured pruning on the run's task; `given` is as for `compress`."""
    run = RunFolder.open(root)
    run.need("train")
    task = task_of(run)
    settings = replace(task.compression, seed=seed, **given)
    model = FloatModel.load(run.float_model)
    chosen = sorted(set(densities), reverse=True)
    for density in chosen:
        uniform_spec(model.network, density, lanes=lanes)
    run.start("patterns", overwrite=overwrite)
    rows = compare_patterns(task, model, settings, chosen, lanes, progress)
    write_rows(run.rows("patterns"), rows)
    return rows


def compile(root: Path, *, config: Path | None, cell_lanes: int, overwrite: bool) -> list[Row]:
    """Compile every bundle for one configuration: the given one, or the smallest that holds them all."""
    run = RunFolder.open(root)
    run.need("compress")
    bundles = {density: Bundle.load(run.bundle(density)) for density in run.densities}
    lanes = next(iter(bundles.values())).notes["spec"]["lanes"]
    chosen = (
        AcceleratorConfig.load(config)
        if config
        else smallest_config(
            [(bundle, mode) for density, bundle in bundles.items() for mode in modes(density)],
            lanes=lanes,
            cell_lanes=cell_lanes,
        )
    )
    made = {
        run.compiled(density, mode, results): compile_bundle(
            bundle, chosen, mode=mode, hidden_results="all" if results == "hidden" else "none"
        )
        for density, bundle in bundles.items()
        for mode, results in product(modes(density), ("logits", "hidden"))
    }
    run.start("compile", overwrite=overwrite)
    write_json(run.config, chosen.to_json())
    for path, compiled in made.items():
        compiled.save(path)
    rows = [
        Row("stored_bits", "bits", bits, {"density": density, "mode": mode, "memory": memory})
        for density in bundles
        for mode in modes(density)
        for memory, bits in made[run.compiled(density, mode, "logits")].image.stored_bits(chosen).items()
    ]
    write_rows(run.rows("compile"), rows)
    return rows


def verilog(root: Path, *, bake: float | None, mode: Mode, megahertz: float, overwrite: bool) -> list[str]:
    """Write the run's accelerator as Verilog, linted, with a folder for each FPGA flow; gives the flows' names.

    Parameters
    ----------
    root : Path
    bake : float, optional
        Density of the model that the memories begin with, stored in `mode`; else they are loaded at run time.
    mode : "dense" or "sparse"
    megahertz : float
        Clock frequency that the constraints ask for.
    overwrite : bool
    """
    run = RunFolder.open(root)
    run.need("compile")
    config = AcceleratorConfig.load(run.config)
    compiled = None if bake is None else Compiled.load(run.compiled(bake, mode, "logits"))
    run.start("verilog", overwrite=overwrite)
    for text, top in ((emit(config), TOP), (emit_axi(config), AXI_TOP)):
        warnings = toolchain.lint(text, top)
        if warnings:
            raise ToolError(f"Verilator's lint complains of {top}:\n" + "\n".join(warnings))
    return write_flows(run.flows, config, compiled, megahertz=megahertz)


def synth(
    root: Path, *, place_on: str | None, seeds: Sequence[int], overwrite: bool, progress: Progress
) -> list[Row]:
    """Synthesise the run's accelerator for ECP5; with the name of a device, also place and route it for each seed."""
    run = RunFolder.open(root)
    run.need("compile")
    config = AcceleratorConfig.load(run.config)
    target = device(place_on) if place_on else None
    run.start("synth", overwrite=overwrite)
    rows = synthesise(emit(config), progress).rows()
    if target:
        placements = place_accelerator(config, target, seeds, progress)
        rows += [row for placement in placements for row in placement.rows()]
    write_rows(run.rows("synth"), rows)
    return rows


def estimate(path: Path, config: Path | None, *, mode: Mode, steps: int) -> Estimate:
    """Predict cycles and resources of one bundle on a configuration, or on the smallest that holds it."""
    bundle = Bundle.load(path)
    chosen = AcceleratorConfig.load(config) if config else smallest_config([(bundle, mode)])
    compiled = compile_bundle(bundle, chosen, mode=mode, hidden_results="none" if bundle.head else "last")
    return estimate_model(compiled, steps)


def report(root: Path, *, seconds: float | None = None) -> tuple[dict, Path]:
    """Write ``summary.json`` and the report; gives the summary and the report's path.

    Parameters
    ----------
    root : Path
        The run folder; what has not been run is missing in the report, with the command that runs it.
    seconds : float, optional
        What all steps together took.
    """
    run = RunFolder.open(root)
    run.need("train")
    run.start("report", overwrite=True)
    summary = _summarise(run, seconds)
    write_json(run.summary, summary)
    return summary, write_report(run.root)


def search(
    root: Path,
    settings: SearchSettings,
    scope: Scope,
    given: dict[str, Any],
    *,
    study: Path | None,
    points: int,
    uniform: bool,
    processes: int,
    dask: str | None,
    command: str,
    overwrite: bool,
    progress: Progress,
) -> tuple[Found, Path]:
    """Search the compression of the run's model, or go on with a study; gives what came of it and the report's path.

    `given` has the fields of `CompressSettings` that are not to be the task's own.
    """
    run = RunFolder.open(root)
    run.need("train")
    where = study or run.search
    if overwrite and (where / "settings.json").is_file():
        StudyFolder(where).remove()
    found = start.search(
        where,
        FloatModel.load(run.float_model),
        DataSettings(run.settings["task"], seed=run.settings["seed"]),
        settings,
        scope,
        replace(task_of(run).compression, seed=settings.seed, **given),
        points=points,
        uniform=uniform,
        processes=processes,
        dask=dask,
        command=command,
        progress=progress,
    )
    return found, write_study_report(where)


def demo(
    root: Path,
    task: str,
    seed: int,
    training: dict[str, Any],
    compression: dict[str, Any],
    densities: Sequence[float],
    shape: dict[str, Any],
    *,
    cell_lanes: int,
    recordings: int,
    trials: int,
    processes: int,
    command: str,
    overwrite: bool,
    progress: Progress,
) -> tuple[dict, Path]:
    """Do every step; gives the summary and the report's path.

    `training` is what `train` is given, `compression` and `shape` what `compress` is; without `trials` nothing is
    searched.
    """
    # What would stop a later step should not first cost the time of the earlier ones.
    AcceleratorConfig(lanes=shape["lanes"], cell_lanes=cell_lanes)
    CompressionSpec({}, shape["activation_bits"], shape["lanes"], shape["columns"])
    for density in densities:
        ProductSpec(shape["rank"], shape["bits"], density)
    CompressSettings(**compression)
    toolchain.compiler()
    begin = time.perf_counter()
    train(root, task, seed, training, command=command, overwrite=overwrite, progress=progress)
    compress(
        root,
        densities,
        shape,
        seed,
        compression,
        processes=processes,
        overwrite=False,
        progress=progress,
    )
    compile(root, config=None, cell_lanes=cell_lanes, overwrite=False)
    verilog(root, bake=None, mode="dense", megahertz=MEGAHERTZ, overwrite=False)
    synth(root, place_on=None, seeds=(), overwrite=False, progress=progress)
    cosim(
        root,
        recordings=recordings,
        policy=POLICY,
        stalls=False,
        seed=0,
        processes=processes,
        overwrite=False,
        progress=progress,
    )
    if trials:
        search(
            root,
            SearchSettings(trials=trials, rounds=min(trials, SearchSettings.rounds), seed=seed),
            Scope(lanes=shape["lanes"], activation_bits=shape["activation_bits"]),
            compression,
            study=None,
            points=DEMO_POINTS,
            uniform=False,
            processes=processes,
            dask=None,
            command=command,
            overwrite=False,
            progress=progress,
        )
    return report(root, seconds=round(time.perf_counter() - begin, 1))


def _summarise(run: RunFolder, seconds: float | None) -> dict:
    """Gather the headline figures from the rows of the steps that have been run; others are left out."""
    task = task_of(run)
    rows = [
        row
        for step in ("train", "compress", "cosim")
        if run.rows(step).exists()
        for row in read_rows(run.rows(step))
    ]

    def values(name: str, key: str | None = None, **parameters) -> dict:
        found = [r for r in rows if r.name == name and parameters.items() <= r.parameters.items()]
        return {r.parameters[key] if key else index: r.value for index, r in enumerate(found)}

    def value(name: str, **parameters):
        return next(iter(values(name, **parameters).values()), None)

    compared = run.rows("cosim").exists()
    densities = run.densities
    headline = HEADLINE_DENSITY if HEADLINE_DENSITY in densities else min(densities, default=None)
    metric = task.metric
    scores = values(f"quantised_{metric}", "density", split="test")
    summary = {
        "task": task.name,
        "seed": run.settings["seed"],
        "config": AcceleratorConfig.load(run.config).to_json() if run.config.exists() else None,
        f"baseline_{metric}": value(f"baseline_{metric}"),
        f"float_{metric}": value(f"float_{metric}", split="test"),
        f"quantised_{metric}": {f"{density:g}": score for density, score in scores.items()},
        "integers_compared": sum(values("integers_compared").values()) if compared else None,
        "mismatches": sum(values("mismatches").values()) if compared else None,
        "density": headline,
        "cycles_per_step": values("cycles_per_step", "mode", density=headline),
        "search": _searched(run),
        "simulated_cycles_per_second": value("simulated_cycles_per_second"),
        "command": run.settings["command"],
        "seconds": seconds,
        "caveat": task.caveat,
    }
    return {name: entry for name, entry in summary.items() if entry is not None and entry != {}}


def _searched(run: RunFolder) -> dict:
    """Tell how much smaller and faster the best point is that a search found, if it has ended."""
    if not (run.search / "front.json").exists():
        return {}
    study = read_study(run.search)
    best, reference = study.best, study.reference
    if best is None or reference is None:
        return {"points": len(study.of_kind(FOUND))}
    return {
        "points": len(study.of_kind(FOUND)),
        "times_smaller": reference.stored_bits / best.stored_bits,
        "times_faster": reference.measured / best.measured,
    }
