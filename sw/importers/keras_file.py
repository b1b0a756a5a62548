"""Keras files: configuration and weights of a model, from ``.keras`` and the older ``.h5``; nothing is executed."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from gatewright.archives import open_archive
from gatewright.errors import ModelImportError
from gatewright.limits import MOST_JSON, check_expansion, file_size, whole
from gatewright.texts import parse_json

_WHAT = "a whole file of Keras"
_MEMBERS = ("config.json", "model.weights.h5")
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
    with whole(path, _WHAT, ModelImportError, "; save it again with model.save"):
        file = _read_archive(path) if zipfile.is_zipfile(path) else _read_hdf5(path)
        if not isinstance(file.config["config"], dict | list) or not isinstance(
            file.config["class_name"], str
        ):
            raise ModelImportError(f"{path}: its configuration describes no model")
        return file


def layers_of(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the configurations of a model's layers, in the model's order."""
    inner = config["config"]
    # Before Keras 2.3, a Sequential model was a list.
    return inner if isinstance(inner, list) else inner.get("layers", [])


def _read_archive(path: Path) -> KerasFile:
    with open_archive(path, _WHAT, ModelImportError) as members:
        for name in _MEMBERS:
            if name not in members:
                raise ModelImportError(f"{path}: holds no {name}; {_SAVE}")
        (archive, configured), (_, weighed) = (members[name] for name in _MEMBERS)
        if configured.file_size > MOST_JSON:
            raise ModelImportError(f"{path}: {configured.filename} has more than {MOST_JSON} bytes")
        config = parse_json(archive.read(configured).decode())
        content = archive.read(weighed)
    with _opened(io.BytesIO(content), path) as file:
        datasets = _datasets(file, path, len(content))
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
    size = file_size(path, ModelImportError)
    with _opened(path, path) as file:
        if "model_config" not in file.attrs or "model_weights" not in file:
            raise ModelImportError(f"{path}: holds weights without the model's configuration; {_SAVE}")
        config = parse_json(_text(file.attrs["model_config"]))
        groups = file["model_weights"]
        datasets = _datasets(groups, path, size)
        weights = {}
        for name in groups:
            keys = [f"{name}/{_text(key)}" for key in groups[name].attrs.get("weight_names", ())]
            weights[name] = [datasets[key] for key in keys if "seed_generator" not in key]
    return KerasFile(config, weights)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def _opened(source: Path | io.BytesIO, path: Path) -> Iterator[h5py.File]:
    """Open a file of HDF5 in which nothing lies in other files; `path` names it."""
    with h5py.File(source, "r") as file:
        outside = file.visititems_links(
            lambda name, link: name if isinstance(link, h5py.ExternalLink) else None
        )
        if outside is not None:
            raise ModelImportError(f"{path}: {outside} lies in another file; {_SAVE}")
        yield file


def _datasets(group: h5py.Group, path: Path, size: int) -> dict[str, np.ndarray]:
    """Read all arrays of numbers that lie in the file itself.

    Raises
    ------
    ModelImportError
        They are together far larger than the `size` bytes of the file at `path`, or lie in other files.
    """
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf":
            found[name] = item

    group.visititems(visit)
    check_expansion(
        path, sum(dataset.nbytes for dataset in found.values()), size, ModelImportError, "save it again"
    )
    for name, dataset in found.items():
        if dataset.external or dataset.is_virtual:
            raise ModelImportError(f"{path}: the weights {name} lie in another file; {_SAVE}")
    return {name: dataset[()] for name, dataset in found.items()}
