"""The Dense layers that are the head of a Keras model."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.importers.keras_graph import KerasGraph
from gatewright.sw.importers.keras_layer import KerasDense, KerasLstm, read_dense


@dataclass(frozen=True)
class KerasHead:
    """Dense layers of which each takes what the one before it gives: together one linear layer.

    Parameters
    ----------
    layers : tuple of KerasDense
        At least one; only the last may have an activation.
    """

    layers: tuple[KerasDense, ...]

    @property
    def activation(self) -> str:
        """What the host computes of the logits."""
        return self.layers[-1].activation

    def folded(self) -> tuple[Tensor, Tensor]:
        """Multiply the layers out: weight [classes, outputs] and bias [classes] in float32."""
        first, *rest = self.layers
        kernel, bias = first.kernel.astype(np.float64), first.bias.astype(np.float64)
        for layer in rest:
            kernel, bias = kernel @ layer.kernel, bias @ layer.kernel + layer.bias
        return torch.from_numpy(kernel.T.astype(np.float32)), torch.from_numpy(bias.astype(np.float32))


def find_head(graph: KerasGraph, top: KerasLstm, name: str | None) -> tuple[KerasHead | None, list[str]]:
    """Find the Dense layers that follow on an LSTM, up to the one that was asked for.

    Returns
    -------
    head : KerasHead or None
        None where nothing follows that can be a head.
    advice : list of str
        Why others were left out.

    Raises
    ------
    ModelImportError
        The layer that was asked for does not follow on the LSTM, or several do and none was asked for.
    """
    if top.both:
        if name is not None:
            raise ModelImportError(
                f"{_asked(graph, name)}: both directions of {top.layer.what}, which are two models, meet there"
            )
        return None, []
    heads, advice = [], []
    for layer, output in graph.above(top.layer):
        try:
            # The last state is the last output; the other state is the cell's own.
            if output > (1 if top.layer.config.get("return_state") else 0):
                raise ModelImportError(f"{layer.what}: takes a state of {top.layer.what}, not its outputs")
            heads.append(_chain(graph, read_dense(layer), len(top.recurrent)))
        except ModelImportError as cause:
            if layer.name == name:
                raise
            advice.append(f"left out: {cause}")
    if name is None:
        if len(heads) > 1:
            choices = ", ".join(f"--head {head.layers[-1].layer.name}" for head in heads)
            raise ModelImportError(
                f"{len(heads)} Dense layers follow on {top.layer.what}; choose one: {choices}"
            )
        return (heads[0] if heads else None), list(dict.fromkeys(advice))
    for head in heads:
        names = [dense.layer.name for dense in head.layers]
        if name in names:
            return KerasHead(head.layers[: names.index(name) + 1]), []
    followers = ", ".join(layer.what for layer, _ in graph.above(top.layer)) or "nothing"
    raise ModelImportError(
        f"{_asked(graph, name)}: does not follow directly on {top.layer.what}: what follows there is {followers}"
    )


def _asked(graph: KerasGraph, name: str) -> str:
    if name not in graph.layers:
        raise ModelImportError(f"no layer named {name!r}; there are {', '.join(map(repr, graph.layers))}")
    return graph.layers[name].what


def _chain(graph: KerasGraph, first: KerasDense, inputs: int) -> KerasHead:
    """Follow Dense layers without activation to the last one."""
    layers = [first]
    while layers[-1].activation == "linear":
        users = list(graph.above(layers[-1].layer))
        if len(users) != 1:
            break
        try:
            layers.append(read_dense(users[0][0]))
        except ModelImportError:
            # Another layer follows, which is listed as left out.
            break
    for layer in layers:
        if len(layer.kernel) != inputs:
            raise ModelImportError(
                f"{layer.layer.what} takes {len(layer.kernel)} inputs, but what it follows gives {inputs}"
            )
        inputs = layer.kernel.shape[1]
    return KerasHead(tuple(layers))
