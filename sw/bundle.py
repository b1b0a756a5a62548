"""The integer model: what compression makes, the compiler reads and every run keeps on disk."""

import dataclasses
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from gatewright.errors import BundleError, DataError
from gatewright.limits import whole
from gatewright.storage import read_npz, write_npz
from gatewright.sw.layers import GATES, Head, LstmLayer, Projection
from gatewright.sw.numbers import Fixed
from gatewright.sw.products import LowRank, Matrix, Product, Stage

__all__ = [
    "GATES",
    "Bundle",
    "Head",
    "LowRank",
    "LstmLayer",
    "Matrix",
    "Product",
    "Projection",
    "Stage",
]

_VERSION = 2

_MOST_BYTES = 2**28
"""Of a file, and of its arrays: all the weights that the largest accelerator holds, four to a byte of its memories."""


@dataclass(frozen=True)
class Bundle:
    """A whole integer model with the scaling of its raw inputs.

    Parameters
    ----------
    layers : tuple of LstmLayer
        Each layer's input is the output of the one before it.
    head : Head, optional
        Classifier on the last layer's output; without it the model gives the outputs themselves.
    mean, deviation : float64 arrays [inputs]
        Raw features become ``x = quantise((raw - mean) / deviation)``.
    labels : tuple of str
        Class names, one per logit; none without a head.
    notes : dict
        Where the model comes from (task, seed, density, ...); plain JSON values.
    """

    layers: tuple[LstmLayer, ...]
    head: Head | None
    mean: np.ndarray
    deviation: np.ndarray
    labels: tuple[str, ...]
    notes: dict = field(default_factory=dict)

    def __post_init__(self):
        if not self.layers:
            raise BundleError("a bundle needs at least one layer")
        for lower, upper in pairwise(self.layers):
            _check_fit("a layer", upper.input_size, upper.input_format, lower)
        classes = 0
        if self.head is not None:
            classes = self.head.matrix.rows
            _check_fit("the head", self.head.matrix.columns, self.head.input_format, self.layers[-1])
        if len(self.labels) != classes:
            raise BundleError(f"{len(self.labels)} labels for {classes} logits")
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

    @property
    def products(self) -> dict[str, tuple[Product, Fixed]]:
        """Every product and the format of the vector that it takes: ``layer0.input``, ``head`` and so on."""
        products: dict[str, tuple[Product, Fixed]] = {}
        for k, layer in enumerate(self.layers):
            products[f"layer{k}.input"] = layer.input, layer.input_format
            products[f"layer{k}.recurrent"] = layer.recurrent, layer.output_format
            if layer.projection is not None:
                products[f"layer{k}.projection"] = layer.projection.matrix, layer.hidden_format
        if self.head is not None:
            products["head"] = self.head.matrix, self.head.input_format
        return products

    @property
    def matrices(self) -> dict[str, Stage]:
        """Every matrix and the format of the vector that it takes.

        Named as `products`; the factors of a low-rank product are ``layer0.input.first`` and ``layer0.input.second``.
        """
        matrices: dict[str, Stage] = {}
        for name, (product, source) in self.products.items():
            names = (f"{name}.first", f"{name}.second") if isinstance(product, LowRank) else (name,)
            matrices.update(zip(names, product.stages(source), strict=True))
        return matrices

    @property
    def accumulator_bits(self) -> int:
        """Width of accumulators that no input of the model can overflow, the narrowest."""
        bounds = [layer.accumulator_bound for layer in self.layers]
        if self.head is not None:
            bounds.append(self.head.accumulator_bound)
        return max(bounds).bit_length() + 1

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
        formats = {"input": self.input_format}
        for name, stage in self.matrices.items():
            arrays[name] = stage.matrix.values
            formats[name] = stage.matrix.format
        for name, (product, _) in self.products.items():
            if isinstance(product, LowRank):
                formats[f"{name}.middle"] = product.middle
        for k, layer in enumerate(self.layers):
            arrays[f"layer{k}.bias"] = layer.bias
            if layer.projection is not None:
                formats[f"layer{k}.output"] = layer.projection.format
        if self.head is not None:
            arrays["head.bias"] = self.head.bias
        meta = {
            "version": _VERSION,
            "labels": self.labels,
            "notes": self.notes,
            "layers": len(self.layers),
            "formats": {name: dataclasses.asdict(format) for name, format in formats.items()},
        }
        write_npz(path, meta, arrays)

    @classmethod
    def load(cls, path: Path) -> "Bundle":
        """Read a bundle.

        Raises
        ------
        BundleError
            The file is missing, foreign, truncated or inconsistent.
        """
        meta, arrays = read_npz(path, "bundle", _VERSION, _array_names, _MOST_BYTES)
        with whole(path, "a complete bundle", BundleError):
            formats = {name: Fixed(**values) for name, values in meta["formats"].items()}

            def matrix(name: str) -> Matrix:
                return Matrix(arrays[name], formats[name])

            def product(name: str) -> Product:
                if f"{name}.middle" not in formats:
                    return matrix(name)
                return LowRank(matrix(f"{name}.first"), formats[f"{name}.middle"], matrix(f"{name}.second"))

            layers: list[LstmLayer] = []
            source = formats["input"]
            for k in range(meta["layers"]):
                name = f"layer{k}"
                projection = None
                if f"{name}.output" in formats:
                    projection = Projection(matrix(f"{name}.projection"), formats[f"{name}.output"])
                layers.append(
                    LstmLayer(
                        source,
                        product(f"{name}.input"),
                        product(f"{name}.recurrent"),
                        arrays[f"{name}.bias"],
                        projection,
                    )
                )
                source = layers[-1].output_format
            head = Head(source, product("head"), arrays["head.bias"]) if "head.bias" in arrays else None
            return cls(
                tuple(layers), head, arrays["mean"], arrays["deviation"], tuple(meta["labels"]), meta["notes"]
            )


