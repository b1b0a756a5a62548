"""The contents of the accelerator's memories, and how they travel and are counted."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from gatewright.errors import BundleError
from gatewright.hw.compiler.modes import Modes
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import LOAD, Region, load_address
from gatewright.hw.memories import Contents, MemoryKind, loaded_memories
from gatewright.hw.ops import OP_BITS, Op
from gatewright.limits import whole
from gatewright.storage import read_npz, write_npz
from gatewright.sw.numbers import Fixed

Results = Literal["none", "last", "all"]
"""The steps of a sequence in which a kind of result is sent."""

_MACS = ("input", "recurrent", "head")

_VERSION = 3

_ARRAYS = ("weights", "indices", "columns", "biases")


@dataclass(frozen=True)
class Image:
    """Memory contents of one model on one configuration.

    Parameters
    ----------
    weights : uint8 array [lanes, words]
        Packed words of the weight memories.
    indices : uint32 array [lanes, words]
        Words of the index memories: accumulator rows of the sparse matrices' weights.
    columns : int64 array [entries, 2]
        The column table: offset and count of the words of a column step.
    biases : int32 array [groups, drain_lanes]
        One group for every group of accumulators that is drained.
    program : tuple of Op
        One time step; its last op has `end` set.
    """

    weights: np.ndarray
    indices: np.ndarray
    columns: np.ndarray
    biases: np.ndarray
    program: tuple[Op, ...]

    def parts(self) -> dict[str, np.ndarray]:
        """Give the words of each of `loaded_memories` by its name, as int64 [parts of all instances, words]."""
        bits = LOAD["data"].width
        program = [
            [op.encode() >> low & (1 << bits) - 1 for op in self.program] for low in range(0, OP_BITS, bits)
        ]
        return {
            "weight": self.weights.astype(np.int64),
            "index": self.indices.astype(np.int64),
            "column": self.columns.T,
            "bias": self.biases.T.astype(np.int64),
            "program": np.array(program, dtype=np.int64),
        }

    def load_words(self) -> np.ndarray:
        """Give every word for the load bus as uint32 [words, 2]: address, data."""
        found = []
        for name, values in self.parts().items():
            lanes, words = values.shape
            base = np.array(
                [load_address(Region[name.upper()], lane, 0) for lane in range(lanes)], dtype=np.int64
            )
            address = base[:, None] + np.arange(words)
            found.append(np.stack([address.ravel(), values.ravel() & 0xFFFFFFFF], axis=1))
        return np.concatenate(found).astype(np.uint32)

    def contents(self, config: AcceleratorConfig) -> Contents:
        """Give what memories that are not loaded begin with."""
        parts = self.parts()
        return {
            kind.name: [
                _words(parts[kind.name][first : first + kind.parts], kind.widths[first : first + kind.parts])
                for first in range(0, len(kind.widths), kind.parts)
            ]
            for kind in loaded_memories(config)
        }

    def stored_bits(self, config: AcceleratorConfig) -> dict[str, int]:
        """Give the bits that the image occupies, by memory: padding, indices and biases included."""
        parts = self.parts()
        return {kind.name: parts[kind.name].shape[1] * sum(kind.widths) for kind in loaded_memories(config)}


def _words(parts: np.ndarray, widths: Sequence[int]) -> list[int]:
    """Put the parts [parts, words] of each word side by side, the first lowest."""
    found = [0] * parts.shape[1]
    low = 0
    for values, width in zip(parts.tolist(), widths, strict=True):
        found = [word | (value & (1 << width) - 1) << low for word, value in zip(found, values, strict=True)]
        low += width
    return found


@dataclass(frozen=True)
class Compiled:
    """A model compiled for one configuration.

    Parameters
    ----------
    config : AcceleratorConfig
        The hardware that the image is for.
    image : Image
        Memory contents.
    input_size, output_size, classes : int
        Elements of x, of the last layer's output, and of the logits (0 for a model without a head).
    input_format : Fixed
        Format of x.
    hidden_results, logit_results : "none", "last" or "all"
        The steps that send the last layer's output vector, and the logits. In a step, the vector comes first.
    macs : dict
        Multiply-accumulates with true non-zero weights in one step: of the ``input`` part of the layers, of their
        ``recurrent`` part, and of the ``head``.
    modes : Modes
        Forms of the matrices, and when zero activations are to be skipped.

    Raises
    ------
    BundleError
        The image does not fit the configuration's memories, or a value is outside its range.
    """

    config: AcceleratorConfig
    image: Image
    input_size: int
    output_size: int
    classes: int
    input_format: Fixed
    hidden_results: Results
    logit_results: Results
    macs: dict[str, int]
    modes: Modes = field(default_factory=Modes)

    def __post_init__(self):
        _check_image(self.image, self.config)
        for name, low in (("input_size", 1), ("output_size", 1), ("classes", 0)):
            value = operator.index(getattr(self, name))
            if value < low:
                raise BundleError(f"{name} must be at least {low}, not {value}")
            object.__setattr__(self, name, value)
        for name in ("hidden_results", "logit_results"):
            if getattr(self, name) not in get_args(Results):
                raise BundleError(f"{name} must be one of {get_args(Results)}, not {getattr(self, name)!r}")
        if self.logit_results != "none" and not self.classes:
            raise BundleError("a model without a head has no logits to send")
        if (
            not isinstance(self.macs, dict)
            or set(self.macs) != set(_MACS)
            or any(operator.index(count) < 0 for count in self.macs.values())
        ):
            raise BundleError(f"macs must be a count for each of {_MACS}, not {self.macs!r}")

    def result_count(self, steps: int) -> int:
        """Give the number of transfers on the output stream for a sequence of `steps` steps."""
        return (
            _times(self.hidden_results, steps) * self.output_size
            + _times(self.logit_results, steps) * self.classes
        )

    def useful_macs(self, steps: int, fresh: bool = True) -> int:
        """Give the multiply-accumulates with true non-zero weights of one sequence.

        The recurrent products of the first step of a fresh sequence, whose state is zero, are left out.
        """
        return (
            steps * self.macs["input"]
            + (steps - fresh) * self.macs["recurrent"]
            + _times(self.logit_results, steps) * self.macs["head"]
        )

    def split_results(self, results: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Split a sequence's results by kind.

        Returns
        -------
        hidden : array [n, output_size]
            n = 0, 1 or `steps` by `hidden_results`.
        logits : array [m, classes]
            m = 0, 1 or `steps` by `logit_results`.
        """
        sizes = np.zeros((steps, 2), dtype=np.int64)
        for kind, (sent, size) in enumerate(
            ((self.hidden_results, self.output_size), (self.logit_results, self.classes))
        ):
            sizes[steps - _times(sent, steps) :, kind] = size
        is_logit = np.repeat(np.tile([False, True], steps), sizes.ravel())
        return (
            results[~is_logit].reshape(_times(self.hidden_results, steps), self.output_size),
            results[is_logit].reshape(_times(self.logit_results, steps), self.classes),
        )

    def save(self, path: Path) -> None:
        """Write the compiled model as one ``.npz`` file."""
        meta = {
            "version": _VERSION,
            "config": self.config.to_json(),
            "input_size": self.input_size,
            "output_size": self.output_size,
            "classes": self.classes,
            "input_format": {"bits": self.input_format.bits, "frac": self.input_format.frac},
            "hidden_results": self.hidden_results,
            "logit_results": self.logit_results,
            "macs": self.macs,
            "modes": self.modes.to_json(),
            "program": [f"{op.encode():#034x}" for op in self.image.program],
            "op_names": [op.name for op in self.image.program],
        }
        image = self.image
        write_npz(path, meta, {name: getattr(image, name) for name in _ARRAYS})

    @classmethod
    def load(cls, path: Path) -> "Compiled":
        """Read a compiled model.

        Raises
        ------
        BundleError
            The file is missing, foreign, truncated or inconsistent.
        """
        meta, arrays = read_npz(path, "compiled model", _VERSION, lambda _: _ARRAYS)
        del meta["version"]
        with whole(path, "a sound compiled model", BundleError):
            program = _program(meta.pop("program"), meta.pop("op_names", None))
            config = AcceleratorConfig.from_json(meta.pop("config"))
            input_format = Fixed(**meta.pop("input_format"))
            modes = Modes.from_json(meta.pop("modes"))
            image = Image(program=program, **arrays)
            return cls(config=config, image=image, input_format=input_format, modes=modes, **meta)


