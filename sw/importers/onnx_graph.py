"""ONNX files and graphs: reading, constants, and what lies between two tensors."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_model
from onnx.inliner import inline_local_functions

from gatewright.errors import ModelImportError
from gatewright.limits import file_size, whole
from gatewright.sw.importers.onnx_limits import check_fields, check_functions, check_tensors
from gatewright.sw.importers.onnx_reference import run_within

OLDEST_OPSET, NEWEST_OPSET = 7, onnx.defs.onnx_opset_version()

MOVES = frozenset(
    {"Cast", "Concat", "Constant", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose"}
    | {"Unsqueeze"}
)
"""Operators that only move or copy values."""

_FOLDED = MOVES | {"DequantizeLinear"}
# ['', 'encoder', 'encoder.fc', 'linear']: the last but one.
_MODULE = re.compile(r".*'([^']*)', '[^']*'\]")
_FLOATS = (
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.BFLOAT16,
)


def describe(node: NodeProto) -> str:
    """Name a node as errors do: operator and name, or its output where it has no name."""
    return f"{node.op_type} node {node_name(node)!r}"


def describe_all(graph: "Graph", nodes: Sequence[NodeProto]) -> str:
    """Name nodes as errors do, but those that constants and shapes come from."""
    within = graph.constants | graph.sizes
    return ", ".join(describe(node) for node in nodes if not within.issuperset(node.output))


def node_name(node: NodeProto) -> str:
    """Give a node's name, or its first output's where it has none."""
    return node.name or next(filter(None, node.output), "")


def module_name(node: NodeProto) -> str:
    """Give the name of the PyTorch module that a node was exported from, as both exporters leave it; else nothing."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            return _MODULE.sub(r"\1", entry.value) if _MODULE.fullmatch(entry.value) else ""
    scopes = node.name.split("/")
    return scopes[-2] if len(scopes) > 2 and not scopes[0] else ""


def standard(node: NodeProto) -> bool:
    """Whether an operator is one of ONNX itself, not of a vendor's."""
    return node.domain in ("", "ai.onnx")


