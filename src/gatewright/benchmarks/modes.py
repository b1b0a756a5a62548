"""Whether zero activations are skipped: never, always, and as the hardware decides, on streams that change.

Source: CN113537465A (2021) chooses the mode by thresholds. Ours: the threshold is solved for each model and accelerator
(`hw/compiler/solve.py`), and the hardware counts the zeros of one step to decide for the next. All is measured on the
RTL; every result is compared with the golden model's, and all cycles with their prediction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gatewright.benchmarks.roads import silero_files
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.verify import measure
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import ToolError
from gatewright.flow.inputs import as_task
from gatewright.flow.quantise import quantise_all
from gatewright.flow.settings import CompressChoice, Shape, WorkerSettings
from gatewright.hw.compiler import Compiled, compile_bundle, smallest_config
from gatewright.hw.compiler.choose import usual_cell_lanes
from gatewright.hw.skipping import WHOLE, Skip
from gatewright.progress import Progress, silent, within
from gatewright.results import Row
from gatewright.sw.bundle import Bundle, LstmLayer, Matrix
from gatewright.sw.importers import import_model
from gatewright.sw.mode import POLICY
from gatewright.sw.tasks import load_task
from gatewright.sw.training import train_float

STEPS = 200
"""Of a job of the drawn layers."""

BLOCK = 2
"""Jobs in a row that are alike, where a stream changes."""

CHUNK, CHUNKS = 32, 48
"""Steps of a job of a stream of speech, and how many jobs."""

RECORDINGS = 16
"""Of digits; then as many that hold nothing, then both in turns."""

LAYERS = {
    "1 → 20, 4 lanes": {"inputs": 1, "hidden": 20, "lanes": 4},
    "16 → 16, 16 lanes": {"inputs": 16, "hidden": 16, "lanes": 16},
    "39 → 128, rank 8, 32 lanes": {"inputs": 39, "hidden": 128, "lanes": 32, "rank": 8},
    "39 → 128, 32 lanes": {"inputs": 39, "hidden": 128, "lanes": 32},
}
"""Layers that are drawn: too short to hide the scan, with chains of short products, and an ordinary one."""

_OPEN, _SHUT = 32, 8
"""Biases of gates: above all that the products of a drawn layer add up to; and just so low that σ is rounded to 0."""

_DIGITS, _SPEECH = Shape(density=0.25, lanes=32), Shape(density=0.5, lanes=16)


@dataclass(frozen=True)
class Stream:
    """Jobs of one model.

    Parameters
    ----------
    layer, name : str
        Of the model, and of what it is fed.
    compiled : Compiled
        For hardware that can decide.
    sequences : list of int array [steps, inputs]
    fresh : bool
        Each starts from a fresh state; else they are pieces of one sequence.
    """

    layer: str
    name: str
    compiled: Compiled
    sequences: list[np.ndarray]
    fresh: bool = True


def bench_modes(silero: Path | None, progress: Progress = silent, *, seed: int = 0) -> list[Row]:
    """Measure each stream in the three ways.

    Parameters
    ----------
    silero : path, optional
        As for `roads.bench_roads`.
    progress : Progress
    seed : int
        Of what is drawn and trained.

    Returns
    -------
    list of Row
        ``skip_cycles`` per step by ``layer``, ``stream`` and ``skip``; ``zero_activations`` of each stream, and the
        ``input_threshold`` of each layer.

    Raises
    ------
    ConfigError
        There is no Silero VAD.
    ToolError
        A tool is missing or failed, or results or cycles are not what they must be.
    """
    model, speech = silero_files(silero)
    streams = [
        *(stream for layer in LAYERS for stream in drawn(layer, seed)),
        *_digits(seed, within(progress, "digits")),
        *_speech(model, speech, within(progress, "Silero VAD")),
    ]
    return [row for layer in _layers(streams) for row in measured(layer, seed, progress)]


def measured(streams: Sequence[Stream], seed: int = 0, progress: Progress = silent) -> Iterator[Row]:
    """Measure the streams of one layer, in one simulation for all three ways."""
    ways = [(stream, skip) for stream in streams for skip in Skip]
    wanted = [Measurement(each.compiled, each.sequences, skip, each.fresh) for each, skip in ways]
    config, modes = streams[0].compiled.config, streams[0].compiled.modes
    found = measure(config, wanted, progress=within(progress, streams[0].layer))
    chosen = {"layer": streams[0].layer, "policy": modes.policy, "skip": modes.skip.name.lower()}
    yield Row("input_threshold", "share", modes.input_threshold / WHOLE, chosen, seed)
    for (stream, skip), measurement, result in zip(ways, wanted, found, strict=True):
        predicted = [each.cycles for each in measurement.predict()]
        if predicted != result.counters["cycles"]:
            raise ToolError(f"{stream.layer}, {stream.name}, {skip.name}: cycles are not as predicted")
        at = {"layer": stream.layer, "stream": stream.name}
        if skip == Skip.ALWAYS:
            shares = [job.trace.zero_share for job in measurement.jobs() if job.trace]
            yield Row("zero_activations", "share", float(np.mean(shares)), at, seed)
        yield Row(
            "skip_cycles", "cycles per step", result.cycles_per_step, at | {"skip": skip.name.lower()}, seed
        )


def drawn(layer: str, seed: int) -> Iterator[Stream]:
    """Yield streams of a drawn layer; where it has no factors, its hidden values are zero as long as nothing comes in.

    Inputs that are all there, inputs that are all zero, and blocks of both in turns.
    """
    bundle = _gated(random_bundle(seed, classes=0, **LAYERS[layer]))
    compiled = compiled_to_decide(bundle, LAYERS[layer]["lanes"])
    high = bundle.input_format.max
    count = 4 * BLOCK

    def loud(number: int) -> np.ndarray:
        x = np.abs(random_inputs(seed + number, bundle, STEPS, zeros=0.0))
        return np.minimum(np.maximum(x, high // 2), high)

    busy = [loud(number) for number in range(count)]
    still = [np.zeros_like(x) for x in busy]
    yield from _alternating(layer, compiled, busy, still)


def compiled_to_decide(bundle: Bundle, lanes: int) -> Compiled:
    """Compile a model for the smallest accelerator of so many lanes that decides by itself whether to skip."""
    config = smallest_config(
        [(bundle, POLICY)], lanes=lanes, cell_lanes=usual_cell_lanes(lanes), auto_skipping=1
    )
    return compile_bundle(bundle, config, mode=POLICY, hidden_results="none" if bundle.head else "last")


def _alternating(
    layer: str, compiled: Compiled, busy: list[np.ndarray], still: list[np.ndarray], fresh: bool = True
) -> Iterator[Stream]:
    yield Stream(layer, "busy", compiled, busy, fresh)
    yield Stream(layer, "still", compiled, still, fresh)
    pairs = zip(busy, still, strict=True)
    mixed = [(x, zeros)[number // BLOCK % 2] for number, (x, zeros) in enumerate(pairs)]
    yield Stream(layer, "in turns", compiled, mixed, fresh)


def _gated(bundle: Bundle) -> Bundle:
    """Let the output gates follow the inputs: shut without, open with loud ones; the other gates stay open."""
    return replace(bundle, layers=tuple(_gated_layer(layer) for layer in bundle.layers))


def _gated_layer(layer: LstmLayer) -> LstmLayer:
    open_, shut = _OPEN << layer.accumulator_frac, -_SHUT << layer.accumulator_frac
    bias = np.full_like(layer.bias, open_)
    if isinstance(layer.input, Matrix):
        bias[3 * layer.hidden_size :] = shut
        values = layer.input.values.copy()
        values[3 * layer.hidden_size :] = layer.input.format.max
        louder = replace(layer.input.format, frac=layer.input.format.frac - 3)
        layer = replace(layer, input=replace(layer.input, values=values, format=louder))
    return replace(layer, bias=bias)


def _digits(seed: int, progress: Progress) -> Iterator[Stream]:
    task = load_task("digits", seed=seed)
    model = train_float(task, replace(task.training, seed=seed), progress)
    made = quantise_all(
        model,
        task,
        {"digits": _DIGITS},
        CompressChoice(seed=seed),
        workers=WorkerSettings(),
        progress=progress,
    )
    bundle = made["digits"].bundle
    spoken = [bundle.quantise_input(task.test.sequences[k]) for k in task.test.spread(RECORDINGS)]
    compiled = compiled_to_decide(bundle, 32)
    yield from _alternating("digits, 25 %, 32 lanes", compiled, spoken, [np.zeros_like(x) for x in spoken])


def _speech(model: Path, speech: Path, progress: Progress) -> Iterator[Stream]:
    vad, task = import_model(model).model, as_task(str(speech))
    choice = CompressChoice(prune_epochs=2, quantise_epochs=0)
    made = quantise_all(vad, task, {"vad": _SPEECH}, choice, workers=WorkerSettings(), progress=progress)
    bundle = made["vad"].bundle
    x = np.concatenate([bundle.quantise_input(each) for each in task.test.sequences])[: CHUNK * CHUNKS]
    pieces = [x[begin : begin + CHUNK] for begin in range(0, len(x), CHUNK)]
    compiled = compiled_to_decide(bundle, 16)
    yield Stream("Silero VAD, 50 %, 16 lanes", "speech with its pauses", compiled, pieces, fresh=False)
    silence = [np.zeros_like(each) for each in pieces]
    yield from _alternating("Silero VAD, 50 %, 16 lanes", compiled, pieces, silence, fresh=False)


def _layers(streams: Sequence[Stream]) -> Iterator[list[Stream]]:
    """Yield the streams of each layer."""
    for layer in dict.fromkeys(each.layer for each in streams):
        yield [each for each in streams if each.layer == layer]
