"""What is said of a graph's nodes that a model does not compute."""

import numpy as np
import pytest
from graphs import HIDDEN, draw, lstm, stored
from onnx import helper

from gatewright.sw.importers import import_model


@pytest.fixture
def path(tmp_path):
    """A normaliser in front, a layer with two heads, and something behind one of them."""
    cell, constants = lstm("cell", "x3")
    constants |= {
        "mean": np.array([1, 2], np.float32),
        "one": np.array([1]),
        "policy": draw(HIDDEN, 3),
        "value": draw(HIDDEN, 1),
        "shift": draw(3),
        "first": np.array([1, 0]),
    }
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["x1"], "centre"),
        helper.make_node("Gather", ["x1", "first"], ["x2"], "order", axis=2),
        helper.make_node("Identity", ["x2"], ["x3"], "same"),
        cell,
        helper.make_node("Squeeze", ["cell.y", "one"], ["y"], "squeeze"),
        helper.make_node("MatMul", ["y", "policy"], ["p0"], "policy_product"),
        helper.make_node("Add", ["p0", "shift"], ["p1"], "policy_bias"),
        helper.make_node("Softmax", ["p1"], ["p2"], "softmax"),
        helper.make_node("MatMul", ["y", "value"], ["v"], "value"),
    ]
    return stored(tmp_path / "model.onnx", nodes, constants, {"p2": [None] * 3, "v": [None] * 3})


def test_nodes_are_listed_those_with_weights_first(path):
    imported = import_model(path)
    assert imported.left_out == (
        "Sub node 'centre': mean [2]",
        "MatMul node 'policy_product': policy [4, 3]",
        "Add node 'policy_bias': shift [3]",
        "MatMul node 'value': value [4, 1]",
        "Gather node 'order'",
        "Softmax node 'softmax'",
    )
    assert imported.taken == ("LSTM node 'cell': cell.w [1, 16, 2], cell.r [1, 16, 4], cell.b [1, 32]",)
    assert [text.partition(": ")[2] for text in imported.advice] == [
        "--head policy_product takes it as the model's head",
        "--head value takes it as the model's head",
    ]


@pytest.mark.parametrize("head", ["policy_product", "policy_bias"])
def test_a_head_with_its_bias_is_taken(path, head):
    imported = import_model(path, head=head)
    assert imported.taken[1:] == (
        "MatMul node 'policy_product': policy [4, 3]",
        "Add node 'policy_bias': shift [3]",
    )
    assert imported.left_out[1:] == (
        "MatMul node 'value': value [4, 1]",
        "Gather node 'order'",
        "Softmax node 'softmax'",
    )
    assert imported.advice == ()


def test_what_follows_is_told_from_what_comes_before(path):
    (note,) = [note for note in import_model(path, head="policy_bias").notes if "what follows" in note]
    assert note == (
        "what follows Add node 'policy_bias' stays outside the model: Softmax node 'softmax', MatMul node 'value'"
    )
