"""Random ONNX graphs of LSTMs, in the many forms that exporters give them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_OPSETS = (7, 9, 11, 13, 14, 17, 21, 22)
_AXES_ARE_INPUTS = 13
_LAYOUT_SINCE = 14
REFUSED = ("clip", "P", "input_forget", "activations", "initial_h")
"""What some graphs hold that an import has to refuse by name."""


@dataclass(frozen=True)
class RandomModel:
    """A graph and what an import should make of it.

    Parameters
    ----------
    model : ModelProto
        Input ``x``, and ``lengths``, ``h0``, ``c0``, ``h1``, ... as they are there; output ``y`` is Y of the last
        node, ``logits`` those of the head.
    lstm, head : str or None
        What to ask the import for.
    layout : int
    index : int
        Of the direction that is imported.
    refused : str
        The attribute or input that must be refused by name; empty if all is honoured.
    """

    model: ModelProto
    lstm: str | None
    head: str | None
    layout: int
    index: int
    refused: str

    @property
    def inputs(self) -> set[str]:
        """Names of the graph's inputs."""
        return {value.name for value in self.model.graph.input}


class _Builder:
    """Collects nodes and initialisers; weights come plain, as ``Constant`` nodes or behind an ``Unsqueeze``."""

    def __init__(self, rng: np.random.Generator, opset: int):
        self.rng, self.opset = rng, opset
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        if self.rng.random() < 0.3:
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value)))
        else:
            self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def weights(self, name: str, value: np.ndarray) -> str:
        if len(value) == 1 and self.rng.random() < 0.3:
            self.axes("Unsqueeze", self.constant(f"{name}_flat", value[0]), name, 0)
            return name
        return self.constant(name, value)

    def axes(self, op: str, source: str, target: str, axis: int) -> None:
        if self.opset >= _AXES_ARE_INPUTS:
            axes = self.constant(f"{target}_axes", np.array([axis]))
            self.nodes.append(helper.make_node(op, [source, axes], [target], f"node_{target}"))
        else:
            self.nodes.append(helper.make_node(op, [source], [target], f"node_{target}", axes=[axis]))


def random_model(rng: np.random.Generator) -> RandomModel:
    """Draw a graph: 1 to 3 layers, any direction and layout, states, lengths, biases and head, or something refused."""
    opset = int(rng.choice(_OPSETS))
    build = _Builder(rng, opset)
    layout = int(opset >= _LAYOUT_SINCE and rng.random() < 0.2)
    direction = str(rng.choice(["forward", "reverse", "bidirectional"], p=[0.7, 0.2, 0.1]))
    directions = 2 if direction == "bidirectional" else 1
    layers = 1 if directions == 2 else int(rng.integers(1, 4))
    lengths = layout == 0 and rng.random() < 0.4
    refused = str(rng.choice(REFUSED)) if rng.random() < 0.1 else ""
    inputs, size, source = ["x"] + ["lengths"] * lengths, int(rng.integers(1, 17)), "x"
    first_size = size
    for k in range(layers):
        hidden = int(rng.integers(2, 25))
        last = k == layers - 1
        inputs += _lstm(
            build, k, source, size, hidden, directions, direction, layout, lengths, refused if last else ""
        )
        size, source = hidden, f"x{k + 1}"
        if not last:
            _between(build, k, hidden, layout)
    build.nodes[-1].output[0] = "y"
    head = None
    outputs = {"y": 4}
    if directions == 1 and rng.random() < 0.5:
        head = "head"
        outputs["logits"] = _head(build, size, int(rng.integers(2, 9)), layout)
    graph = helper.make_graph(
        build.nodes,
        "random",
        [
            helper.make_tensor_value_info(
                name,
                TensorProto.INT32 if name == "lengths" else TensorProto.FLOAT,
                [None, None, first_size] if name == "x" else [None] * (1 if name == "lengths" else 3),
            )
            for name in inputs
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank)
            for name, rank in outputs.items()
        ],
        build.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    index = int(rng.integers(directions))
    lstm = f"lstm0:{('forward', 'reverse')[index]}" if directions == 2 else None
    return RandomModel(model, lstm, head, layout, index, refused)


