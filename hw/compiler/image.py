"""The contents of the accelerator's memories, and how they travel and are counted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewright.errors import BundleError, GatewrightError
from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.interface import Region, load_address
from gatewright.hw.ops import OP_BITS, Op
from gatewright.storage import read_npz, write_npz
from gatewright.sw.numbers import ACCUMULATOR, Fixed

_VERSION = 1


@dataclass(frozen=True)
class Image:
    """Memory contents of one model on one configuration.

    Parameters
    ----------
    weights : uint8 array [lanes, words]
        Packed words of the weight memories.
    indices : uint16 array [lanes, entries]
        Accumulator rows of the sparse matrices' weights.
    biases : int32 array [groups, drain_lanes]
        One group for every group of accumulators that is drained.
    program : tuple of Op
        One time step; its last op has `end` set.
    """

    weights: np.ndarray
    indices: np.ndarray
    biases: np.ndarray
    program: tuple[Op, ...]

    def load_words(self) -> np.ndarray:
        """Give every word for the load bus as uint32 [words, 2]: address, data."""
        parts = []
        for region, values in (
            (Region.WEIGHT, self.weights),
            (Region.INDEX, self.indices),
            (Region.BIAS, self.biases.T),
            (Region.PROGRAM, self._program_words().T),
        ):
            lanes, words = values.shape
            base = np.array([load_address(region, lane, 0) for lane in range(lanes)], dtype=np.int64)
            address = base[:, None] + np.arange(words)
            data = values.astype(np.int64) & 0xFFFFFFFF
            parts.append(np.stack([address.ravel(), data.ravel()], axis=1))
        return np.concatenate(parts).astype(np.uint32)

    def _program_words(self) -> np.ndarray:
        shifts = range(0, OP_BITS, 32)
        return np.array(
            [[(op.encode() >> s) & 0xFFFFFFFF for s in shifts] for op in self.program], dtype=np.int64
        )

    def stored_bits(self, config: AcceleratorConfig) -> dict[str, int]:
        """Give the bits that the image occupies, by memory: padding, indices and biases included."""
        return {
            "weight": self.weights.size * WEIGHT_BITS,
            "index": self.indices.size * config.index_bits,
            "bias": self.biases.size * ACCUMULATOR.bits,
            "program": len(self.program) * OP_BITS,
        }


@dataclass(frozen=True)
class Compiled:
    """A model compiled for one configuration.

    Parameters
    ----------
    config : AcceleratorConfig
        The hardware that the image is for.
    image : Image
        Memory contents.
    input_size, hidden_size, classes : int
        Elements of x, of the last layer's h, and of the logits.
    input_format : Fixed
        Format of x.
    hidden_results, logit_results : bool
        Whether results hold the hidden vector of every step, and the logits behind the last one.
    input_macs, recurrent_macs : int
        Multiply-accumulates with true non-zero weights in one step, by the part of the layers; the head is left out.
    """

    config: AcceleratorConfig
    image: Image
    input_size: int
    hidden_size: int
    classes: int
    input_format: Fixed
    hidden_results: bool
    logit_results: bool
    input_macs: int
    recurrent_macs: int

    def result_count(self, steps: int) -> int:
        """Give the number of transfers on the output stream for a sequence of `steps` steps."""
        return self.hidden_results * steps * self.hidden_size + self.logit_results * self.classes

    def useful_macs(self, steps: int) -> int:
        """Give the multiply-accumulates with true non-zero weights of a fresh sequence, the head left out.

        The recurrent product of the first step, whose state is zero, is not done and does not count.
        """
        return steps * self.input_macs + (steps - 1) * self.recurrent_macs

    def split_results(self, results: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Split a sequence's results into hidden [steps, hidden_size] (or [0, ...]) and logits [classes] (or [0])."""
        cut = self.hidden_results * steps * self.hidden_size
        return results[:cut].reshape(-1, self.hidden_size), results[cut:]

    def save(self, path: Path) -> None:
        """Write the compiled model as one ``.npz`` file."""
        meta = {
            "version": _VERSION,
            "config": self.config.to_json(),
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            "classes": self.classes,
            "input_format": {"bits": self.input_format.bits, "frac": self.input_format.frac},
            "hidden_results": self.hidden_results,
            "logit_results": self.logit_results,
            "input_macs": self.input_macs,
            "recurrent_macs": self.recurrent_macs,
            "program": [f"{op.encode():#034x}" for op in self.image.program],
        }
        image = self.image
        write_npz(path, meta, {"weights": image.weights, "indices": image.indices, "biases": image.biases})

    @classmethod
    def load(cls, path: Path) -> "Compiled":
        """Read a compiled model.

        Raises
        ------
        BundleError
            The file is missing, foreign or truncated.
        """
        meta, arrays = read_npz(path, "compiled model", _VERSION)
        del meta["version"]
        try:
            program = tuple(Op.decode(int(word, 16)) for word in meta.pop("program"))
            config = AcceleratorConfig.from_json(meta.pop("config"))
            input_format = Fixed(**meta.pop("input_format"))
            return cls(
                config=config, image=Image(program=program, **arrays), input_format=input_format, **meta
            )
        except GatewrightError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"{path}: not a complete compiled model (missing or wrong entry {error})"
            ) from error
