"""The integer model: what compression makes, the compiler reads and every run keeps on disk."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from gatewright.errors import AccumulatorOverflowError, BundleError, DataError
from gatewright.storage import read_npz, write_npz
from gatewright.sw.numbers import ACCUMULATOR, STATE, Fixed, hidden_format

GATES = ("input", "forget", "cell", "output")
"""Order of the gate blocks in the rows of gate matrices: i f g o, as in PyTorch."""

_VERSION = 1


@dataclass(frozen=True)
class Matrix:
    """An integer matrix: ``W = values * 2**-format.frac``.

    Parameters
    ----------
    values : int8 array [rows, columns]
        Entries in LSB of `format`; zeros are prunable in sparse mode.
    format : Fixed
        2, 4 or 8 bits.
    """

    values: np.ndarray
    format: Fixed

    def __post_init__(self):
        values = np.asarray(self.values)
        if self.format.bits not in (2, 4, 8):
            raise BundleError(f"weights must have 2, 4 or 8 bits, not {self.format.bits}")
        if values.ndim != 2 or values.size == 0:
            raise BundleError(f"a matrix must have two non-empty dimensions, not shape {values.shape}")
        if not np.issubdtype(values.dtype, np.integer):
            raise BundleError(f"a matrix must hold integers, not {values.dtype}")
        if values.min() < self.format.min or values.max() > self.format.max:
            raise BundleError(
                f"weights of {self.format.bits} bits must be from {self.format.min} to {self.format.max}, "
                f"not {values.min()} to {values.max()}"
            )
        object.__setattr__(self, "values", values.astype(np.int8))

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return self.values.shape[0]

    @property
    def columns(self) -> int:
        """Number of inputs."""
        return self.values.shape[1]

    @property
    def density(self) -> float:
        """Share of entries that are not zero."""
        return float(np.count_nonzero(self.values)) / self.values.size


def _bias(values: np.ndarray, rows: int, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (rows,) or not np.issubdtype(values.dtype, np.integer):
        raise BundleError(f"{what} bias must be {rows} integers, not {values.dtype} of shape {values.shape}")
    if values.min() < ACCUMULATOR.min or values.max() > ACCUMULATOR.max:
        raise BundleError(
            f"{what} bias must fit {ACCUMULATOR.bits} bits, not {values.min()} to {values.max()}"
        )
    return values.astype(np.int32)


def _prove_accumulators(what: str, bias: np.ndarray, margin: int, *parts: tuple[Matrix, Fixed, int]) -> None:
    """Show that no input can overflow an accumulator: Σ|w|·|x|max·2^shift + |bias| + margin < 2^31.

    Each part is (matrix, format of its input, left shift). The magnitude -2^(n-1)
    of the input is counted, so the proof holds for any integers, not only likely ones.
    """
    bound = np.abs(bias.astype(object)) + margin
    for matrix, source, shift in parts:
        row_sums = np.abs(matrix.values.astype(np.int64)).sum(axis=1).astype(object)
        bound = bound + row_sums * (-source.min << shift)
    worst = int(np.argmax(bound))
    if bound[worst] > ACCUMULATOR.max:
        raise AccumulatorOverflowError(
            f"{what}: row {worst} can reach {bound[worst]}, beyond the accumulator's {ACCUMULATOR.max}; "
            "use fewer fractional bits for the weights or the input, or smaller weights"
        )


@dataclass(frozen=True)
class LstmLayer:
    """One LSTM layer in integers.

    Parameters
    ----------
    input_format : Fixed
        Format of the layer's input x.
    input : Matrix [4*hidden, inputs]
        W_ih, gate blocks in the order i f g o.
    recurrent : Matrix [4*hidden, hidden]
        W_hh, same row order.
    bias : int32 array [4*hidden]
        Sum of both biases, in LSB of the accumulator (2**-accumulator_frac).

    Raises
    ------
    BundleError
        Shapes or ranges disagree.
    AccumulatorOverflowError
        Some input could overflow a 32-bit accumulator.
    """

    input_format: Fixed
    input: Matrix
    recurrent: Matrix
    bias: np.ndarray

    def __post_init__(self):
        rows = self.recurrent.rows
        if rows != 4 * self.recurrent.columns or self.input.rows != rows:
            raise BundleError(
                "an LSTM layer needs W_ih [4*hidden, inputs] and W_hh [4*hidden, hidden], "
                f"not {self.input.values.shape} and {self.recurrent.values.shape}"
            )
        object.__setattr__(self, "bias", _bias(self.bias, rows, "LSTM"))
        if self.requantise_shift > 31 or max(self.input_shift, self.recurrent_shift) > 31:
            raise BundleError(
                f"the formats of input ({self.input_format}), W_ih ({self.input.format}) and "
                f"W_hh ({self.recurrent.format}) are more than 31 bits apart"
            )
        rounding = (1 << self.requantise_shift) >> 1
        _prove_accumulators(
            "LSTM layer",
            self.bias,
            rounding,
            (self.input, self.input_format, self.input_shift),
            (self.recurrent, self.hidden_format, self.recurrent_shift),
        )

    @property
    def input_size(self) -> int:
        """Elements of x."""
        return self.input.columns

    @property
    def hidden_size(self) -> int:
        """Elements of h."""
        return self.recurrent.columns

    @property
    def hidden_format(self) -> Fixed:
        """Format of h; it has as many bits as x."""
        return hidden_format(self.input_format.bits)

    @property
    def accumulator_frac(self) -> int:
        """Fractional bits of accumulators and bias: those of the finer product, at least those of `STATE`."""
        return max(
            self.input_format.frac + self.input.format.frac,
            self.hidden_format.frac + self.recurrent.format.frac,
            STATE.frac,
        )

    @property
    def input_shift(self) -> int:
        """Left shift that aligns the products of W_ih, in bits."""
        return self.accumulator_frac - self.input_format.frac - self.input.format.frac

    @property
    def recurrent_shift(self) -> int:
        """Left shift that aligns the products of W_hh, in bits."""
        return self.accumulator_frac - self.hidden_format.frac - self.recurrent.format.frac

    @property
    def requantise_shift(self) -> int:
        """Rounding right shift from the accumulator to a pre-activation, in bits."""
        return self.accumulator_frac - STATE.frac


@dataclass(frozen=True)
class Head:
    """The linear layer behind the last hidden vector; its logits stay 32-bit accumulators.

    Parameters
    ----------
    input_format : Fixed
        Format of the hidden vector.
    matrix : Matrix [classes, hidden]
        Output weights.
    bias : int32 array [classes]
        In LSB of the accumulator, 2**-(input_format.frac + matrix.format.frac).
    """

    input_format: Fixed
    matrix: Matrix
    bias: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "bias", _bias(self.bias, self.matrix.rows, "head"))
        _prove_accumulators("head", self.bias, 0, (self.matrix, self.input_format, 0))

    @property
    def logit_frac(self) -> int:
        """Fractional bits of the logits."""
        return self.input_format.frac + self.matrix.format.frac


@dataclass(frozen=True)
class Bundle:
    """A whole integer model with the scaling of its raw inputs.

    Parameters
    ----------
    layers : tuple of LstmLayer
        Each layer's input is the hidden vector of the one before it.
    head : Head
        Classifier on the last layer's hidden vector of the last step.
    mean, deviation : float64 arrays [inputs]
        Raw features become ``x = quantise((raw - mean) / deviation)``.
    labels : tuple of str
        Class names, one per logit.
    notes : dict
        Where the model comes from (task, seed, density, ...); plain JSON values.
    """

    layers: tuple[LstmLayer, ...]
    head: Head
    mean: np.ndarray
    deviation: np.ndarray
    labels: tuple[str, ...]
    notes: dict = field(default_factory=dict)

    def __post_init__(self):
        if not self.layers:
            raise BundleError("a bundle needs at least one layer")
        for lower, upper in pairwise(self.layers):
            if upper.input_size != lower.hidden_size or upper.input_format != lower.hidden_format:
                raise BundleError(
                    f"a layer takes {upper.input_size} inputs ({upper.input_format}), but the layer below gives "
                    f"{lower.hidden_size} ({lower.hidden_format})"
                )
        last = self.layers[-1]
        if self.head.matrix.columns != last.hidden_size or self.head.input_format != last.hidden_format:
            raise BundleError(
                f"the head takes {self.head.matrix.columns} inputs ({self.head.input_format}), but the last layer "
                f"gives {last.hidden_size} ({last.hidden_format})"
            )
        if len(self.labels) != self.head.matrix.rows:
            raise BundleError(f"{len(self.labels)} labels for {self.head.matrix.rows} logits")
        for name in ("mean", "deviation"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.shape != (self.input_size,) or not np.isfinite(values).all():
                raise BundleError(
                    f"{name} must be {self.input_size} finite numbers, not shape {values.shape}"
                )
            object.__setattr__(self, name, values)
        if (self.deviation <= 0).any():
            raise BundleError("deviation must be positive in every element")
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "layers", tuple(self.layers))

    @property
    def input_size(self) -> int:
        """Elements of one step's input."""
        return self.layers[0].input_size

    @property
    def input_format(self) -> Fixed:
        """Format of the first layer's input."""
        return self.layers[0].input_format

    def quantise_input(self, raw: np.ndarray) -> np.ndarray:
        """Turn raw features [..., inputs] into integers x (int64), in LSB of `input_format`.

        Raises
        ------
        DataError
            The features are not those of the model.
        """
        raw = np.asarray(raw, dtype=np.float64)
        if raw.shape[-1:] != (self.input_size,):
            raise DataError(
                f"raw inputs must have {self.input_size} features per step, not shape {raw.shape}"
            )
        return self.input_format.quantise((raw - self.mean) / self.deviation)

    def save(self, path: Path) -> None:
        """Write the bundle as one ``.npz`` file (plain arrays and JSON, nothing executable)."""
        arrays = {"mean": self.mean, "deviation": self.deviation}
        meta: dict = {"version": _VERSION, "labels": self.labels, "notes": self.notes, "layers": []}
        for k, layer in enumerate(self.layers):
            meta["layers"].append(
                {
                    "input_format": _format_to_json(layer.input_format),
                    "input": _format_to_json(layer.input.format),
                    "recurrent": _format_to_json(layer.recurrent.format),
                }
            )
            arrays[f"layer{k}_input"] = layer.input.values
            arrays[f"layer{k}_recurrent"] = layer.recurrent.values
            arrays[f"layer{k}_bias"] = layer.bias
        meta["head"] = {
            "input_format": _format_to_json(self.head.input_format),
            "matrix": _format_to_json(self.head.matrix.format),
        }
        arrays["head_matrix"] = self.head.matrix.values
        arrays["head_bias"] = self.head.bias
        write_npz(path, meta, arrays)

    @classmethod
    def load(cls, path: Path) -> "Bundle":
        """Read a bundle.

        Raises
        ------
        BundleError
            The file is missing, foreign, truncated or inconsistent.
        """
        meta, arrays = read_npz(path, "bundle", _VERSION)
        try:
            layers = tuple(
                LstmLayer(
                    input_format=Fixed(**entry["input_format"]),
                    input=Matrix(arrays[f"layer{k}_input"], Fixed(**entry["input"])),
                    recurrent=Matrix(arrays[f"layer{k}_recurrent"], Fixed(**entry["recurrent"])),
                    bias=arrays[f"layer{k}_bias"],
                )
                for k, entry in enumerate(meta["layers"])
            )
            head = Head(
                input_format=Fixed(**meta["head"]["input_format"]),
                matrix=Matrix(arrays["head_matrix"], Fixed(**meta["head"]["matrix"])),
                bias=arrays["head_bias"],
            )
            return cls(
                layers, head, arrays["mean"], arrays["deviation"], tuple(meta["labels"]), meta["notes"]
            )
        except (KeyError, TypeError) as error:
            raise BundleError(f"{path}: not a complete bundle (missing or wrong entry {error})") from error


def _format_to_json(format: Fixed) -> dict:
    return {"bits": format.bits, "frac": format.frac}