def _lstm(
    build: _Builder,
    k: int,
    source: str,
    size: int,
    hidden: int,
    directions: int,
    direction: str,
    layout: int,
    lengths: bool,
    refused: str,
) -> list[str]:
    """Add a node and give the graph inputs that its states need."""
    rng = build.rng
    given: list[str] = []

    def draw(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / np.sqrt(hidden)).astype(np.float32)

    bias = draw(directions, 8 * hidden)
    # Gates that differ in their means, so that none passes for another.
    bias += np.repeat(np.array([0.5, -0.5, 1.5, 0.2, 0, 0, 0, 0], dtype=np.float32), hidden)
    names = [
        source,
        build.weights(f"W{k}", draw(directions, 4 * hidden, size)),
        build.weights(f"R{k}", draw(directions, 4 * hidden, hidden)),
        build.weights(f"B{k}", bias) if rng.random() < 0.8 else "",
        "lengths" if lengths else "",
    ]
    shape = (1, directions, hidden) if layout else (directions, 1, hidden)
    for part in ("h", "c"):
        if refused == "initial_h" and part == "h":
            names.append(build.constant(f"{part}{k}", np.ones(shape, np.float32)))
        elif rng.random() < 0.5:
            names.append(f"{part}{k}")
            given.append(f"{part}{k}")
        else:
            names.append("")
    if refused == "P":
        names.append(build.constant(f"P{k}", draw(directions, 3 * hidden)))
    unusual: dict[str, dict[str, Any]] = {
        "clip": {"clip": 3.0},
        "input_forget": {"input_forget": 1},
        "activations": {"activations": ["Sigmoid", "Relu", "Tanh"] * directions},
    }
    attributes = unusual.get(refused, {})
    if layout:
        attributes["layout"] = 1
    if direction != "forward" or rng.random() < 0.3:
        attributes["direction"] = direction
    outputs = [f"y{k}", f"y{k}_h"]
    build.nodes.append(helper.make_node("LSTM", names, outputs, f"lstm{k}", hidden_size=hidden, **attributes))
    return given


def _between(build: _Builder, k: int, hidden: int, layout: int) -> None:
    """Turn Y of a layer into X of the next."""
    if build.rng.random() < 0.5:
        build.axes("Squeeze", f"y{k}", f"x{k + 1}", 2 if layout else 1)
    elif layout or build.rng.random() < 0.5:
        shape = build.constant(f"shape{k}", np.array([0, 0, -1] if layout else [0, -1, hidden]))
        build.nodes.append(helper.make_node("Reshape", [f"y{k}", shape], [f"x{k + 1}"], f"reshape{k}"))
    else:
        build.nodes.append(helper.make_node("Transpose", [f"y{k}"], [f"t{k}"], f"turn{k}", perm=[1, 0, 2, 3]))
        build.axes("Squeeze", f"t{k}", f"x{k + 1}", 0)


def _head(build: _Builder, size: int, classes: int, layout: int) -> int:
    """Add a linear layer ``head`` on all steps and give the dimensions of its logits [..., classes]."""
    rng = build.rng
    weight = rng.normal(size=(size, classes)).astype(np.float32)
    bias = rng.normal(size=classes).astype(np.float32)
    if rng.random() < 0.5:
        shape = build.constant("rows", np.array([-1, size]))
        build.nodes.append(helper.make_node("Reshape", ["y", shape], ["flat"], "flatten"))
        names = ["flat", build.constant("head.weight", weight.T.copy()), build.constant("head.bias", bias)]
        build.nodes.append(helper.make_node("Gemm", names, ["logits"], "head", transB=1))
        return 2
    build.axes("Squeeze", "y", "all", 2 if layout else 1)
    build.nodes.append(
        helper.make_node("MatMul", ["all", build.constant("head.weight", weight)], ["product"], "head")
    )
    build.nodes.append(
        helper.make_node("Add", [build.constant("head.bias", bias), "product"], ["logits"], "add")
    )
    return 3
