"""Small ONNX graphs, and how they are run beside the model that is imported."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from gatewright.sw.importers.check import Batch, run

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 2, 4


def draw(*shape):
    return np.random.default_rng(len(shape) + sum(shape)).normal(size=shape).astype(np.float32)


def lstm(name, source, inputs=INPUTS, hidden=HIDDEN, directions=1, states=("", ""), **attributes):
    """Give a node with Y ``NAME.y`` and Y_h ``NAME.h``, and its weights."""
    weights = {
        f"{name}.w": draw(directions, 4 * hidden, inputs),
        f"{name}.r": draw(directions, 4 * hidden, hidden),
        f"{name}.b": draw(directions, 8 * hidden),
    }
    node = helper.make_node(
        "LSTM",
        [source, *weights, "", *states],
        [f"{name}.y", f"{name}.h"],
        name,
        hidden_size=hidden,
        **attributes,
    )
    return node, weights


def stored(path, nodes, constants, outputs, inputs=None, opset=17):
    """Write a graph; `outputs` and `inputs` map names to shapes."""
    inputs = {"x": [None, None, INPUTS]} | (inputs or {})
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), n) for n, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def source_values(path, **feeds):
    names = [value.name for value in onnx.load(path).graph.output]
    return dict(zip(names, ReferenceEvaluator(str(path)).run(None, feeds), strict=True))


def model_outputs(imported, x, states=None):
    layers = imported.model.network.layers
    batch = x.shape[1]
    zeros = [
        (torch.zeros(batch, layer.output_size), torch.zeros(batch, layer.hidden_size)) for layer in layers
    ]
    whole = Batch(torch.from_numpy(x), torch.full((batch,), len(x)), states or zeros)
    return run(imported.model, whole, imported.reversed_time)


def close(ours, expected):
    np.testing.assert_allclose(ours, expected, atol=1e-5)
