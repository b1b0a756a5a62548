"""Graphs and files that are refused, with the node, the attribute and the reason."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.sw.importers import ModelImportError, import_model

INPUTS, HIDDEN = 2, 3


def weights():
    rng = np.random.default_rng(0)
    shapes = {"w": (1, 4 * HIDDEN, INPUTS), "r": (1, 4 * HIDDEN, HIDDEN), "b": (1, 8 * HIDDEN)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def model_of(nodes, constants, kind=TensorProto.FLOAT, opset=17, domains=()):
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, [None, None, INPUTS])],
        [helper.make_tensor_value_info("y", kind, [None] * 4)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def node_of(*inputs, op="LSTM", **attributes):
    names = ["x", "w", "r", "b", *inputs]
    return helper.make_node(op, names, ["y"], "cell", **({"hidden_size": HIDDEN} | attributes))


def refused(path, model, text, **options):
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelImportError, match=text):
        import_model(path, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"clip": 3.0}, "LSTM node 'cell': attribute clip = 3.0 is not honoured"),
        ({"input_forget": 1}, "LSTM node 'cell': attribute input_forget = 1"),
        ({"activations": ["Relu", "Tanh", "Tanh"]}, r"LSTM node 'cell': attribute activations = \['Relu'"),
        ({"activation_alpha": [0.5]}, r"LSTM node 'cell': attribute activation_alpha = \[0.5\]"),
        ({"activation_beta": [0.5]}, r"LSTM node 'cell': attribute activation_beta = \[0.5\]"),
        ({"direction": "sideways"}, "LSTM node 'cell': attributes direction and layout"),
        ({"hidden_size": 4}, "LSTM node 'cell': shapes .* hidden_size = 4 disagree"),
    ],
)
def test_attributes_that_are_not_honoured(path, attributes, text):
    refused(path, model_of([node_of(**attributes)], weights()), text)


def test_default_activations_may_be_spelt_out(path):
    node = node_of(activations=["sigmoid", "TANH", "Tanh"], input_forget=0)
    path.write_bytes(model_of([node], weights()).SerializeToString())
    assert import_model(path).difference <= 1e-5


def test_inputs_that_are_not_honoured(path):
    peepholes = weights() | {"p": np.zeros((1, 3 * HIDDEN), np.float32)}
    refused(
        path, model_of([node_of("", "", "", "p")], peepholes), "input P = 'p': peepholes are not honoured"
    )
    state = weights() | {"h": np.ones((1, 1, HIDDEN), np.float32)}
    refused(path, model_of([node_of("", "h")], state), "input initial_h = 'h' is a constant other than zero")


@pytest.mark.parametrize("name", ["w", "r", "b"])
def test_weights_must_be_finite_constants_of_the_right_shape(path, name):
    place = name.upper()
    bad = weights()
    bad[name] = bad[name][:, 1:]
    refused(path, model_of([node_of()], bad), "LSTM node 'cell': shapes .* disagree")
    bad = weights()
    bad[name][0, 2] = np.inf
    refused(path, model_of([node_of()], bad), f"LSTM node 'cell': input {place} = '{name}': weight .* is inf")
    computed = weights()
    computed["seed"] = computed.pop(name)
    made = helper.make_node("Tanh", ["seed"], [name], "made")
    refused(path, model_of([made, node_of()], computed), f"input {place} = '{name}' is computed by the graph")


@pytest.mark.parametrize(
    ("kind", "dtype"), [(TensorProto.FLOAT16, np.float16), (TensorProto.DOUBLE, np.float64)]
)
def test_other_precisions_are_refused(path, kind, dtype):
    other = {name: value.astype(dtype) for name, value in weights().items()}
    refused(
        path,
        model_of([node_of()], other, kind),
        f"input W = 'w' is {np.dtype(dtype)}; only models .* float32",
    )


def test_other_recurrent_operators_are_refused(path):
    gru = {name: value[:, : value.shape[1] * 3 // 4] for name, value in weights().items()}
    refused(path, model_of([node_of(op="GRU")], gru), "GRU node 'cell': operator GRU: only LSTM is honoured")
    refused(path, model_of([node_of(op="GRU")], gru), "GRU node 'cell': operator GRU", lstm="cell")
    quantised = node_of(op="DynamicQuantizeLSTM", domain="com.microsoft")
    model = model_of([quantised], weights(), domains=["com.microsoft"])
    refused(path, model, "DynamicQuantizeLSTM node 'cell': domain 'com.microsoft': a vendor's operator")
    plain = helper.make_node("Unsqueeze", ["x", "one"], ["y"], "plain")
    refused(path, model_of([plain], {"one": np.array([1])}), "no LSTM node in the graph; save .*state dict")


def test_a_node_in_control_flow_is_refused(path):
    def branch(name):
        node = node_of()
        node.output[0], node.name = f"y_{name}", f"cell_{name}"
        output = helper.make_tensor_value_info(f"y_{name}", TensorProto.FLOAT, [None] * 4)
        return helper.make_graph([node], name, [], [output])

    choice = helper.make_node(
        "If", ["yes"], ["y"], "choice", then_branch=branch("a"), else_branch=branch("b")
    )
    model = model_of([choice], weights() | {"yes": np.array(True)})
    refused(
        path,
        model,
        "LSTM node 'cell_a': lies in then_branch of If node 'choice': what runs inside control flow",
    )


def test_nodes_beside_the_one_that_is_meant_are_not_passed_over(path):
    other = helper.make_node("LSTM", ["x", "w", "r"], ["z"], "other", hidden_size=HIDDEN)
    model = model_of([node_of(), other], weights())
    refused(path, model, "several recurrent nodes; choose one of 'cell', 'other' by its name")
    refused(path, model, "no LSTM node named 'third'; there are 'cell', 'other'", lstm="third")
    assert import_model(path, lstm="other").model.network.layers[0].bias.abs().max() == 0
    other.name = "cell"
    refused(path, model_of([node_of(), other], weights()), "two recurrent nodes are named 'cell'")


@pytest.mark.parametrize("opset", [6, 99])
def test_other_opsets_are_refused(path, opset):
    refused(path, model_of([node_of()], weights(), opset=opset), f"opset {opset}; 7 to .* are supported")


def test_damaged_and_foreign_files_are_named(path):
    whole = model_of([node_of()], weights()).SerializeToString()
    for content in (whole[: len(whole) // 2], whole[:-3], b"hello", b"", b"PK\x03\x04 a zip"):
        path.write_bytes(content)
        with pytest.raises(ModelImportError, match=r"model\.onnx: not a"):
            import_model(path)
    path.unlink()
    with pytest.raises(ModelImportError, match=r"model\.onnx: no such file"):
        import_model(path)


@pytest.mark.parametrize("location", ["gone.bin", "../gone.bin", "/etc/hostname"])
def test_external_data_must_lie_beside_the_file(path, location):
    model = model_of([node_of()], weights())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    refused(path, model, r"model\.onnx: not a whole, valid ONNX file")


def test_external_data_beside_the_file_are_read(path):
    model = model_of([node_of()], weights())
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert import_model(path).difference <= 1e-5
    data = path.with_name("weights.bin")
    data.write_bytes(data.read_bytes()[:8])
    with pytest.raises(ModelImportError, match="not a whole, valid ONNX file"):
        import_model(path)
