"""Keras files of many kinds: right against what Keras itself computes, or refused by the layer's name."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from gatewright.sw.importers import ModelImportError, import_model

ENDINGS = ("keras", "h5")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """All models of keras_files.py, written by a process of its own."""
    folder = tmp_path_factory.mktemp("keras")
    script = Path(__file__).with_name("keras_files.py")
    environment = os.environ | {"KERAS_HOME": str(folder), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-W", "ignore", script, folder], env=environment, check=True, capture_output=True
    )
    return folder


@pytest.fixture(params=ENDINGS)
def ending(request):
    return request.param


def logits_of(imported, x):
    """Give the model's logits [batch, steps, classes], in the order in which the host finds them."""
    steps = torch.from_numpy(x).transpose(0, 1)
    network = imported.model.network
    with torch.no_grad():
        outputs = network(steps.flip(0) if imported.reversed_time else steps)
        return network.logits(outputs).transpose(0, 1).numpy()


def softmax(values):
    exponents = np.exp(values)
    return exponents / exponents.sum(-1, keepdims=True)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def same(values):
    return values


@pytest.mark.parametrize(
    ("name", "head", "activation", "output"),
    [
        ("last_step", None, same, "y0"),
        ("stacked", None, softmax, "y0"),
        ("every_step", None, sigmoid, "y0"),
        ("dense_on_steps", None, same, "y0"),
        ("no_bias", None, same, "y0"),
        ("no_head", None, same, "y0"),
        ("stateful", None, same, "y0"),
        ("go_backwards", None, same, "y0"),
        ("two_linear", None, same, "y0"),
        ("two_linear", "out", same, "y0"),
        ("forget_bias", None, same, "y0"),
        ("two_heads", "policy", same, "y0"),
        ("two_heads", "value", same, "y1"),
        ("last_state", "out", same, "y0"),
        ("picked_step", None, same, "y0"),
        ("embedding", None, same, "y0"),
        ("convolution", None, same, "y0"),
    ],
)
def test_a_model_computes_what_keras_does(folder, ending, name, head, activation, output):
    stored = np.load(folder / f"{name}.npz")
    imported = import_model(folder / f"{name}.{ending}", head=head)
    assert imported.difference <= 1e-5
    ours, expected = activation(logits_of(imported, stored["x"])), stored[output]
    np.testing.assert_allclose(ours if expected.ndim == 3 else ours[:, -1], expected, atol=1e-5)


def test_a_head_can_be_the_first_of_several_dense_layers(folder, ending):
    imported = import_model(folder / f"two_linear.{ending}", head="wide")
    assert imported.model.network.head.rows == 6
    assert imported.left_out == ("Dense layer 'out': [6, 2], [2]",)