def attributes(node: NodeProto) -> dict:
    """Give a node's attributes by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def read_graph(path: Path) -> "Graph":
    """Read an ONNX file with its external data.

    Raises
    ------
    ModelImportError
        The file is missing, truncated, foreign or malformed, or of an opset that is not supported.
    """
    size = file_size(path, ModelImportError)
    with whole(path, "a whole, valid ONNX file", ModelImportError):
        check_fields(content := path.read_bytes(), path)
        model = onnx.load_model_from_string(content)
        opsets = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
        if len(opsets) != 1:
            raise ModelImportError(
                f"{path}: not an ONNX model (it declares {len(opsets)} versions of the operators)"
            )
        if not OLDEST_OPSET <= opsets[0] <= NEWEST_OPSET:
            raise ModelImportError(
                f"{path}: opset {opsets[0]}; {OLDEST_OPSET} to {NEWEST_OPSET} are supported: convert it with "
                "onnx.version_converter"
            )
        check_functions(model, size)
        check_tensors(model, path.parent)
        load_external_data_for_model(model, str(path.parent))
        for value in model.graph.output:
            # The checker wants a shape, which no import reads and not every exporter writes.
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.shape.SetInParent()
        onnx.checker.check_model(model)
        return Graph(inline_local_functions(model) if model.functions else model)


class Graph:
    """A model's main graph, by tensor names."""

    def __init__(self, model: ModelProto):
        self._model = model
        self.nodes: Sequence[NodeProto] = model.graph.node
        self._initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self.inputs = {value.name for value in model.graph.input} - self._initializers.keys()

    @cached_property
    def constants(self) -> frozenset[str]:
        """Tensors that do not depend on the inputs: initialisers, and what moves or dequantises them."""
        names = set(self._initializers)
        for node in self.nodes:
            if standard(node) and node.op_type in _FOLDED and names.issuperset(filter(None, node.input)):
                names.update(node.output)
        return frozenset(names)

    @cached_property
    def sizes(self) -> frozenset[str]:
        """Tensors that depend on the inputs by their shapes alone."""
        names: set[str] = set()
        for node in self.nodes:
            varying = set(filter(None, node.input)) - self.constants
            if node.op_type in ("Shape", "Size") or (varying and names.issuperset(varying)):
                names.update(node.output)
        return frozenset(names)

    @cached_property
    def _values(self) -> list[onnx.ValueInfoProto]:
        """The tensors that nodes make, and the inputs, as far as ONNX infers what they are."""
        try:
            inferred = onnx.shape_inference.infer_shapes(self._model, data_prop=True).graph
        except (onnx.shape_inference.InferenceError, ValueError) as cause:
            reason = " ".join(str(cause).split())[:200]
            raise ModelImportError(
                f"the types or shapes of its tensors contradict each other ({reason})"
            ) from cause
        return [*inferred.input, *inferred.value_info]

    @cached_property
    def _shapes(self) -> dict[str, list[int | None]]:
        return {
            value.name: [
                d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim
            ]
            for value in self._values
            if value.type.tensor_type.HasField("shape")
        }

    @cached_property
    def _kinds(self) -> dict[str, int]:
        return {value.name: value.type.tensor_type.elem_type for value in self._values}

    def shape(self, name: str) -> list[int | None] | None:
        """Give the shape that a tensor always has, None for sizes that vary; None if nothing is known of it."""
        if name in self._initializers:
            return list(self._initializers[name].dims)
        return self._shapes.get(name)

    @cached_property
    def _makers(self) -> dict[str, int]:
        """Where the node is that makes a tensor."""
        return {output: k for k, node in enumerate(self.nodes) for output in node.output if output}

    @cached_property
    def users(self) -> dict[str, list[NodeProto]]:
        """The nodes that take a tensor."""
        found: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.input):
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def lstms(self) -> dict[str, NodeProto]:
        """The ``LSTM`` nodes by their output Y."""
        return {
            node.output[0]: node
            for node in self.nodes
            if node.op_type == "LSTM" and standard(node) and any(node.output[:1])
        }

    def everywhere(self) -> Iterator[tuple[NodeProto, str]]:
        """Give all nodes, and where those of inner graphs lie: empty for the main graph."""
        yield from _walk(self._model.graph, "")

    def before(self, name: str, stops: Collection[str] = ()) -> list[NodeProto]:
        """Give the nodes that a tensor is computed by, in order, looking no further back than `stops`."""
        wanted, seen, found = [name], {*stops}, set()
        while wanted:
            if (tensor := wanted.pop()) in seen or tensor not in self._makers:
                continue
            seen.add(tensor)
            place = self._makers[tensor]
            if place not in found:
                found.add(place)
                wanted += filter(None, self.nodes[place].input)
        return [self.nodes[place] for place in sorted(found)]

    def constant(self, name: str) -> np.ndarray | None:
        """Give a tensor that does not depend on the inputs; None if it may."""
        if name not in self.constants:
            return None
        try:
            return self.evaluate(self.before(name), {}, name)
        except Exception as cause:
            # The reference raises whatever its operators meet in damaged tensors.
            raise ModelImportError(
                f"tensor {name!r} cannot be read ({' '.join(str(cause).split())})"
            ) from cause

    def is_zero(self, name: str) -> bool:
        """Whether a tensor is made of zeros, of whatever shape."""
        values = self.constant(name)
        if values is not None:
            return not values.any()
        zeros: set[str] = set()
        nodes = self.before(name)
        for leaf in self.leaves(nodes, name) & self._initializers.keys():
            if not self._initializer(leaf).any():
                zeros.add(leaf)
        for node in nodes:
            data = node.input if node.op_type == "Concat" else node.input[:1]
            if node.op_type in ("Constant", "ConstantOfShape"):
                value = attributes(node).get("value")
                # Without a value, ConstantOfShape gives zeros.
                zero = node.op_type != "Constant" if value is None else not numpy_helper.to_array(value).any()
            else:
                zero = node.op_type in MOVES | {"Expand"} and zeros.issuperset(data)
            if zero:
                zeros.update(node.output)
        return name in zeros

    def sources(self, name: str) -> set[str]:
        """Give the graph's inputs that a tensor depends on."""
        return self.leaves(self.before(name), name) & self.inputs

    def weights(self, node: NodeProto) -> list[str]:
        """Name the constants of floating-point numbers that a node takes, but single numbers, with their shapes."""
        weights = [name for name in dict.fromkeys(node.input) if name in self.constants]
        return [f"{name} {self.shape(name)}" for name in weights if self._is_float(name) and self.shape(name)]

    def _is_float(self, name: str) -> bool:
        kind = self._initializers[name].data_type if name in self._initializers else self._kinds.get(name)
        return kind in _FLOATS

    def evaluate(self, nodes: Sequence[NodeProto], feeds: Mapping[str, np.ndarray], name: str) -> np.ndarray:
        """Run standard nodes with ONNX's own reference and give one tensor."""
        if not nodes:
            return self._initializer(name)
        return run_within(self.part(nodes, list(feeds), name), feeds, name)

    def _initializer(self, name: str) -> np.ndarray:
        try:
            return numpy_helper.to_array(self._initializers[name])
        except ValueError as cause:
            raise ModelImportError(f"tensor {name!r} cannot be read ({cause})") from cause

    def part(
        self, nodes: Sequence[NodeProto], inputs: Sequence[str], output: str, **constants: np.ndarray
    ) -> ModelProto:
        """Make a model of some nodes, with the initialisers that they use and further constants."""
        used = self.leaves(nodes, output) - set(inputs)
        graph = helper.make_graph(
            nodes,
            "part",
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inputs],
            [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)],
            [self._initializers[name] for name in sorted(used & self._initializers.keys())]
            + [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        return helper.make_model(
            graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version
        )

    @staticmethod
    def leaves(nodes: Sequence[NodeProto], name: str) -> set[str]:
        """Give the tensors that some nodes, which compute `name`, take and do not make."""
        made = {output for node in nodes for output in node.output}
        return ({name} | {n for node in nodes for n in node.input if n}) - made


def _walk(graph: GraphProto, path: str) -> Iterator[tuple[NodeProto, str]]:
    for node in graph.node:
        yield node, path
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
            for each in inner:
                yield from _walk(each, f"{path} {attribute.name} of {describe(node)}".strip())
