"""The linear layer that follows on an ONNX graph's ``LSTM`` nodes."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from onnx import NodeProto
from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.importers.onnx_graph import (
    Graph,
    attributes,
    describe,
    describe_all,
    module_name,
    node_name,
    standard,
)
from gatewright.sw.importers.onnx_layer import OnnxLayer, hidden_size
from gatewright.sw.importers.onnx_links import follow, numbered, shown, tried_sizes
from gatewright.sw.importers.weights import exact_float32


class OnnxHead(NamedTuple):
    """A linear layer.

    Parameters
    ----------
    weight : float32 tensor [classes, outputs]
    bias : float32 tensor [classes]
    nodes : list of NodeProto
        What computes it.
    source, target : str
        The tensors that it takes and gives.
    steps : str
        Whose outputs it takes; empty for every step's.
    """

    weight: Tensor
    bias: Tensor
    nodes: list[NodeProto]
    source: str
    target: str
    steps: str


def heads(graph: Graph) -> dict[str, NodeProto]:
    """Give the linear layers that could be asked for, by the most telling name that only one of them has."""
    linear = [node for node in graph.nodes if _is_linear(node) and node.input[1] in graph.constants]
    names = [_names(graph, node) for node in linear]
    count = Counter(name for each in names for name in each)
    return {
        next((name for name in each if count[name] == 1), each[-1]): node
        for each, node in zip(names, linear, strict=True)
    }


def find_head(graph: Graph, layers: Sequence[OnnxLayer], name: str) -> OnnxHead:
    """Give the linear layer of a name, which follows on the last of some layers.

    Parameters
    ----------
    graph : Graph
    layers : sequence of OnnxLayer
    name : str
        Of a ``Gemm`` or ``MatMul`` node, of the ``Add`` with its bias, or of the PyTorch module that it was.

    Raises
    ------
    ModelImportError
        There is no such node, it is no linear layer, or it takes something else than the layer's outputs.
    """
    nodes = [node for node in graph.nodes if _is_linear(node) and name in _names(graph, node)]
    if len(nodes) != 1:
        names = ", ".join(map(repr, heads(graph))) or "none"
        raise ModelImportError(
            f"{len(nodes)} Gemm or MatMul nodes are named {name!r}, the head must be one; there are {names}"
        )
    (node,) = nodes
    output = node.output[0]
    what, values = describe(node), attributes(node)
    weight = graph.constant(node.input[1])
    if weight is None or weight.ndim != 2 or weight.dtype != np.float32:
        raise ModelImportError(f"{what}: input B = {node.input[1]!r} must be a constant float32 matrix")
    if values.get("alpha", 1.0) != 1 or values.get("beta", 1.0) != 1 or values.get("transA", 0):
        raise ModelImportError(f"{what}: attributes alpha, beta and transA must be 1, 1 and 0, not {values}")
    weight = weight if values.get("transB", 0) else weight.T
    bias = np.zeros(1, dtype=np.float32)
    added = _added(graph, node)
    if node.op_type == "Gemm" and len(node.input) > 2 and node.input[2]:
        bias = _head_bias(graph, node, node.input[2], len(weight))
    elif added is not None:
        output = added.output[0]
        bias = _head_bias(graph, added, _constants(graph, added)[0], len(weight))
    steps = _steps(graph, layers, node)
    return OnnxHead(
        exact_float32(torch.from_numpy(weight.copy()), what),
        exact_float32(torch.from_numpy(np.broadcast_to(bias.reshape(-1), len(weight)).copy()), what),
        graph.before(output, [node.input[0]]),
        node.input[0],
        output,
        steps,
    )


def _is_linear(node: NodeProto) -> bool:
    return standard(node) and node.op_type in ("Gemm", "MatMul")


def _added(graph: Graph, node: NodeProto) -> NodeProto | None:
    """Give the ``Add`` with a ``MatMul``'s bias."""
    users = graph.users.get(node.output[0], [])
    if node.op_type != "MatMul" or len(users) != 1 or users[0].op_type != "Add" or not standard(users[0]):
        return None
    return users[0] if _constants(graph, users[0]) else None


def _constants(graph: Graph, node: NodeProto) -> list[str]:
    return [name for name in node.input if name in graph.constants]


def _names(graph: Graph, node: NodeProto) -> list[str]:
    """Give all names of a linear layer, the most telling first."""
    nodes = [node, *filter(None, [_added(graph, node)])]
    return list(dict.fromkeys(filter(None, [module_name(node), *map(node_name, nodes)])))


def _head_bias(graph: Graph, node: NodeProto, name: str, classes: int) -> np.ndarray:
    bias = graph.constant(name)
    if (
        bias is None
        or bias.dtype != np.float32
        or bias.size not in (1, classes)
        or bias.shape[-1:] not in ((), (bias.size,))
    ):
        raise ModelImportError(
            f"{describe(node)}: bias {name!r} must be a constant of {classes} float32 numbers"
        )
    return bias


def _steps(graph: Graph, layers: Sequence[OnnxLayer], node: NodeProto) -> str:
    """Hold that every vector that a head takes is one of the last layer's outputs, and say of which steps."""
    *lower, top = layers
    what = f"{describe(node)}: does not follow directly on {describe(top.node)}"
    if top.directions > 1:
        raise ModelImportError(f"{what}: it takes both directions, which are two models")
    outputs = [name for layer in layers for name in (layer.output(0), layer.output(1)) if name]
    between = graph.before(node.input[0], outputs)

    def feeds(steps: int, batch: int) -> dict[str, np.ndarray]:
        # Other layers' outputs show as zeros: exporters put the last states of all layers into one tensor.
        marked = shown(top, numbered(steps, batch, hidden_size(graph, top)))
        for layer in lower:
            marked |= shown(layer, np.zeros((steps, batch, hidden_size(graph, layer)), dtype=np.float32))
        return marked

    sizes, _ = tried_sizes(graph, top, between, feeds, node.input[0])
    seen = []
    for steps, batch in sizes:
        marks = numbered(steps, batch, hidden_size(graph, top))
        moved = follow(graph, between, feeds(steps, batch), node.input[0])
        if isinstance(moved, str):
            raise ModelImportError(f"{what}: {moved}")
        step_of = {row.tobytes(): step for step, rows in enumerate(marks) for row in rows}
        rows = moved.reshape(-1, moved.shape[-1] if moved.size else 1)
        seen.append(({step_of.get(row.tobytes(), -1) for row in rows}, steps))
        if not moved.size or -1 in seen[-1][0]:
            raise ModelImportError(f"{what}: {describe_all(graph, between)} mixes its outputs with others")
    if all(found == set(range(steps)) for found, steps in seen):
        return ""
    for name, place in (("the last step", -1), ("the first step", 0)):
        if all(found == {range(steps)[place]} for found, steps in seen):
            return name
    found, steps = seen[-1]
    return f"the steps {', '.join(str(step + 1) for step in sorted(found))} of {steps}"
