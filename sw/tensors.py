"""Tensors in PyTorch's files: what they say of their size is checked, and nothing in them is executed."""

import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from gatewright.archives import open_archive
from gatewright.errors import GatewrightError
from gatewright.limits import ALLOWANCE, MOST_DEPTH, file_size, whole

_MOST_PICKLE = 2**24
"""Bytes of what describes the tensors: about 200 each."""

_MOST_OPERATIONS = 400_000
"""Of a pickle: about 30 for each tensor."""

_MOST_VALUES = 2**18
"""Of a pickle, those that it refers to again counted again: tuples of tuples may stand for any number of them."""

_LEGACY_PICKLES = 5
"""Before PyTorch 1.6, a file was a magic number, a version, the system, the tensors, and the keys of their bytes."""

_OF_MARKS = (pickletools.markobject, pickletools.stackslice)
"""In the table of a pickle's operations: what stands for all values above a mark, which lies above the other ones."""

_SHARED = 4
"""Times that all storage may be behind tensors: tied weights are behind two."""


def load_tensors(path: Path, what: str, error: type[GatewrightError], advice: str = "") -> Any:
    """Read what `torch.save` wrote of tensors and plain values.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, for the error's text.
    error : type
        Raised if it is missing, foreign, damaged or too large, says that it expands to far more than it has, or has
        tensors of more elements than are stored. `pickle.UnpicklingError` is its cause where the file holds other
        objects.
    advice : str
        Ends the error's text.
    """
    size = file_size(path, error)
    with whole(path, what, error, advice):
        if zipfile.is_zipfile(path):
            with open_archive(path, what, error) as members:
                for name, (archive, info) in members.items():
                    if name.endswith("data.pkl"):
                        if info.file_size > _MOST_PICKLE:
                            raise error(
                                f"{path}: {info.file_size} bytes describe its tensors; at most {_MOST_PICKLE} are read"
                            )
                        with archive.open(info) as stream:
                            _check_pickle(stream)
        else:
            with path.open("rb") as stream:
                for _ in range(_LEGACY_PICKLES):
                    if stream.peek(1):
                        _check_pickle(stream)
        stored = torch.load(path, map_location="cpu", weights_only=True)
        _check_tensors(stored, size)
        return stored


def named_tensors(stored: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested dicts and lists, as checkpoints hold them, with dotted names.

    Raises
    ------
    ValueError
        They are nested more deeply, or hold more, than a checkpoint does: what refers to itself has no end.
    """
    open_, seen = [("", _items(stored))], 0
    while open_:
        prefix, items = open_[-1]
        for key, value in items:
            seen += 1
            if seen > _MOST_VALUES or len(open_) > MOST_DEPTH:
                raise ValueError(f"more than {_MOST_VALUES} values, or more than {MOST_DEPTH} in one another")
            if isinstance(value, Tensor):
                yield f"{prefix}{key}", value
            elif isinstance(value, Mapping | list | tuple):
                open_.append((f"{prefix}{key}.", _items(value)))
                break
        else:
            open_.pop()


def _items(stored: Any) -> Iterator[tuple[Any, Any]]:
    return iter(stored.items() if isinstance(stored, Mapping) else enumerate(stored))


def _check_tensors(stored: Any, size: int) -> None:
    """Refuse tensors that have far more elements than the `size` bytes of their file; raises ValueError."""
    total = 0
    for name, tensor in named_tensors([stored]):
        if tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise ValueError(f"{name} is a tensor of the layout {tensor.layout} on {tensor.device}")
        total += tensor.nelement() * tensor.element_size()
        if total > ALLOWANCE + _SHARED * size:
            raise ValueError(
                f"its tensors to {name} of shape {list(tensor.shape)} take {total} bytes, and the file has {size}"
            )


def _check_pickle(stream: IO[bytes]) -> None:
    """Follow a pickle's operations without building its values; raises ValueError where these are too many.

    A tuple counts as many as all that it refers to: so many are run through where it is hashed.
    """
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[Any, int] = {}
    for count, (code, argument, _) in enumerate(pickletools.genops(stream)):
        if count > _MOST_OPERATIONS:
            raise ValueError(f"more than {_MOST_OPERATIONS} operations describe its tensors")
        if code.name == "MARK":
            marks.append(len(stack))
            continue
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if code.name == "MEMOIZE" else argument] = stack[-1]
            continue
        if code.name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
            continue
        fixed = [each for each in code.stack_before if each not in _OF_MARKS]
        top = len(stack) if len(fixed) == len(code.stack_before) else marks.pop()
        first = top - len(fixed)
        if first < 0:
            raise ValueError("its pickle takes what is not there")
        values = sum(stack[first:])
        del stack[first:]
        if values > _MOST_VALUES:
            raise ValueError(f"its pickle stands for more than {_MOST_VALUES} values")
        stack += [values + 1] * len(code.stack_after)
