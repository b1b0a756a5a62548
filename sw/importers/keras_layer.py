"""Keras' LSTM and Dense layers as parameters, or the reason why one cannot be taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gatewright.errors import ModelImportError
from gatewright.sw.importers.keras_graph import KerasLayer, activation, class_name
from gatewright.sw.importers.weights import exact_float32
from gatewright.sw.network import LayerParameters, ProductParameters

DIRECTIONS = ("forward", "reverse")
"""Names of the passes of a Bidirectional layer."""

RECURRENT = frozenset(
    {"Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "CuDNNGRU", "CuDNNLSTM", "GRU", "LSTM", "RNN"}
    | {"SimpleRNN"}
)
_ON_THE_HOST = ("sigmoid", "softmax", "log_softmax")


@dataclass(frozen=True)
class KerasLstm:
    """One pass of an LSTM layer.

    Parameters
    ----------
    layer : KerasLayer
        ``LSTM``, or ``Bidirectional`` around one.
    both : bool
        The layer has a second pass, which is not this one.
    backwards : bool
        Reads sequences from their end.
    sequences : bool
        Keras gives the outputs of every step, not only of the last.
    kernel, recurrent, bias : float32 arrays [inputs, 4*hidden], [hidden, 4*hidden], [4*hidden]
        As Keras stores them: gates i, f, c, o.
    """

    layer: KerasLayer
    both: bool
    backwards: bool
    sequences: bool
    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray

    def parameters(self) -> LayerParameters:
        """Give the layer's parameters: kernels turned, gates as they are."""
        kernel, recurrent, bias = (
            torch.from_numpy(part) for part in (self.kernel, self.recurrent, self.bias)
        )
        return LayerParameters(ProductParameters(kernel.T), ProductParameters(recurrent.T), bias)


@dataclass(frozen=True)
class KerasDense:
    """A Dense layer that can be the head.

    Parameters
    ----------
    layer : KerasLayer
        ``Dense``, or ``TimeDistributed`` around one.
    kernel, bias : float32 arrays [outputs, classes], [classes]
    activation : str
        Of Keras' own outputs; the host's business.
    """

    layer: KerasLayer
    kernel: np.ndarray
    bias: np.ndarray
    activation: str


def read_lstm(layer: KerasLayer, direction: str | None) -> KerasLstm:
    """Give the LSTM of a layer that is honoured in all that it does.

    Parameters
    ----------
    layer : KerasLayer
    direction : str, optional
        ``forward`` or ``reverse``, of a ``Bidirectional`` layer.

    Raises
    ------
    ModelImportError
        It is another layer, or one of its options is not honoured; the text says what to change.
    """
    refusal = _other_kind(layer)
    if refusal:
        raise ModelImportError(f"{layer.what}: {refusal}")
    both = layer.kind == "Bidirectional"
    if both and direction not in DIRECTIONS:
        raise ModelImportError(
            f"{layer.what}: the accelerator runs one direction at a time; import {layer.name}:forward and "
            f"{layer.name}:reverse (--lstm) as two models, whose outputs the host brings together "
            f"(merge_mode {layer.config.get('merge_mode')!r})"
        )
    if not both and direction is not None:
        raise ModelImportError(f"{layer.what}: is not bidirectional; ask for {layer.name} alone")
    _check_training(layer)
    _check_use(layer)
    config, weights = _pass(layer, direction)
    _check_options(layer.what, config)
    kernel, recurrent, bias = _weights(
        layer, weights, ("kernel", "recurrent kernel"), bool(config.get("use_bias", True))
    )
    units = config["units"]
    if recurrent.shape != (units, 4 * units) or kernel.shape[1:] != (4 * units,) or not len(kernel):
        raise ModelImportError(
            f"{layer.what}: its weights have the shapes {kernel.shape} and {recurrent.shape}; a layer of {units} units "
            f"has (inputs, {4 * units}) and ({units}, {4 * units})"
        )
    return KerasLstm(
        layer,
        both,
        bool(config.get("go_backwards")),
        bool(config.get("return_sequences")),
        kernel,
        recurrent,
        np.zeros(4 * units, np.float32) if bias is None else bias,
    )