def _array_names(meta: dict) -> set[str]:
    """Give the names of all arrays of a bundle by its meta data, which must speak of these and of nothing else."""
    formats, layers = set(meta["formats"]), meta["layers"]
    if set(meta) != {"version", "labels", "notes", "layers", "formats"}:
        raise ValueError(f"entries {', '.join(sorted(meta))}")
    if not isinstance(layers, int) or not 1 <= layers <= len(formats):
        raise ValueError(f"{layers!r} layers")
    if not isinstance(meta["notes"], dict) or not isinstance(meta["labels"], list):
        raise ValueError("notes must be an object, and labels a list")
    if not all(isinstance(label, str) for label in meta["labels"]):
        raise ValueError("labels must be texts")
    products, matrices, told = [], set(), {"input"}
    for k in range(layers):
        products += [f"layer{k}.input", f"layer{k}.recurrent"]
        if f"layer{k}.output" in formats:
            matrices.add(f"layer{k}.projection")
            told.add(f"layer{k}.output")
    biases = {f"layer{k}.bias" for k in range(layers)}
    if "head" in formats or "head.middle" in formats:
        products.append("head")
        biases.add("head.bias")
    for name in products:
        low_rank = f"{name}.middle" in formats
        matrices |= {f"{name}.first", f"{name}.second"} if low_rank else {name}
        told |= {f"{name}.middle"} if low_rank else set()
    if formats != told | matrices:
        raise ValueError(f"formats of {', '.join(sorted(formats ^ (told | matrices))[:4])}")
    return matrices | biases | {"mean", "deviation"}


def _check_fit(what: str, size: int, source: Fixed, lower: LstmLayer) -> None:
    if size != lower.output_size or source != lower.output_format:
        raise BundleError(
            f"{what} takes {size} inputs ({source}), but the layer below gives {lower.output_size} "
            f"({lower.output_format})"
        )
