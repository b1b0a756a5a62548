"""ONNX's own reference, with the operator that it lacks for older graphs, and within limits of memory."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops.op_dequantize_linear import DequantizeLinear_25

from gatewright.errors import ModelImportError
from gatewright.limits import ALLOWANCE

_DEQUANTISES_SINCE = 19

_COPIES = 16
"""Times that what moves numbers may copy those that it begins with."""

_TEXT = 128
"""Bytes of a number as a text."""


class DequantizeLinear(DequantizeLinear_25):
    """The newest form of the operator, which computes what those of the opsets from 10 to 18 do."""

    op_domain = ""


def reference(model: ModelProto) -> ReferenceEvaluator:
    """Give a runner of a model."""
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return ReferenceEvaluator(model, new_ops=[DequantizeLinear] if opset < _DEQUANTISES_SINCE else None)


def run_within(model: ModelProto, feeds: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Run a model of operators that move numbers or compute shapes, and give one tensor.

    Parameters
    ----------
    model : ModelProto
    feeds : dict of arrays
        Of its inputs.
    name : str

    Raises
    ------
    ModelImportError
        All tensors together would take far more bytes than those that it begins with.
    """
    evaluator = reference(model)
    values: dict[str, np.ndarray | None] = {"": None, **evaluator.rt_inits_, **feeds}
    most = ALLOWANCE + _COPIES * sum(each.nbytes for each in values.values() if each is not None)
    taken = 0
    for node, runner in zip(model.graph.node, evaluator.rt_nodes_, strict=True):
        inputs = [values[each] for each in node.input]
        taken += _bytes(node, inputs)
        if taken > most:
            raise ModelImportError(
                f"{node.op_type} node {node.name or node.output[0]!r} takes {taken} bytes with those before it, more "
                f"than the {most} that constants and shapes may take"
            )
        values |= dict(zip(node.output, runner.run(*inputs), strict=False))
    return np.asarray(values[name])


def _bytes(node: NodeProto, inputs: Sequence[np.ndarray | None]) -> int:
    """Return how many bytes a node's outputs have at most, before they are made."""
    given = [each for each in inputs if each is not None]
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    kind = node.op_type
    elements = sum(each.size for each in given)
    item = max([8, *(each.dtype.itemsize for each in given)])
    if kind in ("ConstantOfShape", "Expand"):
        shape = [int(each) for each in given[-1].reshape(-1)]
        elements = math.prod(max(each, 1) for each in shape) * (given[0].size if kind == "Expand" else 1)
        if kind == "Expand" and all(each >= 0 for each in shape):
            elements = math.prod(np.broadcast_shapes(given[0].shape, tuple(shape)))
    elif kind in ("Add", "Mul", "Sub"):
        elements = math.prod(np.broadcast_shapes(*(each.shape for each in given)))
    elif kind == "Gather":
        data, indices = given
        elements = indices.size * (data.size // max(1, data.shape[attributes.get("axis", 0)]))
    elif kind == "DequantizeLinear":
        elements = max(given[0].size, given[1].size * max(1, attributes.get("block_size", 0)))
    elif kind == "Split" and attributes.get("num_outputs", 0) > len(node.output):
        raise ModelImportError(f"Split node {node.name!r} has {len(node.output)} outputs")
    elif kind == "Constant" and "sparse_value" in attributes:
        raise ModelImportError(f"Constant node {node.name!r} is sparse, which is not honoured")
    elif kind == "Cast" and attributes.get("to") == TensorProto.STRING:
        item = _TEXT
    return elements * item
