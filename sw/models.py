"""A float model: a network with the scaling of its raw inputs, and its checkpoint on disk."""

import copy
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import BundleError, DataError
from gatewright.limits import whole
from gatewright.storage import write_bytes
from gatewright.sw.batching import Batch, by_length, pad, pad_targets
from gatewright.sw.determinism import one_thread
from gatewright.sw.metrics import Metric
from gatewright.sw.network import LayerParameters, LstmNetwork, ProductParameters
from gatewright.sw.scores import score
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Split
from gatewright.sw.tensors import load_tensors
from gatewright.texts import parse_json

_VERSION = 3
_WHAT = "a checkpoint of a float model"
_EVALUATION_BATCH = 128


@dataclass(frozen=True)
class FloatModel:
    """A network with the scaling of its raw inputs.

    Parameters
    ----------
    network : LstmNetwork
        In evaluation mode; its inputs are ``(raw - mean) / deviation``.
    mean, deviation : float64 arrays [inputs]
        Of the train split; 0 and 1 for a model that takes raw inputs.
    labels : tuple of str
        Names of the outputs, one for each row of the head; none without a head.
    settings : TrainSettings
        How it was trained, and how it is trained further.
    history : tuple of float
        Validation score after each epoch.
    notes : dict
        Where it comes from, and its scores; plain JSON values.
    """

    network: LstmNetwork
    mean: np.ndarray
    deviation: np.ndarray
    labels: tuple[str, ...]
    settings: TrainSettings
    history: tuple[float, ...] = ()
    notes: dict = field(default_factory=dict)

    def trained_with(self, **changes: Any) -> "FloatModel":
        """Return the model with other settings of further training, by their names in `TrainSettings`.

        Raises
        ------
        ConfigError
            A value is outside its range.
        """
        settings = dataclasses.replace(self.settings, **changes)
        network = copy.deepcopy(self.network)
        network.dropout.p = settings.dropout
        return dataclasses.replace(self, network=network, settings=settings)

    def standardise(self, sequences: Sequence[np.ndarray]) -> list[Tensor]:
        """Scale raw sequences to the network's inputs.

        Raises
        ------
        DataError
            A sequence has another number of features.
        """
        for k, s in enumerate(sequences):
            if s.shape[1:] != self.mean.shape:
                raise DataError(f"sequence {k} must be [steps, {len(self.mean)}], not of shape {s.shape}")
        return [torch.from_numpy(((s - self.mean) / self.deviation).astype(np.float32)) for s in sequences]

    def score(self, split: Split, metric: Metric) -> float:
        """Give the metric on a split."""
        return score(self._predict(split), metric)

    @one_thread()
    @torch.no_grad()
    def outputs(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Give the last layer's outputs [steps, outputs] for raw sequences, each from a fresh state: float32."""
        self.network.eval()
        return [self.network(x[:, None])[:, 0].numpy() for x in self.standardise(sequences)]

    @one_thread()
    @torch.no_grad()
    def results(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return what the model gives in every step of raw sequences: logits, or outputs without a head: float32."""
        outputs = [torch.from_numpy(each) for each in self.outputs(sequences)]
        return [self.network.logits(each).numpy() for each in outputs]

    def _predict(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        self.network.eval()
        x = self.standardise(split.sequences)
        lengths = torch.tensor([len(s) for s in x])
        for indices in by_length(lengths, _EVALUATION_BATCH):
            batch = Batch(pad(x, indices), lengths[indices], pad_targets(split.targets, indices))
            with one_thread(), torch.no_grad():
                yield batch.logits(self.network), batch.targets

    def save(self, path: str | Path) -> None:
        """Write a checkpoint; the file appears whole or not at all."""
        stored = {
            "version": _VERSION,
            "parameters": {name: [*product.factors] for name, product in self.network.products().items()},
            "biases": [layer.bias for layer in self.network.layers],
            "head_bias": self.network.head_bias,
            "mean": torch.from_numpy(self.mean),
            "deviation": torch.from_numpy(self.deviation),
            "labels": list(self.labels),
            "settings": dataclasses.asdict(self.settings),
            "history": list(self.history),
            "notes": json.dumps(self.notes),
        }
        content = io.BytesIO()
        torch.save(stored, content)
        write_bytes(Path(path), content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "FloatModel":
        """Read a checkpoint; nothing in the file is executed.

        Raises
        ------
        BundleError
            The file is missing, foreign, truncated or of another version.
        """
        path = Path(path)
        stored = load_tensors(path, _WHAT, BundleError)
        with whole(path, _WHAT, BundleError):
            if stored["version"] != _VERSION:
                raise BundleError(
                    f"{path}: checkpoint version {stored['version']}; this release reads version {_VERSION}"
                )
            settings = TrainSettings(**stored["settings"])
            products = {name: ProductParameters(*factors) for name, factors in stored["parameters"].items()}
            layers = [
                LayerParameters(
                    products[f"layer{k}.input"],
                    products[f"layer{k}.recurrent"],
                    bias,
                    products.get(f"layer{k}.projection"),
                )
                for k, bias in enumerate(stored["biases"])
            ]
            network = LstmNetwork(layers, products.get("head"), stored["head_bias"], settings.dropout)
            mean, deviation = stored["mean"].numpy(), stored["deviation"].numpy()
            labels = tuple(stored["labels"])
            classes = 0 if network.head is None else network.head.rows
            if mean.shape != deviation.shape or mean.shape != (network.input_size,) or len(labels) != classes:
                raise ValueError("the scaling or the labels do not suit the network")
            return cls(
                network.eval(),
                mean,
                deviation,
                labels,
                settings,
                tuple(stored["history"]),
                parse_json(stored["notes"], finite=False),
            )
