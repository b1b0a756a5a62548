"""Which kind of model a file is, and how models of other kinds are brought over."""

from pathlib import Path

from gatewright.errors import ModelImportError
from gatewright.limits import file_size

PYTORCH = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".pkl")
KERAS = (".keras", ".h5", ".hdf5")

_TENSORFLOW = (
    "a model of TensorFlow: load it in Keras and save it with model.save('model.keras'), or convert it with "
    "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx"
)
TORCHSCRIPT = (
    "TorchScript, whose code an import never runs; where you trust the file, save its weights alone: "
    "torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt')"
)
_ADVICE = {
    ".tflite": "TensorFlow Lite: import the Keras model that it was made of, saved with model.save('model.keras')",
    ".pb": _TENSORFLOW,
    ".jit": TORCHSCRIPT,
    ".torchscript": TORCHSCRIPT,
    ".ptl": TORCHSCRIPT,
    ".pt2": "an exported program of PyTorch: save its weights alone: "
    "torch.save(torch.export.load(FILE).state_dict, 'weights.pt')",
    ".mlmodel": "Core ML: import the model of PyTorch or Keras that it was converted from",
    ".mlpackage": "Core ML: import the model of PyTorch or Keras that it was converted from",
    ".ort": "a model that onnxruntime has optimised: import the .onnx file that it was made of",
    ".npz": "arrays without a model's structure: put them into an nn.LSTM and save that with "
    "torch.save(lstm.state_dict(), 'weights.pt'); an integer model of Gatewright needs no import",
    ".npy": "one array: put the weights into an nn.LSTM and save that with "
    "torch.save(lstm.state_dict(), 'weights.pt')",
}
_HEADS = {
    b"version https://git-lfs": "a git-LFS pointer, not the model itself: fetch it with git lfs pull",
    b"<!doctype html": "a web page, not the model itself: download the file behind the page's link",
    b"<html": "a web page, not the model itself: download the file behind the page's link",
}


def check_file(path: Path) -> None:
    """Check that a path is a file of a kind that can be imported.

    Raises
    ------
    ModelImportError
        It is missing or of another kind; the text says how such a model is brought over.
    """
    legal = ", ".join((".onnx", *PYTORCH, *KERAS))
    if not path.exists():
        raise ModelImportError(f"{path}: no such file")
    if path.suffix in _ADVICE:
        raise ModelImportError(f"{path}: {_ADVICE[path.suffix]}")
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            raise ModelImportError(f"{path}: {_TENSORFLOW}")
        files = sorted(child.name for child in path.iterdir() if child.suffix in (".onnx", *PYTORCH, *KERAS))
        inside = f"its {', '.join(files[:5])}" if files else f"a file in it that ends in {legal}"
        raise ModelImportError(f"{path}: a folder; import {inside}")
    file_size(path, ModelImportError)
    with path.open("rb") as stream:
        start = stream.read(64).lstrip().lower()
    for head, advice in _HEADS.items():
        if start.startswith(head):
            raise ModelImportError(f"{path}: {advice}")
    if path.suffix not in (".onnx", *PYTORCH, *KERAS):
        raise ModelImportError(f"{path}: not a model file by its name; it must end in {legal}")
