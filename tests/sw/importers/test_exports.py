"""The matrix of exports: every kind of module, through both of PyTorch's exporters of ONNX."""

import contextlib
import io
import re
import warnings
from dataclasses import dataclass

import kinds
import onnx
import pytest
import torch
import written
from torch import nn

from gatewright.sw.importers import ModelImportError, import_model

BOUND = 1e-5


@dataclass(frozen=True)
class LeftOut:
    """Imported, and the list of what is left out names what the module computes besides."""

    text: str


@dataclass(frozen=True)
class Refused:
    """Refused, with a text that names why."""

    text: str


def between(text):
    return Refused(f"does not follow directly on LSTM node .*: {text}")


RIGHT = object()
NOT_EXPORTED = object()
SPELT_OUT = Refused("no LSTM node in the graph: its .* Sigmoid and Tanh nodes, .* state dict")
STARTED = Refused("input initial_h = .* is a constant other than zero, and the accelerator starts from zeros")
DOUBLE = Refused("is float64; only models that compute in float32 are honoured")
FOLD = Refused("is computed by the graph .*remove_parametrizations or .*remove_weight_norm")
TURNED = Refused("Slice node .* turns sequences around in front of LSTM node")

# What becomes of the default exporter's graph, and of the older one's; right for both where nothing is said.
OUTCOMES = {
    "projected_layers": (Refused("initial_c = .* has 8 elements, .* proj_size"), NOT_EXPORTED),
    "no_head_asked_for": (LeftOut(r"MatMul node .* \[8, 3\]"),) * 2,
    "layer_norm_between": (between("LayerNormalization node"),) * 2,
    "linear_between": (between("MatMul node"),) * 2,
    "relu_between": (between("Relu node"),) * 2,
    "softmax_after": (LeftOut("Softmax node"),) * 2,
    "sigmoid_after": (LeftOut("Sigmoid node"),) * 2,
    "mean_over_steps": (between("ReduceMean node"),) * 2,
    "attention": (between("MatMul node"),) * 2,
    "residual": (between("Add node"),) * 2,
    "scaled_before": (LeftOut("Div node"),) * 2,
    "last_step_first": (TURNED,) * 2,
    "tanh_between_lstms": (Refused("choose one of .*Tanh node .* lies behind it"),) * 2,
    "encoder_and_decoder": (Refused("initial_h = .* is computed by .*LSTM node"),) * 2,
    "cell": (SPELT_OUT,) * 2,
    "cells_in_a_row": (SPELT_OUT,) * 2,
    "bidirectional": (Refused("direction = bidirectional: .*:forward and .*:reverse"),) * 2,
    "bidirectional_layers": (LeftOut("LSTM node"),) * 2,
    "weight_norm": (RIGHT, FOLD),
    "weight_norm_of_old": (RIGHT, FOLD),
    "spectral_norm": (RIGHT, NOT_EXPORTED),
    "normalised_cell": (SPELT_OUT,) * 2,
    "peephole_cell": (SPELT_OUT,) * 2,
    "relu_cell": (SPELT_OUT,) * 2,
    "subclass_that_scales": (LeftOut("Mul node"),) * 2,
    "learned_initial_state": (
        STARTED,
        Refused("input initial_h = .* is computed by .*, and the accelerator starts"),
    ),
    "constant_initial_state": (STARTED,) * 2,
    "packed_sequences": (NOT_EXPORTED, RIGHT),
    "double_precision": (DOUBLE,) * 2,
    "data_parallel": (Refused("named 'fc', .*'module.fc'"), NOT_EXPORTED),
    "gru": (Refused("operator GRU: only LSTM is honoured"),) * 2,
    "plain_rnn": (SPELT_OUT, Refused("operator RNN: only LSTM is honoured")),
    "no_lstm": (Refused("no LSTM node in the graph; save"),) * 2,
}
CASES = [
    pytest.param(
        name,
        default,
        outcome,
        id=f"{name}-{'default' if default else 'older'}",
        # Each takes seconds, and there are many.
        marks=pytest.mark.slow if default else (),
    )
    for name in kinds.KINDS
    for default, outcome in zip((True, False), OUTCOMES.get(name, (RIGHT, RIGHT)), strict=True)
    if outcome is not NOT_EXPORTED
]


