"""Graphs that are imported, each run whole by its own runtime beside the model."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from gatewright.sw.importers import ModelImportError, import_model
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


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("layout", [0, 1])
def test_a_node_becomes_a_layer(path, layout, direction):
    node, constants = lstm("a", "x", layout=layout, direction=direction)
    stored(path, [node], constants, {"a.y": [None] * 4})
    imported = import_model(path)
    assert imported.difference <= 1e-5
    assert imported.reversed_time == (direction == "reverse")
    x = draw(STEPS, BATCH, INPUTS)
    y = source_values(path, x=x.swapaxes(0, 1) if layout else x)["a.y"]
    close(model_outputs(imported, x), y[:, :, 0].swapaxes(0, 1) if layout else y[:, 0])


def test_each_direction_is_a_model(path):
    node, constants = lstm("a", "x", directions=2, direction="bidirectional")
    stored(path, [node], constants, {"a.y": [None] * 4})
    x = draw(STEPS, BATCH, INPUTS)
    y = source_values(path, x=x)["a.y"]
    for k, name in enumerate(("forward", "reverse")):
        close(model_outputs(import_model(path, lstm=f"a:{name}"), x), y[:, k])
    with pytest.raises(
        ModelImportError, match=r"LSTM node 'a': .*bidirectional.* import a:forward and a:reverse"
    ):
        import_model(path)
    with pytest.raises(ModelImportError, match="no direction 'sideways'; it has forward, reverse"):
        import_model(path, lstm="a:sideways")


def test_stacked_nodes_become_layers_with_the_head_on_the_last_state(path):
    """As PyTorch exports ``fc(h[-1])``: the last states of all layers in one tensor."""
    first, constants = lstm("a", "x")
    second, more = lstm("b", "x1", HIDDEN)
    constants |= more | {"one": np.array([1]), "top": np.array(-1)}
    constants |= {"fc.w": draw(3, HIDDEN), "fc.b": draw(3)}
    nodes = [
        first,
        helper.make_node("Squeeze", ["a.y", "one"], ["x1"], "squeeze"),
        second,
        helper.make_node("Concat", ["a.h", "b.h"], ["h"], "states", axis=0),
        helper.make_node("Gather", ["h", "top"], ["last"], "top", axis=0),
        helper.make_node("Gemm", ["last", "fc.w", "fc.b"], ["logits"], "fc", transB=1),
    ]
    stored(path, nodes, constants, {"logits": [None, None]})
    imported = import_model(path, head="fc")
    x = draw(STEPS, BATCH, INPUTS)
    outputs = model_outputs(imported, x)
    with torch.no_grad():
        close(imported.model.network.logits(outputs[-1]), source_values(path, x=x)["logits"])
    assert len(imported.model.network.layers) == 2
    assert len(imported.model.labels) == 3
    lower = import_model(path, lstm="a")
    assert len(lower.model.network.layers) == 1


def test_the_head_must_follow_on_the_last_layer(path):
    first, constants = lstm("a", "x")
    second, more = lstm("b", "x1", HIDDEN)
    constants |= more | {"one": np.array([1]), "fc.w": draw(HIDDEN, 3)}
    nodes = [
        first,
        helper.make_node("Squeeze", ["a.y", "one"], ["x1"], "squeeze"),
        second,
        helper.make_node("Relu", ["b.y"], ["positive"], "relu"),
        helper.make_node("MatMul", ["positive", "fc.w"], ["behind"], "behind"),
        helper.make_node("MatMul", ["x1", "fc.w"], ["lower"], "lower"),
    ]
    stored(path, nodes, constants, {"behind": [None] * 4, "lower": [None] * 3})
    for head, text in {
        "behind": "does not follow directly on LSTM node 'b': Relu node 'relu'",
        "lower": "mixes its outputs with others",
        "fc": "0 Gemm or MatMul nodes are named 'fc', .*'behind', 'lower'",
    }.items():
        with pytest.raises(ModelImportError, match=text):
            import_model(path, head=head)


def test_states_that_the_graph_takes_are_the_hosts(path):
    node, constants = lstm("a", "x", states=("h0", "c0"))
    shape = [1, None, HIDDEN]
    stored(path, [node], constants, {"a.y": [None] * 4}, {"h0": shape, "c0": shape})
    imported = import_model(path)
    assert any(
        "takes its state from h0, c0; the accelerator starts from zeros" in note for note in imported.notes
    )
    x, h, c = draw(STEPS, BATCH, INPUTS), draw(1, BATCH, HIDDEN), draw(1, BATCH, HIDDEN) / 2
    expected = source_values(path, x=x, h0=h, c0=c)["a.y"][:, 0]
    close(model_outputs(imported, x, [(torch.from_numpy(h[0]), torch.from_numpy(c[0]))]), expected)


def test_zero_states_are_recognised_whatever_their_shape(path):
    """As PyTorch exports the state that nobody gave: zeros of the batch's size."""
    node, constants = lstm("a", "x", states=("zeros", "zeros"))
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["batch"]),
        helper.make_node("Concat", ["one", "batch", "hidden"], ["size"], axis=0),
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        node,
    ]
    constants |= {"one": np.array([1]), "hidden": np.array([HIDDEN])}
    stored(path, nodes, constants, {"a.y": [None] * 4})
    imported = import_model(path)
    assert imported.source.given == [(False, False)]
    x = draw(STEPS, BATCH, INPUTS)
    close(model_outputs(imported, x), source_values(path, x=x)["a.y"][:, 0])


