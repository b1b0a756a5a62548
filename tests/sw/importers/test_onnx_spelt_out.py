"""Graphs without an LSTM node: the likely options of a Keras layer are named."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.sw.importers import ModelImportError, import_model


def looped(path, *operators, name="rnn_loop"):
    """Write a graph whose loop holds some operators, as tf2onnx spells out a Keras layer."""
    nodes = [
        helper.make_node("Identity", ["go"], ["go_on"]),
        helper.make_node("Sigmoid", ["state"], ["v0"]),
    ]
    for k, operator in enumerate(operators):
        inputs = ["go", f"v{k}", f"v{k}"] if operator == "Where" else [f"v{k}"]
        nodes.append(helper.make_node(operator, inputs, [f"v{k + 1}"]))
    body = helper.make_graph(
        nodes,
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [None]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info(f"v{len(operators)}", TensorProto.FLOAT, [None]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["steps", "yes", "x"], ["y"], name, body=body)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.array(3), "steps"), numpy_helper.from_array(np.array(True), "yes")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize(
    ("operators", "options"),
    [
        (["Tanh"], "usually a Masking layer .*stateful=True, recurrent_dropout, .*hard_sigmoid"),
        (["Where"], "here probably a Masking layer, mask_zero=True or a mask"),
        (["HardSigmoid"], "here probably recurrent_activation='hard_sigmoid'"),
        (["RandomUniformLike"], "here probably recurrent_dropout"),
        (["Relu", "Where"], "here probably a Masking layer, .* and activation='relu'"),
    ],
)
def test_a_loop_is_refused_with_the_likely_options(tmp_path, operators, options):
    path = looped(tmp_path / "model.onnx", *operators)
    text = f"Loop node 'rnn_loop' may hold one spelt out.* {options}.* .keras or .h5"
    with pytest.raises(ModelImportError, match=text):
        import_model(path)


def test_a_loop_that_is_a_gru_is_called_one(tmp_path):
    path = looped(tmp_path / "model.onnx", "Tanh", name="model/gru_1/while_loop")
    with pytest.raises(ModelImportError, match="here probably a GRU, which the accelerator does not run"):
        import_model(path)
