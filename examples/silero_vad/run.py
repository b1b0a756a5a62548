"""Silero VAD from its ONNX file to the accelerator's RTL; see README.md."""

import argparse
import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from speech import read_speech, take_frames
from vad import THRESHOLD, Vad

from gatewright.cli.answer import Answer
from gatewright.cli.terminal import Terminal
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.verify import measure
from gatewright.errors import GatewrightError
from gatewright.hw.compiler import Mode, compile_bundle, smallest_config
from gatewright.progress import Progress, within
from gatewright.results import Row, write_rows
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import CompressSettings, uniform_spec
from gatewright.sw.compress.quantise_model import quantise_model
from gatewright.sw.importers import import_model
from gatewright.sw.integer import run_integer
from gatewright.sw.metrics import Metric
from gatewright.sw.mode import sparsity
from gatewright.sw.tasks import Split, Task

LANES = 32

SAMPLE_SECONDS = 480.0
"""Speech that formats are calibrated on and the small form is trained on; none of it is tested on."""

HELD_OUT = 0.2
"""Share of its recordings that only measures."""

TOLD = {"split": "test", "output": "all"}
"""Rows of quantising that are kept: the decisions, and the signal-to-noise ratio of all outputs."""

SEED = 0


@dataclass(frozen=True)
class Form:
    """A form that the LSTM is brought to: bits and density of its weights, how they are stored and trained."""

    name: str
    bits: int
    density: float
    mode: Mode
    settings: CompressSettings


FORMS = (
    Form("8 bits", 8, 1.0, "dense", CompressSettings(quantise_epochs=0, seed=SEED)),
    Form(
        "4 bits, 25 %",
        4,
        0.25,
        "sparse",
        CompressSettings(prune_epochs=24, quantise_epochs=8, prune_rate=2e-3, quantise_rate=2e-3, seed=SEED),
    ),
)
"""The first is calibrated and not trained; figures of size are held against it."""

BATCH = 8
"""Recordings per update: there are few of them."""


def run(model_path: Path, speech: Path, seconds: float, progress: Progress) -> tuple[list[Row], list[Bundle]]:
    """Import, compress, simulate and compare; give the figures and the integer models.

    Parameters
    ----------
    model_path : path
        ``silero_vad_16k_sequence.onnx``.
    speech : path
        Folder with recordings.
    seconds : float
        Speech to test on: decisions, and every integer of the RTL.
    progress : Progress

    Raises
    ------
    GatewrightError
        What is given does not suit, or a tool fails.
    """
    vad = Vad(model_path)
    imported = import_model(model_path)
    settings = dataclasses.replace(imported.model.settings, batch=BATCH)
    model = dataclasses.replace(imported.model, settings=settings)

    recordings = read_speech(speech, SEED)
    test = take_frames(recordings, seconds)
    samples = [vad.features(each) for each in take_frames(recordings, SAMPLE_SECONDS)]
    inputs = [vad.features(each) for each in test]
    expected = [vad.whole(each) >= THRESHOLD for each in test]
    at = {"recordings": len(test), "frames": sum(map(len, test))}
    rows = [
        Row("import_difference", "absolute", imported.difference),
        Row("input_zeros", "percent", 100 * sparsity(*inputs), at),
        Row("speech", "percent", 100 * float(np.concatenate(expected).mean()), at),
        _agreement(vad, model.outputs(inputs), expected, {"form": "float32", **at}),
    ]
    task, bundles = _task(vad, samples), []
    for form in FORMS:
        spec = uniform_spec(model.network, form.density, form.bits, LANES)
        told = within(progress, form.name)
        found = quantise_model(model, task, spec, form.settings, name=form.name, progress=told)
        bundles.append(found.bundle)
        rows += [row for row in found.rows if TOLD.items() & row.parameters.items()]
    return rows + _on_hardware(vad, bundles, inputs, expected, at, progress), bundles


