"""The parts of the example that need neither the model nor speech."""

import hashlib
import importlib.util
import wave
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.errors import DataError
from gatewright.sw.importers import ModelImportError, import_model

FOLDER = Path(__file__).parents[2] / "examples" / "silero_vad"


def module(name):
    spec = importlib.util.spec_from_file_location(f"silero_{name}", FOLDER / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


speech, vad = module("speech"), module("vad")


def write_wave(path, samples, rate=16_000, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setframerate(rate)
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.writeframes(np.asarray(samples, dtype="<i2").tobytes())


def test_frames_overlap_by_their_context_between_silence():
    samples = np.arange(1, 1101, dtype=np.float32)
    made = speech.frames(samples)
    assert made.shape == (3, 576)
    assert not made[0, :64].any()
    assert made[0, 64] == 1
    assert np.array_equal(made[1, :64], made[0, -64:])
    assert np.array_equal(made[1, 64:], samples[512:1024])
    assert made[2, 64 + 75] == 1100
    assert not made[2, 64 + 76 :].any()


@pytest.mark.parametrize("hertz", [50, 1000, 3500])
def test_resampling_interpolates_tones(hertz):
    def tone(rate, count):
        return np.sin(2 * np.pi * hertz * np.arange(count) / rate + 0.3)

    found = speech.twice_the_rate(tone(8000, 1000).astype(np.float32))
    inside = slice(100, -100)
    assert np.abs(found - tone(16_000, 2000))[inside].max() < 2e-3


def test_recordings_are_read_until_there_are_enough(tmp_path):
    for k in range(6):
        (tmp_path / f"{k % 2}").mkdir(exist_ok=True)
        rate = 8000 if k % 2 else 16_000
        write_wave(tmp_path / f"{k % 2}" / f"{k}.wav", np.full(rate, 1000 * (k + 1)), rate)
    recordings = speech.read_speech(tmp_path)
    taken = speech.take_frames(recordings, 1.5) + speech.take_frames(recordings, 3.5)
    assert [len(each) for each in taken] == [32] * 6
    # All six, none twice, and not in the order of their names.
    levels = [round(32768 * float(each[10, 300])) for each in taken]
    assert sorted(levels) == pytest.approx([1000, 2000, 3000, 4000, 5000, 6000], abs=20)
    assert levels != sorted(levels)
    with pytest.raises(DataError, match=r"have 0 s of speech, but 60 s are needed"):
        speech.take_frames(recordings, 60)


def test_foreign_recordings_are_refused(tmp_path):
    write_wave(tmp_path / "stereo.wav", np.zeros(100), channels=2)
    write_wave(tmp_path / "fast.wav", np.zeros(100), 44_100)
    write_wave(tmp_path / "empty.wav", [])
    (tmp_path / "text.wav").write_text("no sound")
    for name, says in (
        ("stereo", "16000 Hz, 2 channels, 16 bits; recordings must have 8000 or 16000 Hz, 1 channel"),
        ("fast", "44100 Hz"),
        ("empty", "holds no samples"),
        ("text", "not a readable wave file"),
    ):
        with pytest.raises(DataError, match=f"{name}.wav: .*{says}"):
            speech.read_wave(tmp_path / f"{name}.wav")


@pytest.fixture
def graph(tmp_path, monkeypatch):
    """A graph of the same shape as the real one, but small."""
    rng = np.random.default_rng(0)

    def constant(name, values):
        return numpy_helper.from_array(np.asarray(values), name)

    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32)

    nodes = [
        helper.make_node("Relu", ["input"], ["positive"]),
        helper.make_node("Unsqueeze", ["positive", "axis"], ["features"]),
        helper.make_node(
            "LSTM", ["features", "W", "R", "B", "", "h", "c"], ["y", "hn", "cn"], "lstm", hidden_size=5
        ),
        helper.make_node("Relu", ["y"], ["z"]),
        helper.make_node("MatMul", ["z", "output"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["odds"]),
        helper.make_node("Reshape", ["odds", "flat"], ["speech_probs"]),
    ]
    weights = [
        constant("W", 2 * draw(1, 20, 6)),
        constant("R", draw(1, 20, 5)),
        constant("B", draw(1, 40) / 4),
        constant("output", 4 * np.array([[1], [-1], [1], [-1], [1]], dtype=np.float32)),
        constant("axis", np.array([1])),
        constant("flat", np.array([-1])),
    ]
    values = {"input": ["n", 6], "h": [1, 1, 5], "c": [1, 1, 5], "speech_probs": ["n"]}
    infos = {k: helper.make_tensor_value_info(k, TensorProto.FLOAT, shape) for k, shape in values.items()}
    *inputs, output = infos.values()
    made = helper.make_graph(nodes, "small", inputs, [output], weights)
    path = tmp_path / "small.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 16)], ir_version=8), path)
    monkeypatch.setattr(vad, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_the_parts_with_the_imported_lstm_are_the_whole(graph):
    parts = vad.Vad(graph)
    x = np.random.default_rng(1).normal(size=(30, 6)).astype(np.float32)
    features = parts.features(x)
    assert np.array_equal(features, np.maximum(x, 0))
    (outputs,) = import_model(graph).model.outputs([features])
    assert parts.probabilities(outputs) == pytest.approx(parts.whole(x), abs=1e-5)
    assert np.array_equal(parts.decisions(outputs), parts.whole(x) >= 0.5)
    assert 0 < parts.decisions(outputs).mean() < 1


def test_another_model_is_refused(graph):
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(ModelImportError, match=r"small.onnx: has the SHA-256 .* silero-vad 6.2.3"):
        vad.Vad(graph)
    with pytest.raises(ModelImportError, match=r"missing.onnx: unreadable"):
        vad.Vad(graph.with_name("missing.onnx"))
