"""ONNX's own reference, with the operator that it lacks for older graphs."""

from onnx import ModelProto
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops.op_dequantize_linear import DequantizeLinear_25

_DEQUANTISES_SINCE = 19


class DequantizeLinear(DequantizeLinear_25):
    """The newest form of the operator, which computes what those of the opsets from 10 to 18 do."""

    op_domain = ""


def reference(model: ModelProto) -> ReferenceEvaluator:
    """Give a runner of a model."""
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return ReferenceEvaluator(model, new_ops=[DequantizeLinear] if opset < _DEQUANTISES_SINCE else None)
