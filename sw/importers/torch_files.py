"""Tensors in PyTorch's files, by dotted names; nothing in a file is executed."""

import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor

from gatewright.archives import open_archive
from gatewright.errors import ModelImportError
from gatewright.limits import file_size, whole
from gatewright.sw.importers.endings import TORCHSCRIPT
from gatewright.sw.tensors import load_tensors, named_tensors

_ADVICE = (
    "load it where you trust it and save its weights alone: torch.save(model.state_dict(), 'weights.pt')"
)
_WHAT = "a whole file of PyTorch tensors"
_MOST_HEADER = 2**24
"""Bytes of what describes the tensors of a ``.safetensors`` file: about 100 each."""
_OPTIMIZER = ("optim", "lr_sched", "scheduler", "scaler")
_HARMLESS = ("torch ", "torch._utils ", "collections ", "__builtin__ ", "builtins ", "_codecs ")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a state dict, of a checkpoint that holds some, or of a ``.safetensors`` file.

    What a checkpoint keeps of its optimizer is no parameter of the model, and is not read.

    Raises
    ------
    ModelImportError
        The file is damaged, or holds more than tensors and plain values.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if _is_torchscript(path):
        raise ModelImportError(f"{path}: {TORCHSCRIPT}")
    try:
        stored = load_tensors(path, _WHAT, ModelImportError, f"; {_ADVICE}")
    except ModelImportError as cause:
        if isinstance(cause.__cause__, pickle.UnpicklingError) and "WeightsUnpickler" in str(cause.__cause__):
            raise ModelImportError(f"{path}: {_pickled(path)}") from cause
        raise
    if not isinstance(stored, Mapping):
        raise ModelImportError(
            f"{path}: holds a {type(stored).__name__}, not a state dict of names and tensors; {_ADVICE}"
        )
    return dict(named_tensors({k: v for k, v in stored.items() if not str(k).startswith(_OPTIMIZER)}))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    file_size(path, ModelImportError)
    with path.open("rb") as stream:
        header = int.from_bytes(stream.read(8), "little")
    if header > _MOST_HEADER:
        raise ModelImportError(
            f"{path}: {header} bytes describe its tensors; at most {_MOST_HEADER} are read"
        )
    with whole(path, _WHAT, ModelImportError, f"; {_ADVICE}"):
        return safetensors.torch.load_file(path)


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with open_archive(path, _WHAT, ModelImportError) as members:
        return any(name.endswith("/constants.pkl") for name in members)


def _pickled(path: Path) -> str:
    """Say what a file pickles beside tensors, without unpickling it."""
    names: set[str] = set()
    if zipfile.is_zipfile(path):
        with open_archive(path, _WHAT, ModelImportError) as members:
            (data,) = [name for name in members if name.endswith("data.pkl")]
            archive, info = members[data]
            names = {
                str(argument)
                for code, argument, _ in pickletools.genops(archive.read(info))
                if code.name == "GLOBAL"
            }
    if names & {"torch ScriptObject", "torch._utils _rebuild_qtensor"}:
        return (
            "weights that PyTorch has quantised; Gatewright quantises by itself, from floating-point weights: save "
            "the state dict of the model before quantize_dynamic or convert"
        )
    classes = sorted(name.replace(" ", ".") for name in names if not name.startswith(_HARMLESS))
    which = f" ({', '.join(classes[:4])})" if classes else ""
    return f"pickled Python objects beside tensors{which}, which an import never executes; {_ADVICE}"