def _task(vad: Vad, samples: list[np.ndarray]) -> Task:
    """Make a task of speech without targets, which is judged by the decisions that the decoder comes to."""
    order = np.random.default_rng(SEED).permutation(len(samples)).tolist()
    held = max(1, round(HELD_OUT * len(samples)))
    measured, train = (Split([samples[k] for k in part]) for part in (order[:held], order[held:]))
    metric = Metric("decision_agreement", "percent", True, vad.agreement, "values", "teacher")
    return Task("speech", (), train, measured, measured, metric=metric, taught=True)


def _on_hardware(
    vad: Vad,
    bundles: list[Bundle],
    inputs: list[np.ndarray],
    expected: list[np.ndarray],
    at: dict,
    progress: Progress,
) -> list[Row]:
    """Run every form on one accelerator, dense and with zeros skipped, and decide by what the RTL gives."""
    models = [(bundle, form.mode) for bundle, form in zip(bundles, FORMS, strict=True)]
    config = smallest_config(models, lanes=LANES)
    compiled = [compile_bundle(bundle, config, mode=mode, hidden_results="all") for bundle, mode in models]
    quantised = [[bundle.quantise_input(x) for x in inputs] for bundle in bundles]
    wanted = [
        Measurement(each, x, skip)
        for each, x in zip(compiled, quantised, strict=True)
        for skip in (False, True)
    ]
    found = iter(measure(config, wanted, progress=progress))
    rows, volumes = [], []
    for form, bundle, each, x in zip(FORMS, bundles, compiled, quantised, strict=True):
        here = {"form": form.name, "lanes": LANES, **at}
        volumes.append(sum(each.image.stored_bits(config).values()))
        rows.append(Row("stored_bits", "bits", volumes[-1], {"form": form.name}))
        hidden, _ = run_integer(bundle, x, progress)
        for skip in (False, True):
            measured = next(found)
            skipping = {**here, "zeros_skipped": skip}
            outputs = [result.reshape(len(y), -1) for result, y in zip(measured.results, hidden, strict=True)]
            differing = sum(int(np.count_nonzero(y != z)) for y, z in zip(outputs, hidden, strict=True))
            rows += [
                Row("cycles_per_step", "cycles", measured.cycles_per_step, skipping),
                Row("integers_compared", "integers", measured.integers_compared, skipping),
                Row("mismatches", "integers", measured.mismatches + differing, skipping),
            ]
        reals = [bundle.layers[-1].output_format.real(y) for y in outputs]
        rows.append(_agreement(vad, reals, expected, here))
    ratio = volumes[0] / volumes[-1]
    return [
        *rows,
        Row("fewer_stored_bits", "ratio", ratio, {"form": FORMS[-1].name, "against": FORMS[0].name}),
    ]


def _agreement(vad: Vad, outputs: list[np.ndarray], expected: list[np.ndarray], at: dict) -> Row:
    equal = [vad.decisions(y) == wanted for y, wanted in zip(outputs, expected, strict=True)]
    return Row("equal_decisions", "percent", 100 * float(np.concatenate(equal).mean()), at)


def main() -> int:
    """Run the example from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="silero_vad_16k_sequence.onnx")
    parser.add_argument(
        "--speech", type=Path, required=True, help="folder with .wav files, also in its folders"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="speech to test on (60)")
    parser.add_argument("--out", type=Path, help="folder for rows.json and the integer models")
    given = parser.parse_args()
    terminal = Terminal()
    try:
        with terminal.progress() as progress:
            rows, bundles = run(given.model, given.speech, given.seconds, progress)
    except GatewrightError as error:
        terminal.error("error", str(error))
        return 2
    terminal.show(Answer(rows), "silero_vad", as_json=False)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        write_rows(given.out / "rows.json", rows)
        for form, bundle in zip(FORMS, bundles, strict=True):
            bundle.save(given.out / f"{form.bits}-bits.npz")
    return 0


if __name__ == "__main__":
    sys.exit(main())
