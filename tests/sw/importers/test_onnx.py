"""Graphs that are imported, each run whole by its own runtime beside the model."""

import numpy as np
import onnx
import pytest
import torch
from graphs import BATCH, HIDDEN, INPUTS, STEPS, close, draw, lstm, model_outputs, source_values, stored
from onnx import helper

from gatewright.sw.importers import ModelImportError, import_model


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


def test_graphs_without_the_shape_of_their_outputs_are_read(path):
    node, constants = lstm("a", "x")
    model = onnx.load(stored(path, [node], constants, {"a.y": None}))
    assert not model.graph.output[0].type.tensor_type.HasField("shape")
    x = draw(STEPS, BATCH, INPUTS)
    close(model_outputs(import_model(path), x), source_values(path, x=x)["a.y"][:, 0])