def export(module, x, path, default, **options):
    """Write a graph, without the exporters' remarks."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), path, dynamo=default, **options)
    return path


@pytest.mark.parametrize(("name", "default", "outcome"), CASES)
def test_an_exported_module_is_right_or_refused(tmp_path, name, default, outcome):
    made = kinds.built(name)
    path = export(made.module, made.x, tmp_path / "model.onnx", default)
    # A graph knows which LSTM follows on which.
    lstm = None if "," in (made.lstm or "") else made.lstm
    if isinstance(outcome, Refused):
        with pytest.raises(ModelImportError, match=outcome.text):
            import_model(path, lstm=lstm, head=made.head)
        return
    imported = import_model(path, lstm=lstm, head=made.head)
    assert imported.difference <= BOUND
    if outcome is RIGHT:
        reversed_time = imported.reversed_time
        assert kinds.difference(made, imported.model, reversed_time=reversed_time) <= BOUND
    else:
        assert any(re.search(outcome.text, entry) for entry in imported.left_out)


def test_outcomes_are_of_known_kinds():
    assert kinds.KINDS.keys() >= OUTCOMES.keys()


@pytest.mark.parametrize("default", [True, False])
def test_sequences_of_any_length_can_be_exported(tmp_path, default):
    """As users do who do not want the length baked in."""
    made = kinds.built("classifier_of_the_last_state")
    batch, steps = (torch.export.Dim(name) for name in ("batch", "steps"))
    options = (
        {"dynamic_shapes": ({0: batch, 1: steps},)}
        if default
        else {"input_names": ["x"], "dynamic_axes": {"x": [0, 1]}}
    )
    imported = import_model(export(made.module, made.x, tmp_path / "m.onnx", default, **options), head="fc")
    assert kinds.difference(made, imported.model) <= BOUND


def test_a_baked_in_length_is_said(tmp_path):
    made = kinds.built("classifier_of_every_step")
    imported = import_model(export(made.module, made.x, tmp_path / "m.onnx", True), head="fc")
    assert any("fixed to 7 steps; the model takes sequences of any length" in note for note in imported.notes)


@pytest.mark.parametrize("default", [True, False])
def test_the_option_that_takes_the_head_is_named(tmp_path, default):
    made = kinds.built("no_head_asked_for")
    imported = import_model(export(made.module, made.x, tmp_path / "m.onnx", default))
    (advice,) = imported.advice
    assert "--head fc takes it" in advice


def test_names_of_modules_and_of_nodes_are_understood(tmp_path):
    made = kinds.built("two_heads")
    path = export(made.module, made.x, tmp_path / "m.onnx", True)
    heads = [node.name for node in onnx.load(path).graph.node if node.op_type in ("MatMul", "Add")]
    for name in ("policy", *heads[:2]):
        assert import_model(path, head=name).model.network.head.rows == kinds.CLASSES
    assert import_model(path, lstm="lstm").model.network.input_size == written.FEATURES
    with pytest.raises(ModelImportError, match=r"named 'gone'.* there are 'policy', 'value'"):
        import_model(path, head="gone")
    with pytest.raises(ModelImportError, match=r"no LSTM node named 'gone'; there are .*, 'lstm'"):
        import_model(path, lstm="gone")


def test_projections_are_refused_at_any_length(tmp_path):
    """The default exporter cuts their weights off, and writes a graph that looks whole."""
    steps = {1: torch.export.Dim("steps")}
    path = export(
        nn.LSTM(5, 8, proj_size=4, batch_first=True),
        torch.randn(2, 6, 5),
        tmp_path / "m.onnx",
        True,
        dynamic_shapes=(steps, None)[:1],
    )
    with pytest.raises(ModelImportError, match=r"initial_c = .* has 8 elements, .* import the state dict"):
        import_model(path)