def read_dense(layer: KerasLayer) -> KerasDense:
    """Give the linear layer of a ``Dense`` layer.

    Raises
    ------
    ModelImportError
        It is another layer, or one of its options is not honoured.
    """
    _check_training(layer)
    config = layer.config
    if layer.kind == "TimeDistributed":
        inner = config["layer"]
        if class_name(inner) != "Dense":
            raise ModelImportError(
                f"{layer.what}: wraps a {class_name(inner)} layer; only Dense can be the head"
            )
        config = inner["config"]
    elif layer.kind != "Dense":
        raise ModelImportError(f"{layer.what}: only a Dense layer can be the head")
    _check_use(layer)
    _check_float32(layer.what, config)
    name = activation(config.get("activation"))
    if name not in ("linear", *_ON_THE_HOST):
        raise ModelImportError(
            f"{layer.what}: activation {name!r} is not honoured in a head; set it to None, and let the host compute it"
        )
    kernel, _, bias = _weights(layer, layer.weights, ("kernel",), bool(config.get("use_bias", True)))
    if kernel.ndim != 2 or kernel.shape[1] != config["units"]:
        raise ModelImportError(
            f"{layer.what}: its kernel has the shape {kernel.shape}, for {config['units']} units"
        )
    return KerasDense(layer, kernel, np.zeros(kernel.shape[1], np.float32) if bias is None else bias, name)


def _other_kind(layer: KerasLayer) -> str:
    """Say why a recurrent layer is no LSTM; empty if it is one."""
    inner = layer.kind
    if layer.kind == "Bidirectional":
        inner = class_name(layer.config["layer"])
        second = layer.config.get("backward_layer")
        if inner == "LSTM" and second:
            inner = class_name(second)
    if inner == "LSTM":
        return ""
    if inner == "CuDNNLSTM":
        return "load the model in Keras 2, replace the layer by LSTM, and copy the weights"
    if inner == "RNN":
        return "write it as keras.layers.LSTM, whose weights are the same: new.set_weights(old.get_weights())"
    return (
        f"{inner} cells are not honoured; the accelerator runs LSTMs: train the model with keras.layers.LSTM"
    )


def _check_use(layer: KerasLayer) -> None:
    if layer.calls > 1:
        raise ModelImportError(f"{layer.what}: the model calls it {layer.calls} times; only once is honoured")
    if layer.others or len(layer.inputs) > 1:
        names = ", ".join(layer.others) or "initial_state"
        raise ModelImportError(
            f"{layer.what}: takes {names} from other layers; the accelerator starts from zeros or goes on from its "
            "last state, and runs every step: build the model without it"
        )


def _check_training(layer: KerasLayer) -> None:
    if layer.training:
        raise ModelImportError(f"{layer.what}: is called with training=True; leave that out")


def _pass(layer: KerasLayer, direction: str | None) -> tuple[Mapping[str, Any], list[np.ndarray]]:
    """Give the configuration and the weights of one pass of a layer."""
    weights = list(layer.weights)
    if direction is None:
        return layer.config, weights
    forward = layer.config["layer"]["config"]
    second = layer.config.get("backward_layer")
    # Without a configuration of its own, the second pass is the first one turned around.
    backward = second["config"] if second else {**forward, "go_backwards": not forward.get("go_backwards")}
    first = 3 if forward.get("use_bias", True) else 2
    return (forward, weights[:first]) if direction == "forward" else (backward, weights[first:])


def _check_options(what: str, config: Mapping[str, Any]) -> None:
    _check_float32(what, config)
    for option, legal in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
        name = activation(config.get(option))
        if name != legal:
            raise ModelImportError(
                f"{what}: {option} {name!r} is not honoured; train it with {option}={legal!r}, which is Keras' default"
            )
    if config.get("time_major"):
        raise ModelImportError(
            f"{what}: time_major=True is not honoured; leave it out, the weights stay the same"
        )


def _check_float32(what: str, config: Mapping[str, Any]) -> None:
    policy = config.get("dtype") or "float32"
    if isinstance(policy, Mapping):
        policy = policy["config"].get("name", policy["class_name"])
    if policy != "float32":
        raise ModelImportError(
            f"{what}: dtype {policy!r} is not honoured; only models that compute in float32 are: build it with "
            "dtype='float32' and copy the weights"
        )


def _weights(
    layer: KerasLayer,
    weights: "list[np.ndarray] | tuple[np.ndarray, ...]",
    kernels: tuple[str, ...],
    bias: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Give the kernels of a layer, the last one twice if it has but one, and its bias."""
    names = (*kernels, *(["bias"] if bias else []))
    if len(weights) != len(names):
        raise ModelImportError(
            f"{layer.what}: the file holds {len(weights)} weights of it, not its {', '.join(names)}: not a whole file"
        )
    parts = [
        exact_float32(torch.from_numpy(np.asarray(part)), f"{layer.what}: {name}").numpy()
        for part, name in zip(weights, names, strict=True)
    ]
    return parts[0], parts[len(kernels) - 1], parts[-1] if bias else None
