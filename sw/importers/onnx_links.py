"""What lies between ``LSTM`` nodes: followed with numbers in place of their outputs."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from gatewright.errors import ModelImportError
from gatewright.sw.importers.onnx_graph import MOVES, Graph, describe, describe_all, standard
from gatewright.sw.importers.onnx_layer import OnnxLayer, hidden_size, select

# Cast may round, which small numbers would not show.
_BETWEEN = (MOVES - {"Cast"}) | {"Dropout", "Shape"}
# What exporters compute shapes with; nothing that is the same for all small sizes and another for large ones.
_ARITHMETIC = MOVES | {"Add", "ConstantOfShape", "Expand", "Mul", "Shape", "Size", "Sub"}
# Two sizes [steps, batch] on which what lies between two nodes is tried; a fixed shape fits at most one.
_SIZES = ((3, 2), (5, 4))
MOST_MARKS = 2**22
"""Numbers that a graph is tried with, at most."""


class Link(NamedTuple):
    """Where a node's input comes from.

    Parameters
    ----------
    below : NodeProto or None
        The ``LSTM`` node before it.
    between : list of NodeProto
        What lies between the two, for any number of steps.
    obstacle : str
        Why the two are not layers of one model; empty if they are.
    """

    below: NodeProto | None
    between: list[NodeProto]
    obstacle: str


def find_link(graph: Graph, node: NodeProto) -> Link:
    """Look for the ``LSTM`` node whose output Y, moved only, is a node's input."""
    between = graph.before(node.input[0], graph.lstms)
    read = dict.fromkeys([node.input[0], *(name for each in between for name in each.input)])
    below = [graph.lstms[name] for name in read if name in graph.lstms]
    if not below:
        return Link(None, [], "")
    if len(below) > 1:
        return Link(below[0], between, "the outputs of several LSTMs meet")
    obstacle, fixed = _obstacle(graph, node, below[0], between)
    if fixed:
        between = _squeeze(select(below[0], None), hidden_size(graph, select(below[0], None)), node.input[0])
    return Link(below[0], between, obstacle)


def _obstacle(graph: Graph, upper: NodeProto, lower: NodeProto, between: list[NodeProto]) -> tuple[str, bool]:
    try:
        layer, below = select(upper, None), select(lower, None)
    except ModelImportError as cause:
        return str(cause), False
    if any(node.op_type == "Slice" and node.output[0] not in graph.sizes for node in between):
        return "a Slice lies behind it, which may leave steps out", False
    if below.reverse != layer.reverse or below.input("sequence_lens") != layer.input("sequence_lens"):
        return "its direction or its sequence_lens are others", False
    size = hidden_size(graph, below)

    def feeds(steps: int, batch: int) -> dict[str, np.ndarray]:
        return shown(below, numbered(steps, batch, size))

    sizes, fixed = tried_sizes(graph, below, between, feeds, layer.input("X"))
    for steps, batch in sizes:
        marks = numbered(steps, batch, size)
        moved = follow(graph, between, feeds(steps, batch), layer.input("X"))
        if isinstance(moved, str):
            return moved, False
        if not np.array_equal(moved, marks.swapaxes(0, 1) if layer.batch_first else marks):
            return f"{', '.join(map(describe, between)) or 'the layout'} rearranges its outputs", False
    return "", fixed


def _squeeze(below: OnnxLayer, size: int, target: str) -> list[NodeProto]:
    """Make the nodes that turn Y into the X of the layer above, for one direction and both layouts."""
    shape = np.array([0, 0, -1] if below.batch_first else [0, -1, size])
    constant = f"{target}.shape"
    return [
        helper.make_node("Constant", [], [constant], value=numpy_helper.from_array(shape)),
        helper.make_node("Reshape", [below.output(0), constant], [target]),
    ]


def tried_sizes(
    graph: Graph,
    layer: OnnxLayer,
    between: Sequence[NodeProto],
    feeds: Callable[[int, int], dict[str, np.ndarray]],
    name: str,
) -> tuple[Sequence[tuple[int, int]], bool]:
    """Give the sizes [steps, batch] to follow a layer's outputs with, and whether the graph is fixed to them.

    Exporters that bake the length in leave one size that can be followed: the one that they were shown.
    """

    def fits(sizes: Sequence[tuple[int, int]]) -> bool:
        moved = [follow(graph, between, feeds(*each), name) for each in sizes]
        return all(isinstance(values, np.ndarray) and values.size for values in moved)

    if fits(_SIZES):
        return _SIZES, False
    steps, batch = (graph.shape(layer.input("X")) or [None, None])[:2]
    if layer.batch_first:
        steps, batch = batch, steps
    if steps is None and batch is None:
        return _SIZES, False
    sizes = sorted({(steps or s, batch or b) for s, b in _SIZES})
    if max(s * b for s, b in sizes) * hidden_size(graph, layer) > MOST_MARKS:
        return _SIZES, False
    return (sizes, True) if fits(sizes) else (_SIZES, False)


def numbered(steps: int, batch: int, size: int) -> np.ndarray:
    """Give outputs [steps, batch, size] that are all different, with both signs."""
    count = np.arange(1, steps * batch * size + 1, dtype=np.float32)
    return np.where(count % 2, count, -count).reshape(steps, batch, size)


def shown(layer: OnnxLayer, marks: np.ndarray) -> dict[str, np.ndarray]:
    """Give Y and Y_h of a layer whose outputs [steps, batch, size] are given."""
    y = marks[:, :, None].swapaxes(0, 1) if layer.batch_first else marks[:, None]
    last = marks[0 if layer.reverse else -1]
    outputs = {layer.output(0): y, layer.output(1): last[:, None] if layer.batch_first else last[None]}
    return {name: value for name, value in outputs.items() if name}


def follow(
    graph: Graph, between: Sequence[NodeProto], feeds: dict[str, np.ndarray], name: str
) -> np.ndarray | str:
    """Give what becomes of layers' outputs on their way to a tensor; or what is in the way."""
    for node in between:
        legal = _ARITHMETIC if graph.sizes.issuperset(node.output) else _BETWEEN
        if node.output[0] not in graph.constants and (not standard(node) or node.op_type not in legal):
            return f"{describe(node)} lies behind it"
    if name in feeds:
        return feeds[name]
    read = {i for node in between for i in node.input}
    try:
        return graph.evaluate(between, {n: value for n, value in feeds.items() if n in read}, name)
    except Exception as cause:
        # The reference raises whatever its operators meet: other inputs of the graph, or fixed shapes.
        reason = " ".join(str(cause).split())[:100]
        return (
            f"{describe_all(graph, between)} cannot be followed ({reason}); export the model for sequences of any "
            "length (dynamic_shapes, or dynamic_axes of PyTorch's older exporter), or import its state dict"
        )