@pytest.mark.parametrize(
    ("between", "text"),
    [
        (("Relu", {}), "Relu node 'between' lies behind it"),
        (("Transpose", {"perm": [1, 0, 2]}), "rearranges its outputs"),
    ],
)
def test_what_lies_between_two_nodes_is_not_passed_over(path, between, text):
    first, constants = lstm("a", "x")
    second, more = lstm("b", "x1", HIDDEN)
    op, attributes = between
    nodes = [
        first,
        helper.make_node("Squeeze", ["a.y", "one"], ["x0"], "squeeze"),
        helper.make_node(op, ["x0"], ["x1"], "between", **attributes),
        second,
    ]
    stored(path, nodes, constants | more | {"one": np.array([1])}, {"b.y": [None] * 4})
    with pytest.raises(ModelImportError, match=f"choose one of 'a', 'b' by its name .*{text}"):
        import_model(path)
    alone = import_model(path, lstm="b")
    assert len(alone.model.network.layers) == 1
    assert any(text in note for note in alone.notes)


def test_weights_in_local_functions_and_behind_moves_are_found(path):
    node, constants = lstm("a", "x")
    w = constants.pop("a.w")
    function = helper.make_function(
        "custom", "Wrapped", ["x", "w", "a.r", "a.b"], ["y"],
        [
            helper.make_node("Transpose", ["w"], ["a.w"], perm=[0, 2, 1]),
            helper.make_node("LSTM", ["x", "a.w", "a.r", "a.b"], ["y"], "inner", hidden_size=HIDDEN),
        ],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    call = helper.make_node("Wrapped", ["x", "w", "a.r", "a.b"], ["y"], "call", domain="custom")
    stored(path, [node], constants | {"a.w": w}, {"a.y": [None] * 4})
    x = draw(STEPS, BATCH, INPUTS)
    expected = source_values(path, x=x)["a.y"][:, 0]
    constants["w"] = w.swapaxes(1, 2).copy()
    model = onnx.load(stored(path, [call], constants, {"y": [None] * 4}))
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("custom", 1))
    onnx.save(model, path)
    close(model_outputs(import_model(path), x), expected)


