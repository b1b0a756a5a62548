"""What lies between layers, in front of them and before a head, followed with numbers."""

import numpy as np
import pytest
import torch
from graphs import BATCH, HIDDEN, INPUTS, STEPS, close, draw, lstm, model_outputs, source_values, stored
from onnx import helper

from gatewright.sw.importers import ModelImportError, import_model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


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
