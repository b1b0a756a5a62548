"""Import of users' models: PyTorch modules and state dicts, ONNX graphs, Keras files, compared with their source."""

from pathlib import Path

from torch import nn

from gatewright.custody import sha256
from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Imported
from gatewright.sw.importers.endings import KERAS, check_file
from gatewright.sw.importers.torch_module import import_module

__all__ = ["Imported", "ModelImportError", "from_lstm", "import_model"]


def import_model(
    source: str | Path | nn.Module, *, lstm: str | None = None, head: str | None = None, double: bool = False
) -> Imported:
    """Import the LSTM of a model and compare it with its source.

    Parameters
    ----------
    source : path or nn.Module
        ``.onnx``: a graph with ``LSTM`` nodes (opset 7 and later). ``.pt``, ``.pth``, ``.bin``, ``.ckpt``, ``.pkl``,
        ``.safetensors``: a state dict with the entries of `nn.LSTM` or `nn.LSTMCell`. ``.keras``, ``.h5``: a model of
        Keras. Nothing in a file is executed. A module is itself run on random input, if its forward takes one, and
        compared.
    lstm : str, optional
        Which LSTM, if there are several. ONNX and Keras: the name of a node, of the PyTorch module that it was, or of a
        layer; the layers that it is stacked on come with it.
        PyTorch: the name of the module, or several with commas between, each on the outputs of the one before it.
        One direction of a bidirectional one is ``NAME:forward`` or ``NAME:reverse``.
    head : str, optional
        The linear layer that follows. ONNX: the name of a ``Gemm`` or ``MatMul`` node, or of the PyTorch module that
        it was. PyTorch: the name of the module. Left out, the model gives its last layer's outputs. Keras: the name of
        a ``Dense`` layer, if several follow.
    double : bool
        Round float64 weights of PyTorch to float32; without it, weights that do not fit are refused.

    Raises
    ------
    ModelImportError
        The file is missing, truncated or foreign, or something in it is not honoured; the text names it.
    """
    if isinstance(source, nn.Module):
        return import_module(source, lstm, head, double).noted(type(source).__name__)
    if not isinstance(source, str | Path):
        raise ModelImportError(
            f"a {type(source).__name__} cannot be imported; only a file or an nn.Module can"
        )
    path = Path(source)
    check_file(path)
    return _import_file(path, lstm, head, double).noted(path.name, sha256=sha256(path))


def from_lstm(module: nn.LSTM | nn.LSTMCell, head: nn.Linear | None = None) -> Imported:
    """Import an LSTM and the linear layer that follows on its outputs, where the two are in no module together.

    Raises
    ------
    ModelImportError
        One is of another kind, or not all about it is honoured.
    """
    if head is None:
        return import_model(module)
    if not isinstance(head, nn.Linear):
        raise ModelImportError(f"the head is {type(head).__name__}, not an nn.Linear")
    return import_model(nn.ModuleDict({"lstm": module, "head": head}), lstm="lstm", head="head")


def _import_file(path: Path, lstm: str | None, head: str | None, double: bool) -> Imported:
    if path.suffix == ".onnx":
        from gatewright.sw.importers.onnx_model import import_onnx

        return import_onnx(path, lstm, head)
    if path.suffix in KERAS:
        from gatewright.sw.importers.keras_model import import_keras

        return import_keras(path, lstm, head)
    from gatewright.sw.importers.pytorch import import_pytorch

    return import_pytorch(path, lstm, head, double)
