"""Import of users' models: PyTorch state dicts and ONNX graphs, compared with their source."""

from pathlib import Path

from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Imported
from gatewright.sw.importers.pytorch import from_lstm, import_pytorch

__all__ = ["Imported", "ModelImportError", "from_lstm", "import_model"]

_KERAS = (".keras", ".h5", ".hdf5")
_PYTORCH = (".pt", ".pth", ".bin", ".ckpt")


def import_model(path: str | Path, *, lstm: str | None = None, head: str | None = None) -> Imported:
    """Import the LSTM of a model file and compare it with its source; nothing in the file is executed.

    Parameters
    ----------
    path : path
        ``.onnx``: a graph with ``LSTM`` nodes (opset 7 and later). ``.pt``, ``.pth``, ``.bin``, ``.ckpt``: a state dict
        with the entries of an `nn.LSTM` or `nn.LSTMCell`.
    lstm : str, optional
        Which LSTM, if there are several. ONNX: the name of a node; the layers that it is stacked on come with it. One
        direction of a bidirectional node is ``NAME:forward`` or ``NAME:reverse``. PyTorch: the prefix of the entries.
    head : str, optional
        The linear layer that follows. ONNX: the name of a ``Gemm`` or ``MatMul`` node. PyTorch: the prefix of its
        ``weight`` and ``bias``. Left out, the model gives the outputs of its last layer.

    Raises
    ------
    ModelImportError
        The file is missing, truncated or foreign, or something in it is not honoured; the text names it.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        from gatewright.sw.importers.onnx_model import import_onnx

        return import_onnx(path, lstm, head)
    if path.suffix in _KERAS:
        from gatewright.sw.importers.keras_model import import_keras

        return import_keras(path, lstm, head)
    if path.suffix in _PYTORCH:
        return import_pytorch(path, lstm, head)
    raise ModelImportError(
        f"{path}: not a model file by its name; it must end in .onnx (ONNX) or {', '.join(_PYTORCH)} (PyTorch)"
    )