def test_each_direction_is_a_model(folder, ending):
    stored = np.load(folder / "bidirectional.npz")
    passes = []
    for direction in ("forward", "reverse"):
        imported = import_model(folder / f"bidirectional.{ending}", lstm=f"both:{direction}")
        assert imported.reversed_time == (direction == "reverse")
        ours = logits_of(imported, stored["x"])
        passes.append(ours[:, ::-1] if imported.reversed_time else ours)
        assert "Bidirectional layer 'both': its other direction" in imported.left_out
    np.testing.assert_allclose(np.concatenate(passes, -1), stored["y0"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("bidirectional", {}, "Bidirectional layer 'both': .* import both:forward and both:reverse"),
        ("bidirectional_sum", {"lstm": "both:forward", "head": "out"}, "Dense layer 'out': both directions"),
        ("bidirectional_gru", {"lstm": "both:forward"}, "Bidirectional layer 'both': GRU cells are not honoured"),
        ("two_heads", {}, "2 Dense layers follow .*--head policy"),
        ("masked", {}, "Masking layer 'mask' makes LSTM layer .* leave steps out"),
        ("mask_zero", {}, "Embedding layer 'words' has mask_zero=True"),
        ("hard_sigmoid", {}, "LSTM layer 'cell': recurrent_activation 'hard_sigmoid' is not honoured"),
        ("relu", {}, "LSTM layer 'cell': activation 'relu' is not honoured"),
        ("relu_below", {}, "'below', 'top' by its name .*LSTM layer 'below': activation 'relu'"),
        ("gru", {}, "GRU layer 'cell': GRU cells are not honoured"),
        ("gru_below", {}, "not stacked on GRU layer 'below': .*GRU cells"),
        ("simple_rnn", {}, "SimpleRNN layer 'cell': SimpleRNN cells"),
        ("rnn_of_a_cell", {}, "RNN layer 'cell': write it as keras.layers.LSTM"),
        ("encoder_and_decoder", {"lstm": "decoder"}, "LSTM layer 'decoder': takes initial_state from other layers"),
        ("mask_given", {}, "LSTM layer 'cell': takes mask from other layers"),
        ("shared", {}, "LSTM layer 'cell': the model calls it 2 times"),
        ("backwards_above", {}, "LSTM layer 'top' reads its outputs from the end"),
        ("repeated", {}, "choose one of 'encoder', 'decoder' .*RepeatVector layer 'again' lies in front"),
        ("nested", {}, "no LSTM layer; there are .*Sequential layer 'inner'"),
        ("float16", {}, "LSTM layer 'cell': dtype 'mixed_float16'"),
        ("double", {}, "LSTM layer 'cell': dtype 'float64'"),
        ("relu_head", {"head": "out"}, "Dense layer 'out': activation 'relu' is not honoured in a head"),
        ("normalised", {"head": "out"}, "Dense layer 'out': .*what follows there is LayerNormalization layer 'norm'"),
        ("residual", {"head": "out"}, "Dense layer 'out': does not follow directly .* Add layer 'sum'"),
        ("another_step", {"head": "out"}, "Dense layer 'out': does not follow directly .* GetItem layer"),
        ("cell_state", {"head": "out"}, "Dense layer 'out': takes a state of LSTM layer 'cell'"),
        ("dense_alone", {}, "no LSTM layer; there are .*Dense layer 'out'"),
        ("last_step", {"lstm": "gone"}, "no layer named 'gone'; the recurrent ones are 'cell'"),
        ("last_step", {"lstm": "cell:forward"}, "LSTM layer 'cell': is not bidirectional"),
        ("last_step", {"head": "gone"}, "no layer named 'gone'; there are .*'out'"),
    ],
)  # fmt: skip
def test_what_is_not_honoured_is_refused_by_name(folder, ending, name, options, text):
    path = folder / f"{name}.{ending}"
    with pytest.raises(ModelImportError, match=f"{name}.{ending}: .*{text}"):
        import_model(path, **options)


def test_a_model_of_its_own_class_is_refused(folder):
    with pytest.raises(
        ModelImportError, match=r"a model of the class .*Own, whose forward only its code knows"
    ):
        import_model(folder / "subclassed.keras")


@pytest.mark.parametrize(
    ("name", "left_out", "advice"),
    [
        ("hidden_dense", "Dense layer 'hidden': [5, 6], [6]", "Dense layer 'hidden': activation 'relu'"),
        ("normalised", "LayerNormalization layer 'norm': [5], [5]", "only a Dense layer can be the head"),
        ("residual", "Add layer 'sum'", "Add layer 'sum': only a Dense layer can be the head"),
        ("random_dropout", "Dropout layer 'noise'", "Dropout layer 'noise': is called with training=True"),
        ("cell_state", "Dense layer 'out': [5, 4], [4]", "takes a state of LSTM layer 'cell'"),
        ("embedding", "Embedding layer 'words': [9, 3]", ""),
    ],
)
def test_what_is_left_out_is_listed(folder, ending, name, left_out, advice):
    imported = import_model(folder / f"{name}.{ending}")
    assert left_out in imported.left_out
    assert any(advice in text for text in imported.advice) or not advice
    assert any("LSTM layer" in text for text in imported.taken)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stateful", "LSTM layer 'cell' is stateful: the host carries the state on"),
        (
            "two_linear",
            "Dense layer 'wide', Dense layer 'out' have nothing between them: they are one matrix",
        ),
        ("stacked", "the model gives the logits, and the host their softmax"),
        ("go_backwards", "runs backwards: the host gives each sequence last step first"),
        ("embedding", "Embedding layer 'words' stays outside"),
        ("picked_step", "LSTM layer 'cell' gives its last step's outputs in Keras"),
        (
            "normalised",
            "what follows LSTM layer 'cell' stays outside the model: LayerNormalization layer 'norm', Dense",
        ),
    ],
)
def test_what_the_host_has_to_do_is_said(folder, ending, name, text):
    assert any(text in note for note in import_model(folder / f"{name}.{ending}").notes)


