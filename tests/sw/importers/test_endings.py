import pytest
from torch import nn

from gatewright.sw.importers import ModelImportError, import_model


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model.tflite", r"TensorFlow Lite: import the Keras model .* model\.save\('model\.keras'\)"),
        ("model.pb", r"load it in Keras .* or convert it with python -m tf2onnx\.convert"),
        ("model.jit", r"torch\.save\(torch\.jit\.load\(FILE\)\.state_dict\(\), 'weights\.pt'\)"),
        ("model.pt2", r"torch\.save\(torch\.export\.load\(FILE\)\.state_dict, 'weights\.pt'\)"),
        ("model.mlmodel", "import the model of PyTorch or Keras that it was converted from"),
        ("model.ort", r"import the \.onnx file that it was made of"),
        ("model.npz", r"put them into an nn\.LSTM .* an integer model of Gatewright needs no import"),
        ("model.npy", r"put the weights into an nn\.LSTM"),
        ("model.xyz", r"not a model file by its name; it must end in \.onnx, \.pt, .*\.safetensors.*\.keras"),
        (
            "model.pkl",
            r"not a whole file of PyTorch tensors .* torch\.save\(model\.state_dict\(\), 'weights\.pt'\)",
        ),
        ("model.safetensors", r"not a whole file of PyTorch tensors \(SafetensorError"),
    ],
)
def test_other_endings_say_how_the_model_is_brought_over(tmp_path, name, text):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelImportError, match=rf"{name}: .*{text}"):
        import_model(tmp_path / name)


@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "model.h5", "model.safetensors"])
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n",
            "a git-LFS pointer.*git lfs pull",
        ),
        ("\n<!DOCTYPE html><html></html>", "a web page, not the model itself"),
        ("<html></html>", "a web page, not the model itself"),
    ],
)
def test_what_stands_in_a_models_place_is_named(tmp_path, name, content, text):
    (tmp_path / name).write_text(content)
    with pytest.raises(ModelImportError, match=text):
        import_model(tmp_path / name)


def test_folders_lead_to_a_file(tmp_path):
    with pytest.raises(ModelImportError, match=r"a folder; import a file in it that ends in \.onnx"):
        import_model(tmp_path)
    for name in ("b.pt", "a.onnx", "notes.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(ModelImportError, match=r"a folder; import its a\.onnx, b\.pt$"):
        import_model(tmp_path)
    (tmp_path / "saved_model.pb").write_text("")
    with pytest.raises(ModelImportError, match=r"a model of TensorFlow: load it in Keras"):
        import_model(tmp_path)


@pytest.mark.parametrize("name", ["missing.pt", "missing.tflite", "missing"])
def test_missing_files_are_named(tmp_path, name):
    with pytest.raises(ModelImportError, match=rf"{name}: no such file"):
        import_model(tmp_path / name)


def test_only_files_and_modules_are_models():
    with pytest.raises(
        ModelImportError, match=r"a dict cannot be imported; only a file or an nn\.Module can"
    ):
        import_model(dict(nn.LSTM(3, 4).state_dict()))
