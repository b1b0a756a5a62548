"""The LSTMs and LSTM cells in a state, and which of them a user asks for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import NamedTuple

from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.importers.torch_state import State, resolve, shortest

_FIRST = re.compile(r"(?P<prefix>|.*\.)weight_[ih]h(?P<layered>_l0)?")
_DIRECTIONS = ("forward", "reverse")
# Orders of so many LSTMs are tried for advice.
_MANY = 5


@dataclass(frozen=True)
class Part:
    """The entries of one `nn.LSTM`, or of one `nn.LSTMCell`.

    Parameters
    ----------
    name : str
        Dotted name of the module; empty for one that is the whole model.
    layered : bool
        Entries are numbered by layer, as those of `nn.LSTM` are.
    entries : dict of tensor
        By their names in the module.
    """

    name: str
    layered: bool
    entries: dict[str, Tensor]

    @property
    def prefix(self) -> str:
        """What precedes the entries' names in the state."""
        return f"{self.name}." if self.name else ""

    @property
    def kind(self) -> str:
        """PyTorch's name for it."""
        return "nn.LSTM" if self.layered else "nn.LSTMCell"

    @property
    def bidirectional(self) -> bool:
        """Whether it has weights of a second direction."""
        return any(name.endswith("_reverse") for name in self.entries)

    @property
    def layers(self) -> int:
        """Layers of which there is an input matrix."""
        return sum(re.fullmatch(r"weight_ih(_l\d+)?", name) is not None for name in self.entries)

    def size(self, matrix: str) -> int:
        """Give the columns of ``weight_ih`` or ``weight_hh`` of the first layer; 0 if there is none."""
        value = self.entries.get(f"{matrix}_l0" if self.layered else matrix)
        return value.shape[1] if value is not None and value.dim() == 2 else 0

    @property
    def input_size(self) -> int:
        """Elements of x."""
        return self.size("weight_ih")

    @property
    def output_size(self) -> int:
        """Elements of what it gives, both directions together."""
        return self.size("weight_hh") * (2 if self.bidirectional else 1)

    @property
    def gates(self) -> int:
        """Blocks of rows in ``weight_hh``, as many as its columns; 4 with a projection, and if there is none."""
        recurrent = self.entries.get("weight_hh_l0" if self.layered else "weight_hh")
        projected = any(name.startswith("weight_hr") for name in self.entries)
        if recurrent is None or recurrent.dim() != 2 or projected or not recurrent.shape[1]:
            return 4
        return recurrent.shape[0] // recurrent.shape[1]

    def __str__(self) -> str:
        return f"{self.kind} {self.name or '(no prefix)'}"


class Selected(NamedTuple):
    """A part, and the direction of it that was asked for."""

    part: Part
    direction: str | None

    @property
    def reverse(self) -> bool:
        """Whether time runs backwards."""
        return self.direction == "reverse"


def find_parts(state: State) -> dict[str, Part]:
    """Find every LSTM and LSTM cell of a state, by name; other recurrent layers only if there is none."""
    found = {m["prefix"]: bool(m["layered"]) for m in map(_FIRST.fullmatch, state.tensors) if m}
    parts = {}
    for prefix, layered in found.items():
        entries = {
            name.removeprefix(prefix): value
            for name, value in state.tensors.items()
            if name.startswith(prefix) and "." not in name.removeprefix(prefix)
        }
        name = prefix.removesuffix(".")
        parts[name] = Part(name, layered, entries)
    return {name: part for name, part in parts.items() if part.gates == 4} or parts


def choose(parts: dict[str, Part], where: str, lstm: str | None) -> list[Selected]:
    """Find the parts that are asked for, each on the outputs of the one before it.

    Parameters
    ----------
    parts : dict of Part
    where : str
        What they belong to, for errors.
    lstm : str, optional
        Names with commas between; the name of a list stands for all in it; ``NAME:forward`` and
        ``NAME:reverse`` are the directions of a bidirectional one. Left out, there must be only one part.

    Raises
    ------
    ModelImportError
        A name is none of a part, or none was asked for and there are several.
    """
    if lstm is None:
        if len(parts) > 1:
            raise ModelImportError(f"{where}: several LSTMs; choose {_choices(list(parts.values()))}")
        return [Selected(part, None) for part in parts.values()]
    selected = [_select(parts, where, name.strip()) for name in lstm.split(",")]
    flat = [each for group in selected for each in group]
    if len(flat) > 1:
        for part, direction in flat:
            if direction is not None:
                raise ModelImportError(
                    f"{where}: {part.name}:{direction} is a model by itself; only LSTMs of one direction are stacked"
                )
    if len(names := [part.name for part, _ in flat]) != len(set(names)):
        raise ModelImportError(f"{where}: --lstm {lstm} names an LSTM twice")
    return flat


def _select(parts: dict[str, Part], where: str, wanted: str) -> list[Selected]:
    name, colon, direction = wanted.rpartition(":")
    if not colon:
        name = wanted
    elif direction not in _DIRECTIONS:
        raise ModelImportError(
            f"{where}: the direction of {name} must be forward or reverse, not {direction!r}"
        )
    resolved = resolve(parts, name)
    if resolved is not None:
        part = parts[resolved]
        if colon and not part.bidirectional:
            raise ModelImportError(f"{where}: {part} has one direction; choose it by --lstm {part.name}")
        return [Selected(part, direction if colon else None)]
    in_list = re.compile(rf"(.*\.)?{re.escape(name)}\.\d+(\.\w+)?")
    listed = [part for part in parts.values() if in_list.fullmatch(part.name)]
    if listed and not colon:
        return [Selected(part, None) for part in listed]
    raise ModelImportError(f"{where}: no LSTM named {name}; there are {', '.join(parts)}")


def _choices(parts: Sequence[Part]) -> str:
    names = [part.name for part in parts]
    options = {name: shortest(names, name) for name in names}
    each = ", ".join(f"{options[part.name]} ({part.input_size} to {part.output_size})" for part in parts)
    text = f"one by --lstm: {each}"
    for order in permutations(parts) if len(parts) <= _MANY else [tuple(parts)]:
        one_way = not any(part.bidirectional for part in order)
        if one_way and all(below.output_size == above.input_size for below, above in pairwise(order)):
            row = ",".join(options[part.name] for part in order)
            return f"{text}; or, if each runs on the outputs of the one before it, all: --lstm {row}"
    return text
