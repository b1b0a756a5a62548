"""The state of a PyTorch module: tensors by name, with masks and weight norms folded into the weights."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewright.errors import ModelImportError

_PARAMETRIZED = re.compile(r"(?P<owner>|.*\.)parametrizations\.(?P<name>[^.]+)\.original1")


@dataclass(frozen=True)
class State:
    """Tensors by dotted name, as a module computes with them.

    Parameters
    ----------
    tensors : dict of tensor
    origins : dict of tuple of str
        The entries that a tensor was folded from, for those that were.
    shapes : dict of list of int
        Of every entry as it is stored.
    """

    tensors: dict[str, Tensor]
    origins: dict[str, tuple[str, ...]]
    shapes: dict[str, list[int]]

    def entries(self, names: Iterable[str]) -> set[str]:
        """Name the stored entries that some tensors were made of."""
        return {entry for name in names for entry in self.origins.get(name, (name,))}

    def listed(self, entries: Iterable[str]) -> tuple[str, ...]:
        """Describe stored entries with their shapes, in the state's order."""
        chosen = set(entries)
        return tuple(f"{name} {shape}" for name, shape in self.shapes.items() if name in chosen)


def folded(tensors: Mapping[str, Tensor], where: str) -> State:
    """Fold pruning masks (`torch.nn.utils.prune`) and weight norms into the weights that a forward computes with.

    Raises
    ------
    ModelImportError
        The parts of a folded weight do not go together.
    """
    result = dict(tensors)
    origins: dict[str, tuple[str, ...]] = {}
    for name in tensors:
        parametrized = _PARAMETRIZED.fullmatch(name)
        if name.endswith("_mask") and f"{name[:-5]}_orig" in tensors:
            whole, parts = name[:-5], (f"{name[:-5]}_orig", name)
        elif name.endswith("_v") and f"{name[:-2]}_g" in tensors:
            whole, parts = name[:-2], (f"{name[:-2]}_g", name)
        elif parametrized and f"{name[:-1]}0" in tensors:
            whole, parts = parametrized["owner"] + parametrized["name"], (f"{name[:-1]}0", name)
        else:
            continue
        first, second = (tensors[part] for part in parts)
        if name.endswith("_mask"):
            fits = first.shape == second.shape
        else:
            # Lengths lie along one dimension at most.
            fits = first.dim() in (0, second.dim()) and sum(size != 1 for size in first.shape) <= 1
            fits &= all(size in (1, full) for size, full in zip(first.shape, second.shape, strict=False))
        if not fits:
            raise ModelImportError(
                f"{where}: {parts[0]} {list(first.shape)} and {parts[1]} {list(second.shape)} do not go together"
            )
        result[whole] = first * second if name.endswith("_mask") else _normed(first, second)
        origins[whole] = parts
        for part in parts:
            del result[part]
    return State(result, origins, {name: list(value.shape) for name, value in tensors.items()})


def _normed(length: Tensor, direction: Tensor) -> Tensor:
    """Give `direction` with the norm `length` over the dimensions along which that has one element."""
    if not length.dim():
        return direction * (length / torch.linalg.vector_norm(direction))
    over = [k for k, size in enumerate(length.shape) if size == 1]
    return direction * (length / torch.linalg.vector_norm(direction, dim=over, keepdim=True))


def resolve(names: Iterable[str], wanted: str) -> str | None:
    """Find a dotted name by itself or by its unique ending, so that prefixes of checkpoints can be left out."""
    names = list(names)
    if wanted in names:
        return wanted
    endings = [name for name in names if name.endswith(f".{wanted}")]
    return endings[0] if len(endings) == 1 else None


def shortest(names: Iterable[str], name: str) -> str:
    """Give the shortest ending of a name that `resolve` finds it by."""
    names, words = list(names), name.split(".")
    endings = (".".join(words[k:]) for k in range(len(words) - 1, -1, -1))
    return next(ending for ending in endings if resolve(names, ending) == name)
