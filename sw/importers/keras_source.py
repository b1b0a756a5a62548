"""Keras' LSTM and Dense layers in NumPy: what an import is compared with, without Keras."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gatewright.sw.importers.check import Batch, Given
from gatewright.sw.importers.keras_head import KerasHead
from gatewright.sw.importers.keras_layer import KerasLstm


class KerasSource:
    """A stack of LSTM layers and its head, computed from the weights that Keras stored, in double precision."""

    engine = "Keras' equations in NumPy"
    lengths = False

    def __init__(self, layers: Sequence[KerasLstm], head: KerasHead | None):
        self._layers, self._head = layers, head
        self.given: Sequence[Given] = [(True, True)] * len(layers)

    def outputs(self, batch: Batch) -> Tensor:
        """Give the last layer's outputs [steps, batch, outputs], in the order of the steps of the input."""
        values = batch.x.numpy().astype(np.float64)
        backwards = self._layers[0].backwards
        if backwards:
            values = values[::-1]
        for layer, state in zip(self._layers, batch.states, strict=True):
            y, c = (part.numpy().astype(np.float64) for part in state)
            values = _lstm(layer, values, y, c)
        return torch.from_numpy((values[::-1] if backwards else values).astype(np.float32))

    def logits(self, outputs: Tensor) -> Tensor:
        """Give what the head computes of outputs before its activation."""
        assert self._head is not None
        values = outputs.numpy().astype(np.float64)
        for layer in self._head.layers:
            values = values @ layer.kernel + layer.bias
        return torch.from_numpy(values.astype(np.float32))


def _lstm(layer: KerasLstm, x: np.ndarray, y: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Run a layer over x [steps, batch, inputs] from its state: outputs [steps, batch, hidden]."""
    outputs = []
    for step in x:
        i, f, g, o = np.split(step @ layer.kernel + y @ layer.recurrent + layer.bias, 4, axis=-1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        y = _sigmoid(o) * np.tanh(c)
        outputs.append(y)
    return np.stack(outputs)


def _sigmoid(value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-value))
