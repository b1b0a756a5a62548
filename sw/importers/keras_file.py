"""Keras files: configuration and weights of a model, from ``.keras`` and the older ``.h5``; nothing is executed."""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from gatewright.errors import ModelImportError

_MOST_BYTES = {"config.json": 2**26, "model.weights.h5": 2**31}
_ROOTS = ("layers", "_layer_checkpoint_dependencies")
_SAVE = "save the whole model with model.save('model.keras')"


class KerasFile(NamedTuple):
    """What a file holds.

    Parameters
    ----------
    config : dict
        The model's ``class_name`` and ``config``.
    weights : dict
        By layer name, in the layer's order: kernel, recurrent kernel and bias of an LSTM; a backward pass comes last.
    """

    config: dict[str, Any]
    weights: dict[str, list[np.ndarray]]


def read_keras(path: Path) -> KerasFile:
    """Read a file that Keras saved.

    Raises
    ------
    ModelImportError
        The file is truncated, foreign or of absurd size, or holds only weights.
    """
    try:
        file = _read_archive(path) if zipfile.is_zipfile(path) else _read_hdf5(path)
        if not isinstance(file.config["config"], dict | list) or not isinstance(
            file.config["class_name"], str
        ):
            raise ModelImportError("its configuration describes no model")
        return file
    except ModelImportError as cause:
        raise ModelImportError(f"{path}: {cause}") from cause
    except Exception as cause:
        # A damaged file makes zipfile, json and h5py raise what no list could name in full.
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())[:200]
        raise ModelImportError(
            f"{path}: not a whole file of Keras ({reason}); save it again with model.save"
        ) from cause


def layers_of(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the configurations of a model's layers, in the model's order."""
    inner = config["config"]
    # Before Keras 2.3, a Sequential model was a list.
    return inner if isinstance(inner, list) else inner.get("layers", [])


def _read_archive(path: Path) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        for name, most in _MOST_BYTES.items():
            if name not in archive.namelist():
                raise ModelImportError(f"holds no {name}; {_SAVE}")
            if archive.getinfo(name).file_size > most:
                raise ModelImportError(f"{name} has more than {most} bytes, the most that an import reads")
        config = json.loads(archive.read("config.json"))
        stored = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(stored, "r") as file:
        datasets = _datasets(file)
        # The second is what releases from 2.12 to 2.15 write.
        root = next((root for root in _ROOTS if root in file), "layers")
        folders = _folders(config, root) | _named_folders(file)
    weights = {}
    for name, folder in folders.items():
        variables = [key for key in datasets if key.startswith(f"{folder}/") and "seed_generator" not in key]
        variables.sort(key=lambda key: ("/backward_layer/" in key, key))
        weights[name] = [datasets[key] for key in variables]
    return KerasFile(config, weights)


def _folders(config: Mapping[str, Any], root: str) -> dict[str, str]:
    """Give the folders of layers by name: classes in snake case, numbered from the second of a class on."""
    folders: dict[str, str] = {}
    for layer in layers_of(config):
        kind = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", layer["class_name"]))
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", kind).lower()
        count = sum(re.fullmatch(rf"{root}/{kind}(_\d+)?", folder) is not None for folder in folders.values())
        folders[layer["config"]["name"]] = f"{root}/{kind}_{count}" if count else f"{root}/{kind}"
    return folders


def _named_folders(file: h5py.File) -> dict[str, str]:
    """Give the folders of layers by the names that releases of Keras since 3.7 write beside the weights."""
    found = {}
    for folder, group in file.get("layers", {}).items():
        attributes = group["vars"].attrs if "vars" in group else {}
        if "name" in attributes:
            found[str(attributes["name"])] = f"layers/{folder}"
    return found


def _read_hdf5(path: Path) -> KerasFile:
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs or "model_weights" not in file:
            raise ModelImportError(f"holds weights without the model's configuration; {_SAVE}")
        config = json.loads(_text(file.attrs["model_config"]))
        groups = file["model_weights"]
        datasets = _datasets(groups)
        weights = {}
        for name in groups:
            keys = [f"{name}/{_text(key)}" for key in groups[name].attrs.get("weight_names", ())]
            weights[name] = [datasets[key] for key in keys if "seed_generator" not in key]
    return KerasFile(config, weights)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _datasets(group: h5py.Group) -> dict[str, np.ndarray]:
    """Read all arrays that lie in the file itself, no link followed.

    Raises
    ------
    ModelImportError
        They are absurdly large together, or lie in other files.
    """
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    group.visititems(visit)
    most = _MOST_BYTES["model.weights.h5"]
    if sum(dataset.nbytes for dataset in found.values()) > most:
        raise ModelImportError(f"its weights have more than {most} bytes, the most that an import reads")
    for name, dataset in found.items():
        if dataset.external or dataset.is_virtual:
            raise ModelImportError(f"the weights {name} lie in another file; {_SAVE}")
    return {name: dataset[()] for name, dataset in found.items()}
