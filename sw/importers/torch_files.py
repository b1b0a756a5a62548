"""Tensors in PyTorch's files, by dotted names; nothing in a file is executed."""

import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.importers.endings import TORCHSCRIPT

_ADVICE = (
    "load it where you trust it and save its weights alone: torch.save(model.state_dict(), 'weights.pt')"
)
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
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        if _is_torchscript(path):
            raise ModelImportError(f"{path}: {TORCHSCRIPT}")
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(stored, Mapping):
            raise ModelImportError(
                f"{path}: holds a {type(stored).__name__}, not a state dict of names and tensors; {_ADVICE}"
            )
        return _flat({k: v for k, v in stored.items() if not str(k).startswith(_OPTIMIZER)})
    except ModelImportError:
        raise
    except Exception as cause:
        # A damaged file makes torch raise what no list could name in full.
        if isinstance(cause, pickle.UnpicklingError) and "WeightsUnpickler" in str(cause):
            raise ModelImportError(f"{path}: {_pickled(path)}") from cause
        reason = f"{type(cause).__name__}: {cause}".partition("\n")[0]
        raise ModelImportError(
            f"{path}: not a whole file of PyTorch tensors ({reason}); {_ADVICE}"
        ) from cause


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _pickled(path: Path) -> str:
    """Say what a file pickles beside tensors, without unpickling it."""
    names: set[str] = set()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            (data,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
            names = {
                str(argument)
                for code, argument, _ in pickletools.genops(archive.read(data))
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


def _flat(stored: Any, prefix: str = "") -> dict[str, Tensor]:
    """Give the tensors of nested dicts and lists, as checkpoints hold them, by dotted names."""
    flat: dict[str, Tensor] = {}
    items = stored.items() if isinstance(stored, Mapping) else enumerate(stored)
    for key, value in items:
        if isinstance(value, Tensor):
            flat[f"{prefix}{key}"] = value
        elif isinstance(value, Mapping | list | tuple):
            flat |= _flat(value, f"{prefix}{key}.")
    return flat
