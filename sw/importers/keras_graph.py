"""The layers of a Keras model and how they follow on each other, for Sequential and functional models."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import numpy as np

from gatewright.errors import ModelImportError
from gatewright.sw.importers.keras_file import KerasFile, layers_of

_PASSED_OVER = frozenset(
    {"ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "Identity"}
    | {"InputLayer", "SpatialDropout1D"}
)
_WITHOUT_MASK = "build the same model without it and copy the weights: new.set_weights(old.get_weights())"


@dataclass(frozen=True)
class KerasLayer:
    """One layer of a model.

    Parameters
    ----------
    name, kind : str
        `kind` is the class, with its module where it is not one of Keras itself.
    config : mapping
    inputs : tuple of (layer name, output)
        What it takes; several for layers that merge.
    others : tuple of str
        Arguments that come from other layers, as an initial state or a mask.
    calls : int
        How often the model uses it.
    training : bool
        Whether it is called as in training whatever the model is run for.
    picks_last : bool
        Takes the last step of sequences, as ``outputs[:, -1]`` does.
    weights : tuple of arrays
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[tuple[str, int], ...]
    others: tuple[str, ...]
    calls: int
    training: bool
    picks_last: bool
    weights: tuple[np.ndarray, ...]

    @property
    def what(self) -> str:
        """The layer, as errors name it."""
        return f"{self.kind} layer {self.name!r}"

    @property
    def passed_over(self) -> bool:
        """Whether the layer gives what it takes when the model runs."""
        linear = self.kind == "Activation" and activation(self.config.get("activation")) == "linear"
        return (self.kind in _PASSED_OVER or linear) and not self.training


def activation(value: Any) -> str:
    """Give the name of an activation, however a release of Keras writes it."""
    if isinstance(value, Mapping):
        inner = value.get("config")
        return inner if isinstance(inner, str) else str(value.get("class_name"))
    return "linear" if value is None else str(value)


def class_name(config: Mapping[str, Any]) -> str:
    """Give the class of a serialised object: its bare name only if it is one of Keras itself."""
    name, module = str(config.get("class_name")), str(config.get("module") or "keras")
    if module.partition(".")[0] in ("keras", "tf_keras", "tensorflow"):
        return str(config.get("registered_name") or name)
    return f"{module}.{name}"


class KerasGraph:
    """The layers of a model by name.

    Raises
    ------
    ModelImportError
        The model is neither Sequential nor functional.
    """

    def __init__(self, file: KerasFile):
        kind = class_name(file.config)
        if kind not in ("Sequential", "Functional", "Model"):
            raise ModelImportError(
                f"a model of the class {kind}, whose forward only its code knows; an import reads Sequential and "
                "functional models: build the same layers as one of these, and copy the weights with set_weights"
            )
        before: tuple[tuple[str, int], ...] = ()
        self.layers: dict[str, KerasLayer] = {}
        for config in layers_of(file.config):
            name = config["config"]["name"]
            calls = [before] if kind == "Sequential" else [*map(_tensors, config["inbound_nodes"])]
            keywords = [] if kind == "Sequential" else [_keywords(call) for call in config["inbound_nodes"]]
            self.layers[name] = KerasLayer(
                name,
                class_name(config),
                config["config"],
                calls[0] if calls else (),
                tuple(key for each in keywords for key, value in each.items() if list(_histories(value))),
                len(calls),
                any(each.get("training") is True for each in keywords),
                class_name(config) == "GetItem" and all(map(_picks_last, config["inbound_nodes"])),
                tuple(file.weights.get(name, ())),
            )
            before = ((name, 0),)
        # Raises ValueError where layers depend on themselves.
        TopologicalSorter(
            {name: {source for source, _ in layer.inputs} for name, layer in self.layers.items()}
        ).prepare()

    def below(self, layer: KerasLayer) -> tuple[KerasLayer, int] | None:
        """Give the layer whose output a layer takes, those that change nothing passed over, and which output it is.

        None at the model's inputs.
        """
        while layer.inputs:
            name, output = layer.inputs[0]
            layer = self.layers[name]
            if len(layer.inputs) > 1 or not layer.passed_over:
                return layer, output
        return None

    def above(self, layer: KerasLayer) -> Iterator[tuple[KerasLayer, int]]:
        """Give the layers that take a layer's outputs, and which output.

        Layers between that change nothing, or pick the last step, are passed over.
        """
        for user in self.layers.values():
            for name, output in user.inputs:
                if name == layer.name and (user.passed_over or user.picks_last) and len(user.inputs) == 1:
                    yield from ((top, output) for top, _ in self.above(user))
                elif name == layer.name:
                    yield user, output

    def between(self, upper: KerasLayer, lower: KerasLayer) -> list[KerasLayer]:
        """Give the layers that `above` passed over on the way from one layer to another."""
        found = []
        while (name := upper.inputs[0][0]) != lower.name:
            upper = self.layers[name]
            found.append(upper)
        return found

    def ancestors(self, layer: KerasLayer) -> Iterator[KerasLayer]:
        """Give all layers that a layer depends on."""
        seen: dict[str, None] = {}
        ahead = [name for name, _ in layer.inputs]
        while ahead:
            name = ahead.pop()
            if name not in seen:
                seen[name] = None
                ahead += [source for source, _ in self.layers[name].inputs]
        return map(self.layers.__getitem__, seen)

    def depends(self, layer: KerasLayer, names: Container[str]) -> bool:
        """Whether a layer depends on one of some names."""
        return any(other.name in names for other in self.ancestors(layer))

    def check_unmasked(self, layer: KerasLayer) -> None:
        """Hold that a layer runs over every step.

        Raises
        ------
        ModelImportError
            A layer in front of it makes a mask.
        """
        for other in self.ancestors(layer):
            if other.kind == "Masking" or other.config.get("mask_zero"):
                option = "" if other.kind == "Masking" else " has mask_zero=True, which"
                raise ModelImportError(
                    f"{other.what}{option} makes {layer.what} leave steps out; the accelerator runs every step that "
                    f"it is given, and the host ends a sequence before its padding: {_WITHOUT_MASK}"
                )


def _tensors(call: Any) -> tuple[tuple[str, int], ...]:
    """Give the tensors among the positional arguments of a call."""
    return tuple(_histories(call["args"] if isinstance(call, Mapping) else call))


def _keywords(call: Any) -> dict[str, Any]:
    """Give the keyword arguments of a call."""
    if isinstance(call, Mapping):
        return call.get("kwargs", {})
    return {key: value for entry in call for part in entry[3:] for key, value in part.items()}


def _picks_last(call: Any) -> bool:
    """Whether a call of GetItem has the key ``[:, -1]`` or ``[:, -1, :]``."""
    whole = {"start": None, "stop": None, "step": None}
    key = [part["config"] if isinstance(part, Mapping) else part for part in call["args"][1]]
    return key in ([whole, -1], [whole, -1, whole])


def _histories(value: Any) -> Iterator[tuple[str, int]]:
    """Give the outputs of layers that serialised arguments hold, as Keras 3 writes them and as Keras 2 does."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            name, _, output = value["config"]["keras_history"]
            yield name, output
        else:
            for part in value.values():
                yield from _histories(part)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) >= 3 and isinstance(value[0], str) and all(isinstance(v, int) for v in value[1:3]):
            yield value[0], value[2]
        else:
            for part in value:
                yield from _histories(part)
