"""What a graph does with its input before the first LSTM sees it."""

from math import prod

import numpy as np

from gatewright.errors import ModelImportError
from gatewright.sw.importers.onnx_graph import Graph, describe, describe_all
from gatewright.sw.importers.onnx_layer import OnnxLayer
from gatewright.sw.importers.onnx_links import MOST_MARKS, follow


def arranged(graph: Graph, layer: OnnxLayer) -> list[str]:
    """Say how a graph arranges its input, where it does more than to swap steps and batch.

    What computes values instead is listed as left out.

    Raises
    ------
    ModelImportError
        It turns the sequences around, which the outputs of the model would not show.
    """
    target = layer.input("X")
    front = graph.before(target)
    source, *others = sorted(graph.sources(target)) or [""]
    shape = graph.shape(source)
    if others or not shape or prod(sizes := [size or 3 for size in shape]) > MOST_MARKS:
        return []
    marks = np.arange(prod(sizes), dtype=np.float32).reshape(sizes)
    moved = follow(graph, front, {source: marks}, target)
    if isinstance(moved, str):
        return []
    forms = [moved.squeeze(), moved.swapaxes(0, 1).squeeze()]
    turned = [np.flip(marks, axis).squeeze() for axis in range(min(2, marks.ndim)) if marks.shape[axis] > 1]
    what = describe_all(graph, front)
    if any(np.array_equal(form, each) for form in forms for each in turned):
        raise ModelImportError(
            f"{what} turns sequences around in front of {describe(layer.node)}: export the model without it, and let "
            "the host give each sequence last step first"
        )
    if any(np.array_equal(form, marks.squeeze()) for form in forms):
        return []
    return [f"the host arranges {source!r} into steps of features, as in the graph: {what}"]
