"""An ONNX ``LSTM`` node as a layer's parameters, or the reason why it cannot be one."""

from dataclasses import dataclass

import numpy as np
import torch
from onnx import NodeProto
from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.importers.onnx_graph import MOVES, Graph, attributes, describe, describe_all, node_name
from gatewright.sw.importers.weights import exact_float32
from gatewright.sw.network import LayerParameters, ProductParameters

_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
_DIRECTIONS = {"forward": ("forward",), "reverse": ("reverse",), "bidirectional": ("forward", "reverse")}
_ACTIVATIONS = ("sigmoid", "tanh", "tanh")
_STATE_MOVES = MOVES | {"Expand"}
_HONOURED = {"activations", "direction", "hidden_size", "input_forget", "layout"}


@dataclass(frozen=True)
class OnnxLayer:
    """One direction of an ``LSTM`` node.

    Parameters
    ----------
    node : NodeProto
    index : int
        Of the direction among the node's own.
    reverse : bool
        Runs from the end of each sequence.
    batch_first : bool
        Layout 1.
    """

    node: NodeProto
    index: int
    reverse: bool
    batch_first: bool

    def input(self, name: str) -> str:
        """Give the tensor of one of the operator's inputs; empty if it is left out."""
        place = _INPUTS.index(name)
        return self.node.input[place] if place < len(self.node.input) else ""

    def output(self, place: int) -> str:
        """Give the tensor of an output, 0 for Y, 1 for Y_h; empty if it is left out."""
        return self.node.output[place] if place < len(self.node.output) else ""

    @property
    def directions(self) -> int:
        """Directions of the node."""
        return len(_DIRECTIONS[_direction(self.node)])


def select(node: NodeProto, direction: str | None) -> OnnxLayer:
    """Choose a direction of a node whose attributes and inputs are all honoured.

    Raises
    ------
    ModelImportError
        Something is not honoured, or a bidirectional node needs a choice.
    """
    values, what = attributes(node), describe(node)
    for name in sorted(values.keys() - _HONOURED):
        raise ModelImportError(f"{what}: attribute {name} = {values[name]!r} is not honoured")
    if _direction(node) not in _DIRECTIONS or values.get("layout", 0) not in (0, 1):
        raise ModelImportError(
            f"{what}: attributes direction and layout must be as in the operator's specification"
        )
    if values.get("input_forget"):
        raise ModelImportError(
            f"{what}: attribute input_forget = 1: coupled input and forget gates are not honoured"
        )
    activations = [name.decode(errors="replace") for name in values.get("activations", [])]
    legal = list(_ACTIVATIONS) * len(_DIRECTIONS[_direction(node)])
    if activations and [name.lower() for name in activations] != legal:
        raise ModelImportError(
            f"{what}: attribute activations = {activations}: only Sigmoid, Tanh, Tanh of every direction are honoured"
        )
    layer = OnnxLayer(node, 0, _direction(node) == "reverse", values.get("layout", 0) == 1)
    if layer.input("P"):
        raise ModelImportError(f"{what}: input P = {layer.input('P')!r}: peepholes are not honoured")
    if direction is None and layer.directions == 1:
        return layer
    passes = _DIRECTIONS[_direction(node)]
    if direction is None:
        name = node_name(node)
        raise ModelImportError(
            f"{what}: attribute direction = bidirectional: the accelerator runs one direction at a time; import "
            f"{name}:forward and {name}:reverse (--lstm) as two models, whose outputs the host puts side by side"
        )
    if direction not in passes:
        raise ModelImportError(f"{what}: no direction {direction!r}; it has {', '.join(passes)}")
    return OnnxLayer(node, passes.index(direction), direction == "reverse", layer.batch_first)


