"""The proof of a build: PyTorch = golden model = RTL on a user's own sequences, for the files that were delivered."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from gatewright.cosim import engines
from gatewright.cosim.delivered import verify_axi, verify_plain
from gatewright.cosim.golden import MAX_STEPS, Golden
from gatewright.cosim.ideal import ideal_cycles
from gatewright.cosim.measurement import Measurement, Verification
from gatewright.cosim.traffic import expected_cycles
from gatewright.custody import Claim, Delivery, Proof, sha256
from gatewright.errors import DataError, MismatchError
from gatewright.executors import run_all
from gatewright.flow.design import Design, DesignModel
from gatewright.flow.host_files import check_host_files
from gatewright.flow.inputs import Data, as_task
from gatewright.flow.ports import prove_ports
from gatewright.flow.settings import VerifySettings, WorkerSettings
from gatewright.hw.boards.folder import read_board_folder
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.cycles.model import Prediction
from gatewright.hw.fpga.verilog import AXI_TOP, TOP
from gatewright.hw.interface import CYCLE_COUNTERS, EVENT_COUNTERS
from gatewright.hw.skipping import Skip
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, write_rows
from gatewright.run import RunFolder
from gatewright.storage import write_text
from gatewright.sw.bundle import Bundle
from gatewright.sw.integer import run_head, run_integer
from gatewright.sw.tasks import DataSettings, Split

PYTORCH, RTL, STORAGE, AXI, CYCLES = (
    "pytorch = golden",
    "golden = RTL",
    "dense = sparse",
    "golden = AXI",
    "predicted = measured cycles",
)
"""What a proof compares."""

PORT_JOBS = 4
"""Jobs that go through the AXI ports, and as many through registers alone."""


@dataclass(frozen=True)
class Verified:
    """What a proof found.

    Parameters
    ----------
    proof : Proof
    rows : list of Row
        Integers compared, and cycles measured.
    complaints : tuple of str
        Mismatches with their places; empty where every claim holds.
    """

    proof: Proof
    rows: list[Row]
    complaints: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.proof.claims)


class Jobs(NamedTuple):
    """Sequences as the accelerator runs them: pieces, some of which go on from the state of the one before."""

    inputs: list[np.ndarray]
    fresh: list[bool]

    @classmethod
    def of(cls, bundle: Bundle, split: Split, chosen: Sequence[int]) -> "Jobs":
        """Quantise some sequences of a split, and cut streams where they were joined, and what no job can hold."""
        inputs, fresh = [], []
        for k in chosen:
            x = bundle.quantise_input(split.sequences[k])
            ends = np.cumsum([len(x)] if split.pieces is None else split.pieces[k])
            begin = 0
            for end in ends.tolist():
                while begin < end:
                    step = min(end, begin + MAX_STEPS)
                    inputs.append(x[begin:step])
                    fresh.append(begin == 0)
                    begin = step
        return cls(inputs, fresh)

    def first(self, count: int) -> "Jobs":
        """Return the first jobs, and as many more as go on from the state of the last of them."""
        end = count
        while end < len(self.fresh) and not self.fresh[end]:
            end += 1
        return Jobs(self.inputs[:end], self.fresh[:end])


def verify(
    folder: str | Path,
    data: Data | None = None,
    settings: VerifySettings | None = None,
    *,
    workers: WorkerSettings | None = None,
    command: str = "",
    progress: Progress = silent,
) -> Verified:
    """Prove the build in a folder, and keep the proof there with the hash of every file that it holds for.

    PyTorch and golden model are compared on the whole split, golden model and RTL on some of its sequences. What is
    simulated is the Verilog in the folder. Programs that send every output of the last layer carry the proof; those
    that were delivered are compared too, and measured if the accelerator has counters.

    Parameters
    ----------
    folder : path
    data : optional
        As `as_task` takes it; those that the model was quantised on, unless given.
    settings : VerifySettings, optional
    workers : WorkerSettings, optional
        Models are proven side by side.
    command : str
        What repeats it.
    progress : Progress

    Raises
    ------
    MismatchError, RunFolderError
        As for `delivered`.
    DataError
        The data do not suit the models.
    ToolError
        A tool is missing or failed.
    """
    run, design = delivered(folder)
    found = _prove(
        run, design, data, settings or VerifySettings(), workers or WorkerSettings(), command, progress
    )
    write_rows(run.rows("verify"), found.rows)
    found.proof.save(run.root)
    run.mismatches.unlink(missing_ok=True)
    if found.complaints:
        write_text(run.mismatches, "\n".join(found.complaints) + "\n")
    return found


def delivered(folder: str | Path) -> tuple[RunFolder, Design]:
    """Open a build of which every file is the one that was delivered.

    Raises
    ------
    MismatchError
        A file is no longer the one that was delivered, or a file that a host loads does not hold what is simulated;
        the text names it.
    RunFolderError
        There is no build in the folder.
    """
    run = RunFolder.open(Path(folder))
    if changed := Delivery.load(run.root).changed(run.root):
        raise MismatchError(
            f"{run.root}: {', '.join(changed)} changed since the build; build again, and what you deliver is proven"
        )
    design = Design.open(run.root)
    check_host_files(run, design)
    return run, design


def verify_design(
    design: Design,
    data: Data | None = None,
    settings: VerifySettings | None = None,
    *,
    workers: WorkerSettings | None = None,
    progress: Progress = silent,
) -> Proof:
    """Prove a design that has no folder yet; takes and raises what `verify` does."""
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary) / "design"
        design.write(folder)
        return verify(folder, data, settings, workers=workers, progress=progress).proof


def measurements(
    design: Design, data: Data | None, settings: VerifySettings
) -> Iterator[tuple[DesignModel, Measurement]]:
    """Yield each model of a design with the jobs that a proof simulates; `data` and `settings` as for `verify`."""
    split: Split = getattr(as_task(_data_of(design) if data is None else data), settings.split)
    for model in design.models:
        jobs = Jobs.of(model.bundle, split, split.spread(settings.recordings))
        yield model, Measurement(model.compiled, jobs.inputs, _skip(model, settings), jobs.fresh)


def _prove(
    run: RunFolder,
    design: Design,
    data: Data | None,
    settings: VerifySettings,
    workers: WorkerSettings,
    command: str,
    progress: Progress,
) -> Verified:
    task = as_task(_data_of(design) if data is None else data)
    split: Split = getattr(task, settings.split)
    for engine in {settings.engine, *(("verilator",) if settings.axi else ())}:
        engines.check(engine)
    # Built here once, so that the processes find it.
    steps = sum(len(split.sequences[k]) for k in split.spread(settings.recordings))
    cycles = sum(
        expected_cycles(each, steps) for model in design.models for each in (model.proof, model.compiled)
    )
    verilog = (run.rtl / f"{TOP}.sv").read_text()
    engines.build(settings.engine, design.config, progress, verilog=verilog, cycles=cycles)
    names = list(dict.fromkeys(each.name for each in design.models))
    work = [(run.root, name, split, settings) for name in names]
    parts = run_all(_prove_model, work, workers.count, "co-simulation", progress)
    claims = [claim for part in parts for claim in part.claims]
    rows = [row for part in parts for row in part.rows]
    complaints = [text for part in parts for text in part.complaints]
    rate = sum(part.cycles for part in parts) / sum(part.seconds for part in parts)
    at = {"lanes": design.config.lanes, "stalls": settings.stalls}
    rows.append(Row("simulated_cycles_per_second", "cycles/s", rate, at))
    proven = {
        name
        for name, file in Delivery.load(run.root).files.items()
        if file.role in ("config", "model", "image") or name == f"rtl/{TOP}.sv"
    }
    if settings.axi:
        claim, complaint = _prove_ports(run, design, split, settings, progress)
        claims.append(claim)
        complaints += [complaint] if complaint else []
        proven.add(f"rtl/{AXI_TOP}.sv")
        model, jobs = design.model(), _port_jobs(design, split, settings)
        place = design.board_folder(run.root)
        ports = prove_ports(
            run.rtl,
            model,
            jobs.inputs,
            jobs.fresh,
            skip=_skip(model, settings),
            baked=design.baked is not None,
            line=read_board_folder(place)[0].line if place else None,
            progress=progress,
        )
        for top, claim, complaint in ports:
            claims.append(claim)
            complaints += [complaint] if complaint else []
            proven.add(f"rtl/{top}.sv")
    rows += [
        Row(name, "integers", value, {"pair": claim.pair, "model": claim.model, "mode": claim.mode})
        for claim in claims
        for name, value in (("integers_compared", claim.compared), ("mismatches", claim.mismatches))
    ]
    steps = sum(map(len, split.sequences))
    told = {"name": task.name, "split": settings.split, "sequences": len(split), "steps": steps}
    files = {name: sha256(run.root / name) for name in sorted(proven)}
    return Verified(Proof(files, tuple(claims), told, command), rows, tuple(complaints))


class _Part(NamedTuple):
    """What became of one model in all the ways that it is stored; cycles and seconds are those of the simulations."""

    claims: list[Claim]
    rows: list[Row]
    complaints: list[str]
    cycles: int
    seconds: float


def _prove_model(root: Path, name: str, split: Split, settings: VerifySettings, progress: Progress) -> _Part:
    design = Design.open(root)
    rtl = RunFolder(root).rtl
    part = _Part([], [], [], 0, 0.0)
    results: dict[str, np.ndarray] = {}
    cycles, seconds = 0, 0.0
    stored = [each for each in design.models if each.name == name]
    bundle = stored[0].bundle
    sequences = [bundle.quantise_input(raw) for raw in split.sequences]
    outputs, _ = run_integer(bundle, sequences)
    jobs = Jobs.of(bundle, split, split.spread(settings.recordings))
    for model in stored:
        told = within(progress, f"{name} {model.storage}")
        skip = _skip(model, settings)
        at = {"model": name, "mode": model.storage}
        proof = model.proof
        compared = [_compare(model, each, sequences, outputs, told) for each in (proof, model.compiled)]
        both, differing = (sum(each) for each in zip(*compared, strict=True))
        part.claims.append(Claim(PYTORCH, name, model.storage, both, differing))
        # A baked accelerator has one image, that of the delivery.
        runs = [
            verify_plain(
                rtl,
                each,
                jobs.inputs,
                baked=design.baked is not None,
                skip=skip,
                fresh=jobs.fresh,
                stalls=settings.stalls,
                seed=settings.seed,
                progress=told,
                engine=settings.engine,
            )
            for each in ((proof, model.compiled) if design.baked is None else (model.compiled,))
        ]
        counts = sum(each.integers_compared for each in runs), sum(each.mismatches for each in runs)
        part.claims.append(Claim(RTL, name, model.storage, *counts, settings.engine))
        part.complaints.extend(each.report for each in runs if each.mismatches)
        measurement = Measurement(model.compiled, jobs.inputs, skip, jobs.fresh)
        if design.config.counters and not settings.stalls:
            predicted = measurement.predict()
            counts = _count_cycles(predicted, runs[-1])
            part.claims.append(Claim(CYCLES, name, model.storage, *counts, settings.engine))
            per_step = sum(each.cycles for each in predicted) / sum(runs[-1].steps)
            part.rows.append(Row("cycles_predicted_per_step", "cycles", per_step, at))
        if design.config.counters:
            part.rows.extend(_measured(at, measurement, runs[-1]))
        cycles += sum(each.simulated_cycles for each in runs)
        seconds += sum(each.wall_seconds for each in runs)
        results[model.storage] = np.concatenate(runs[0].results)
    if {"dense", "sparse"} <= set(results):
        dense, sparse = results["dense"], results["sparse"]
        equal = dense.size == sparse.size
        differing = int(np.count_nonzero(dense != sparse)) if equal else max(dense.size, sparse.size)
        part.claims.append(Claim(STORAGE, name, "", dense.size, differing, settings.engine))
    return part._replace(cycles=cycles, seconds=seconds)


def _skip(model: DesignModel, settings: VerifySettings) -> Skip:
    if settings.skip == "as-built":
        return model.compiled.modes.skip
    return Skip[settings.skip.upper()]


def _compare(
    model: DesignModel, compiled: Compiled, sequences: list, outputs: list, progress: Progress
) -> tuple[int, int]:
    """Run the golden model on every sequence: integers compared with PyTorch's, and how many differ."""
    golden, head = Golden(compiled), model.bundle.head
    compared = differing = 0
    for done, (x, hidden) in enumerate(zip(sequences, outputs, strict=True), 1):
        logits = np.zeros((len(x), 0)) if head is None else run_head(head, torch.from_numpy(hidden)).numpy()
        for begin in range(0, len(x), MAX_STEPS):
            end = min(len(x), begin + MAX_STEPS)
            found = compiled.split_results(golden.run(x[begin:end], begin == 0), end - begin)
            for ours, theirs in zip(found, (hidden, logits), strict=True):
                wanted = theirs[end - len(ours) : end]
                compared += ours.size
                differing += int(np.count_nonzero(ours != wanted))
        progress("PyTorch against golden model", done, len(sequences), "")
    return compared, differing