def test_files_of_earlier_releases_are_read(folder, tmp_path):
    """Keras 2 writes calls as lists, and folders without the layers' names."""
    older = tmp_path / "two_heads.h5"
    older.write_bytes((folder / "two_heads.h5").read_bytes())
    with h5py.File(older, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            for k, call in enumerate(layer["inbound_nodes"]):
                tensors = [argument["config"]["keras_history"] for argument in call["args"]]
                layer["inbound_nodes"][k] = [[*tensor, {}] for tensor in tensors]
            layer["config"]["dtype"] = "float32"
        file.attrs["model_config"] = json.dumps(config).encode()
    archive = tmp_path / "stacked.keras"
    with zipfile.ZipFile(folder / "stacked.keras") as source, zipfile.ZipFile(archive, "w") as target:
        target.writestr("config.json", source.read("config.json"))
        weights = tmp_path / "weights.h5"
        weights.write_bytes(source.read("model.weights.h5"))
        with h5py.File(weights, "r+") as file:
            file.move("layers", "_layer_checkpoint_dependencies")
            for group in file["_layer_checkpoint_dependencies"].values():
                del group["vars"].attrs["name"]
        target.write(weights, "model.weights.h5")
    oldest = tmp_path / "last_step.h5"
    oldest.write_bytes((folder / "last_step.h5").read_bytes())
    with h5py.File(oldest, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"] = config["config"]["layers"]
        file.attrs["model_config"] = json.dumps(config)
    for path, head, activation in (
        (oldest, None, same),
        (older, "policy", same),
        (archive, None, softmax),
    ):
        stored = np.load(folder / f"{path.stem}.npz")
        ours = activation(logits_of(import_model(path, head=head), stored["x"]))
        expected = stored["y0"]
        np.testing.assert_allclose(ours if expected.ndim == 3 else ours[:, -1], expected, atol=1e-5)


def changed(folder, target, change):
    """Copy the .h5 file of a model and change it."""
    target.write_bytes((folder / "last_step.h5").read_bytes())
    with h5py.File(target, "r+") as file:
        change(file)
    return target


def without_configuration(file):
    del file.attrs["model_config"]


def without_bias(file):
    group = file["model_weights/cell"]
    group.attrs["weight_names"] = group.attrs["weight_names"][:2]


def cut(file):
    group = file["model_weights/cell"]
    name = group.attrs["weight_names"][0]
    del group[name]
    group[name] = np.zeros((3, 16), np.float32)


def elsewhere(file):
    group = file["model_weights/cell"]
    name = group.attrs["weight_names"][0]
    del group[name]
    group.create_dataset(name, (3, 20), np.float32, external=[("/etc/hostname", 0, 240)])


def huge(file):
    file["model_weights"].create_dataset("huge", (2**20, 2**20), np.float32, chunks=(1, 2**10))


def circle(file):
    config = json.loads(file.attrs["model_config"])
    config["class_name"] = "Functional"
    for layer in config["config"]["layers"]:
        layer["inbound_nodes"] = [[["out", 0, 0, {}]]]
    file.attrs["model_config"] = json.dumps(config)


def shapeless(file):
    config = {"class_name": "Sequential", "config": {"layers": [{"class_name": "LSTM"}]}}
    file.attrs["model_config"] = json.dumps(config)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (without_configuration, "weights without the model's configuration; save the whole model"),
        (
            without_bias,
            "LSTM layer 'cell': the file holds 2 weights of it, not its kernel, recurrent kernel, bias",
        ),
        (cut, r"LSTM layer 'cell': its weights have the shapes \(3, 16\)"),
        (elsewhere, "the weights cell/.* lie in another file"),
        (huge, "bytes that expand to 4398.*; at most"),
        (circle, "its configuration cannot be read"),
        (shapeless, "its configuration cannot be read"),
    ],
)
def test_damaged_and_hostile_files_are_refused(folder, tmp_path, change, text):
    with pytest.raises(ModelImportError, match=text):
        import_model(changed(folder, tmp_path / "model.h5", change))


def test_files_of_another_kind_are_refused(folder, tmp_path):
    whole = (folder / "last_step.h5").read_bytes()
    for ending in ENDINGS:
        for content in (b"hello", b"", whole[: len(whole) // 2]):
            path = tmp_path / f"model.{ending}"
            path.write_bytes(content)
            with pytest.raises(ModelImportError, match=rf"model\.{ending}: not a whole file of Keras"):
                import_model(path)
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelImportError, match=r"holds no model\.weights\.h5"):
        import_model(tmp_path / "empty.keras")