def parameters(graph: Graph, layer: OnnxLayer) -> LayerParameters:
    """Give the parameters of a layer: gates i o f c become i f g o, and both biases one.

    Raises
    ------
    ModelImportError
        Weights depend on the graph's inputs, are not finite float32 numbers, or their shapes disagree.
    """
    _check_states(graph, layer)
    w, r = _weights(graph, layer, "W", 3), _weights(graph, layer, "R", 3)
    what = describe(layer.node)
    hidden = r.shape[2]
    stated = attributes(layer.node).get("hidden_size", hidden)
    legal: dict[str, tuple[int, ...]] = {
        "W": (layer.directions, 4 * hidden, w.shape[2]),
        "R": (layer.directions, 4 * hidden, hidden),
    }
    shapes: dict[str, tuple[int, ...]] = {"W": tuple(w.shape), "R": tuple(r.shape)}
    if layer.input("B"):
        b = _weights(graph, layer, "B", 2)
        legal["B"], shapes["B"] = (layer.directions, 8 * hidden), tuple(b.shape)
    else:
        b = torch.zeros(layer.directions, 8 * hidden)
    if shapes != legal or stated != hidden or not all(w.shape) or not hidden:
        raise ModelImportError(
            f"{what}: shapes {shapes} and hidden_size = {stated} disagree; they must be "
            "W [directions, 4*hidden, inputs], R [directions, 4*hidden, hidden] and B [directions, 8*hidden]"
        )
    bias = b[layer.index].reshape(2, -1).sum(dim=0)
    return LayerParameters(
        ProductParameters(_gates(w[layer.index])), ProductParameters(_gates(r[layer.index])), _gates(bias)
    )


def state_given(graph: Graph, layer: OnnxLayer, name: str) -> bool:
    """Whether ``initial_h`` or ``initial_c`` is an input of the graph; else it is zero.

    Raises
    ------
    ModelImportError
        It is neither.
    """
    tensor = layer.input(name)
    if not tensor:
        return False
    what = f"{describe(layer.node)}: input {name} = {tensor!r}"
    if graph.is_zero(tensor):
        return False
    start = "the accelerator starts from zeros or goes on from its last state"
    if tensor in graph.constants | graph.sizes:
        raise ModelImportError(
            f"{what} is a constant other than zero, and {start}: make it an input of the graph, which is zero at first"
        )
    before = graph.before(tensor)
    if any(node.op_type not in _STATE_MOVES for node in before if not graph.sizes.issuperset(node.output)):
        raise ModelImportError(
            f"{what} is computed by {describe_all(graph, before)}, and {start}: make it an input of the graph"
        )
    return True


def hidden_size(graph: Graph, layer: OnnxLayer) -> int:
    """Give the hidden size by the shape of R; 1 if R is no constant, which is refused elsewhere."""
    recurrent = graph.constant(layer.input("R"))
    return 1 if recurrent is None else recurrent.shape[-1]


def _check_states(graph: Graph, layer: OnnxLayer) -> None:
    """Hold that both states are of the layer's size, which tells layers that lost a projection."""
    if layer.input("R") not in graph.constants:
        return
    hidden = hidden_size(graph, layer)
    for name in ("initial_h", "initial_c"):
        stated = (graph.shape(layer.input(name)) or [None])[-1]
        if stated not in (None, hidden):
            raise ModelImportError(
                f"{describe(layer.node)}: input {name} = {layer.input(name)!r} has {stated} elements, but the layer "
                f"has {hidden} hidden units: not a valid LSTM. PyTorch's exporter writes this for nn.LSTM with "
                "proj_size, whose weights it cuts off; import the state dict instead"
            )


def _direction(node: NodeProto) -> str:
    return attributes(node).get("direction", b"forward").decode(errors="replace")


def _weights(graph: Graph, layer: OnnxLayer, name: str, dimensions: int) -> Tensor:
    what = f"{describe(layer.node)}: input {name} = {layer.input(name)!r}"
    values = graph.constant(layer.input(name))
    if values is None:
        makers = describe_all(graph, graph.before(layer.input(name))) or "one of the graph's inputs"
        raise ModelImportError(
            f"{what} is computed by the graph ({makers}); weights must be constants: fold them before the export, "
            "in PyTorch with torch.nn.utils.parametrize.remove_parametrizations or torch.nn.utils.remove_weight_norm"
        )
    if values.dtype != np.float32:
        raise ModelImportError(
            f"{what} is {values.dtype}; only models that compute in float32 are honoured: export model.float()"
        )
    if values.ndim != dimensions:
        raise ModelImportError(f"{what} has shape {list(values.shape)}; it must have {dimensions} dimensions")
    return exact_float32(torch.from_numpy(values.copy()), what)


def _gates(blocks: Tensor) -> Tensor:
    i, o, f, g = blocks.chunk(4)
    return torch.cat([i, f, g, o])