@pytest.mark.parametrize("opset", [13, 19, 21])
@pytest.mark.parametrize("axis", [None, 1, 2])
def test_weights_behind_a_constant_dequantisation_are_folded(path, axis, opset):
    """As onnxruntime and NNCF write them: integers, a scale for all of them or for every row or column."""
    node, constants = lstm("a", "x")
    rng = np.random.default_rng(0)
    nodes = []
    for name in ("a.w", "a.r"):
        shape = constants.pop(name).shape
        size = () if axis is None else (shape[axis],)
        constants |= {
            f"{name}.q": rng.integers(-128, 128, shape).astype(np.int8),
            f"{name}.scale": rng.uniform(0.001, 0.01, size).astype(np.float32),
            f"{name}.zero": rng.integers(-3, 4, size).astype(np.int8),
        }
        attributes = {} if axis is None else {"axis": axis}
        inputs = [f"{name}.q", f"{name}.scale", f"{name}.zero"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [name], f"{name}.float", **attributes))
    stored(path, [*nodes, node], constants, {"a.y": [None] * 4}, opset=opset)
    imported = import_model(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = draw(STEPS, BATCH, INPUTS)
    close(model_outputs(imported, x), session.run(None, {"x": x})[0][:, 0])
    assert imported.left_out == ()
    ours = imported.model.network.layers[0].input().detach().numpy()
    shape = [1] * 3
    shape[axis or 0] = -1
    scale, zero = (constants[f"a.w.{part}"].astype(np.float32).reshape(shape) for part in ("scale", "zero"))
    exact = ((constants["a.w.q"] - zero) * scale)[0]
    i, o, f, g = np.split(exact, 4)
    np.testing.assert_array_equal(ours, np.concatenate([i, f, g, o]))


def test_graphs_without_the_shape_of_their_outputs_are_read(path):
    node, constants = lstm("a", "x")
    model = onnx.load(stored(path, [node], constants, {"a.y": None}))
    assert not model.graph.output[0].type.tensor_type.HasField("shape")
    x = draw(STEPS, BATCH, INPUTS)
    close(model_outputs(import_model(path), x), source_values(path, x=x)["a.y"][:, 0])


@pytest.mark.parametrize("layout", [0, 1])
def test_reshapes_to_one_length_are_followed(path, layout):
    """As PyTorch's default exporter bakes the sizes in that it was shown."""
    first, constants = lstm("a", "x", layout=layout)
    second, more = lstm("b", "x1", HIDDEN, layout=layout)
    sizes = (BATCH, STEPS) if layout else (STEPS, BATCH)
    constants |= more | {
        "flat": np.array([*sizes, HIDDEN]),
        "fc.weight": draw(3, HIDDEN),
        "rows": np.array([-1, HIDDEN]),
    }
    nodes = [
        first,
        helper.make_node("Reshape", ["a.y", "flat"], ["x1"], "reshape"),
        second,
        helper.make_node("Reshape", ["b.y", "flat"], ["y1"], "again"),
        helper.make_node("Reshape", ["y1", "rows"], ["y2"], "rows"),
        helper.make_node("Gemm", ["y2", "fc.weight"], ["logits"], "fc", transB=1),
    ]
    stored(path, nodes, constants, {"logits": [None, None]}, {"x": [*sizes, INPUTS]})
    imported = import_model(path, head="fc")
    x = draw(STEPS, BATCH, INPUTS)
    outputs = model_outputs(imported, x)
    fed = x.swapaxes(0, 1) if layout else x
    with torch.no_grad():
        logits = imported.model.network.logits(outputs.swapaxes(0, 1) if layout else outputs)
    close(logits.reshape(-1, 3), source_values(path, x=fed)["logits"])
    assert model_outputs(imported, draw(3 * STEPS, BATCH, INPUTS)).shape == (3 * STEPS, BATCH, HIDDEN)


def test_a_reshape_that_mixes_steps_is_seen_at_the_one_length(path):
    first, constants = lstm("a", "x")
    second, more = lstm("b", "x1", HIDDEN)
    constants |= more | {"flat": np.array([BATCH, STEPS, HIDDEN])}
    nodes = [
        first,
        helper.make_node("Reshape", ["a.y", "flat"], ["x0"], "reshape"),
        helper.make_node("Transpose", ["x0"], ["x1"], "turn", perm=[1, 0, 2]),
        second,
    ]
    stored(path, nodes, constants, {"b.y": [None] * 4}, {"x": [STEPS, BATCH, INPUTS]})
    with pytest.raises(ModelImportError, match="'reshape', Transpose node 'turn' rearranges its outputs"):
        import_model(path)


@pytest.mark.parametrize(
    ("gather", "steps"),
    [
        ([-1], "the last step"),
        ([0], "the first step"),
        ([1, 2], f"the steps 2, 3 of {STEPS}"),
        (list(range(STEPS)), ""),
    ],
)
def test_the_steps_that_a_head_takes_are_said(path, gather, steps):
    node, constants = lstm("a", "x")
    constants |= {"one": np.array([1]), "steps": np.array(gather), "fc": draw(HIDDEN, 3)}
    nodes = [
        node,
        helper.make_node("Squeeze", ["a.y", "one"], ["y"], "squeeze"),
        helper.make_node("Gather", ["y", "steps"], ["some"], "gather", axis=0),
        helper.make_node("MatMul", ["some", "fc"], ["logits"], "fc"),
    ]
    stored(path, nodes, constants, {"logits": [None] * 3}, {"x": [STEPS, BATCH, INPUTS]})
    notes = [note for note in import_model(path, head="fc").notes if note.startswith("head 'fc' takes")]
    assert len(notes) == bool(steps)
    assert all(f"the outputs of {steps};" in note for note in notes)


def test_an_arranged_input_is_said(path):
    """As of a model that takes channels first."""
    node, constants = lstm("a", "x1")
    turn = helper.make_node("Transpose", ["x"], ["x1"], "turn", perm=[2, 0, 1])
    stored(path, [turn, node], constants, {"a.y": [None] * 4}, {"x": [None, INPUTS, None]})
    assert "the host arranges 'x' into steps of features, as in the graph: Transpose node 'turn'" in (
        import_model(path).notes
    )