def _program(words: Sequence[str], names: Sequence[str] | None) -> tuple[Op, ...]:
    """Decode a program; older files have no names of ops."""
    ops = tuple(Op.decode(int(word, 16)) for word in words)
    if names is None:
        return ops
    if not all(isinstance(name, str) for name in names):
        raise ValueError("names of ops must be texts")
    return tuple(replace(op, name=name) for op, name in zip(ops, names, strict=True))


def _times(results: Results, steps: int) -> int:
    """In how many of `steps` steps a result is sent."""
    return {"none": 0, "last": 1, "all": steps}[results]


def _check_image(image: Image, config: AcceleratorConfig) -> None:
    """Refuse memory contents that the configuration's memories cannot hold."""
    kinds: dict[str, MemoryKind] = {kind.name: kind for kind in loaded_memories(config)}
    for name, dtype, memory, lane_axis in (
        ("weights", np.uint8, "weight", 0),
        ("indices", np.uint32, "index", 0),
        ("columns", np.int64, "column", 1),
        ("biases", np.int32, "bias", 1),
    ):
        values, depth, lanes = getattr(image, name), kinds[memory].depth, len(kinds[memory].widths)
        if values.dtype != dtype:
            raise BundleError(f"the image's {name} must be {np.dtype(dtype)}, not {values.dtype}")
        if values.ndim != 2 or values.shape[lane_axis] != lanes or values.shape[1 - lane_axis] > depth:
            raise BundleError(
                f"the image's {name} must be at most {depth} words of {lanes} lanes, not of shape {values.shape}"
            )
    if image.indices.size and image.indices.max() >> config.index_bits:
        raise BundleError(
            f"the image's indices must fit {config.index_bits} bits, but one is {image.indices.max()}"
        )
    top = config.weight_depth - 1, config.accumulator_rows
    if image.columns.size and ((image.columns < 0) | (image.columns > top)).any():
        raise BundleError(
            f"the image's columns must have offsets from 0 to {top[0]} and counts from 0 to {top[1]}"
        )
    if not 1 <= len(image.program) <= config.program_depth:
        raise BundleError(f"the program must have 1 to {config.program_depth} ops, not {len(image.program)}")