def _count_cycles(predicted: Sequence[Prediction], measured: Verification) -> tuple[int, int]:
    """Compare every counter of every job with the cycle model's: how many there are, and how many differ."""
    pairs = [
        (value, measured.counters[name][number])
        for number, prediction in enumerate(predicted)
        for name, value in prediction.counters.items()
    ]
    return len(pairs), sum(one != other for one, other in pairs)


def _measured(at: dict, measurement: Measurement, measured: Verification) -> Iterator[Row]:
    """Turn the hardware's counters into rows."""
    busy = 100 * sum(ideal_cycles(measurement)) / sum(measured.counters["cycles"])
    yield Row("cycles_per_step", "cycles", measured.cycles_per_step, at)
    yield Row("busy_on_nonzeros", "percent", busy, at)
    yield Row("recordings", "recordings", len(measured.steps), at)
    yield Row("skipping_recordings", "recordings", sum(skip != Skip.NEVER for skip in measurement.skips), at)
    yield Row("steps", "steps", sum(measured.steps), at)
    for unit, names in (("cycles", CYCLE_COUNTERS), ("count", EVENT_COUNTERS)):
        for name in names:
            yield Row("counter", unit, sum(measured.counters[name]), {"counter": name, **at})


def _port_jobs(design: Design, split: Split, settings: VerifySettings) -> Jobs:
    return Jobs.of(design.model().bundle, split, split.spread(settings.recordings)).first(PORT_JOBS)


def _prove_ports(
    run: RunFolder, design: Design, split: Split, settings: VerifySettings, progress: Progress
) -> tuple[Claim, str]:
    """Run the delivered AXI top; returns what is claimed, and the complaint."""
    model, jobs = design.model(), _port_jobs(design, split, settings)
    found = verify_axi(
        run.rtl,
        model.compiled,
        jobs.inputs,
        baked=design.baked is not None,
        skip=_skip(model, settings),
        fresh=jobs.fresh,
        stalls=settings.stalls,
        seed=settings.seed,
        progress=within(progress, AXI),
    )
    claim = Claim(AXI, model.name, model.storage, found.integers_compared, found.mismatches, "verilator")
    return claim, found.report if found.mismatches else ""


def _data_of(design: Design) -> Data:
    """Return the data that a design's models were quantised on."""
    for each in design.models:
        if isinstance(source := each.bundle.notes.get("data"), dict) and source.get("source"):
            return DataSettings.from_json(source)
    raise DataError("the models do not say which data they were made on: give --data FILE")
