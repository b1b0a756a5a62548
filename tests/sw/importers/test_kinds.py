"""The matrix of imports: every kind of module, as a state dict and as the module itself."""

import re
from dataclasses import dataclass

import kinds
import pytest
import torch

from gatewright.sw.importers import ModelImportError, import_model


@dataclass(frozen=True)
class Said:
    """Imported, and a note says what of the module's forward is not in the model."""

    text: str


@dataclass(frozen=True)
class Refused:
    """Refused, with a text that names why."""

    text: str


RIGHT = object()
UNKNOWN = Said("a state dict does not say what the forward computes")
OTHER_SHAPE = Said("what follows lstm in the forward stays outside the model: fc \\(Linear\\)")


def between(names):
    return Refused(f"fc does not follow directly on lstm in its forward; between them: {names}")


LSTM_OF_TWO_WAYS = Refused("is bidirectional; .* choose --lstm :forward or --lstm :reverse")
DEEP_TWO_WAYS = Refused("is bidirectional and has 2 layers")
NO_OPERATION = "operations that are no layers"
STARTED = Said("the forward starts .* from a state that is not zero; the model starts from zeros")

# What becomes of the state dict, and of the module itself; right for both where nothing is said.
OUTCOMES = {
    "no_head_asked_for": (UNKNOWN, OTHER_SHAPE),
    "layer_norm_between": (UNKNOWN, between(r"between\.0 \(LayerNorm\), between\.1 \(ReLU\)")),
    "linear_between": (UNKNOWN, between(r"between\.0 \(Linear\), between\.1 \(ReLU\)")),
    "relu_between": (UNKNOWN, between(r"between\.0 \(ReLU\)")),
    "softmax_after": (UNKNOWN, Said(r"what follows fc in the forward stays outside .* softmax \(Softmax\)")),
    "sigmoid_after": (UNKNOWN, Said(f"what follows fc in the forward stays outside .* {NO_OPERATION}")),
    "mean_over_steps": (UNKNOWN, between(NO_OPERATION)),
    "attention": (UNKNOWN, between(r"attention \(Linear\)")),
    "residual": (UNKNOWN, between(NO_OPERATION)),
    "scaled_before": (
        UNKNOWN,
        Said(f"what comes before lstm in the forward stays outside .* {NO_OPERATION}"),
    ),
    "last_step_first": (UNKNOWN, Said("gives lstm the steps of its input in another order")),
    "tanh_between_lstms": (UNKNOWN, Refused("lstm2 does not run on the outputs of lstm1")),
    "encoder_and_decoder": (UNKNOWN, STARTED),
    "bidirectional": (LSTM_OF_TWO_WAYS, LSTM_OF_TWO_WAYS),
    "bidirectional_layers": (DEEP_TWO_WAYS, DEEP_TWO_WAYS),
    "spectral_norm": (Refused("parametrizations.weight_hh_l0.original, which is no weight norm"),) * 2,
    "weight_dropout": (Refused(r"is made of lstm\.weight_hh_l0_raw before every forward \(weight dropout\)"),)
    * 2,
    "normalised_cell": (Refused(r"cell holds the entries cell\.norm_gates\.weight"),) * 2,
    "peephole_cell": (Refused(r"cell holds the entries cell\.peep\.f"),) * 2,
    "relu_cell": (UNKNOWN, Refused(r"differs from its source, run by ReluCell\.forward")),
    "subclass_that_scales": (UNKNOWN, Refused(r"differs from its source, run by ScaledLstm\.forward")),
    "learned_initial_state": (UNKNOWN, STARTED),
    "constant_initial_state": (UNKNOWN, STARTED),
    "gru": (Refused("3 x 8 rows, as a GRU has"),) * 2,
    "plain_rnn": (Refused("1 x 8 rows, as a plain RNN has"),) * 2,
    "no_lstm": (Refused("no entry weight_ih_l0 of an nn.LSTM"),) * 2,
}


def test_outcomes_are_of_known_kinds():
    assert kinds.KINDS.keys() >= OUTCOMES.keys()
    assert len(kinds.KINDS) >= 30


@pytest.mark.parametrize("way", ["state dict", "module"])
@pytest.mark.parametrize("name", kinds.KINDS)
def test_a_kind_is_right_or_refused_or_what_is_left_out_is_said(name, way, tmp_path):
    made = kinds.built(name)
    outcome = OUTCOMES.get(name, (RIGHT, RIGHT))[way == "module"]
    source = made.module
    if way == "state dict":
        source = tmp_path / "model.pt"
        torch.save(made.module.state_dict(), source)
    if isinstance(outcome, Refused):
        with pytest.raises(ModelImportError, match=outcome.text):
            import_model(source, lstm=made.lstm, head=made.head)
        return
    imported = import_model(source, lstm=made.lstm, head=made.head)
    listed = [line.partition(" [")[0] for line in (*imported.taken, *imported.left_out) if " [" in line]
    assert sorted(listed) == sorted(made.module.state_dict())
    assert imported.difference <= 1e-5
    difference = kinds.difference(made, imported.model, reversed_time=imported.reversed_time)
    if outcome is RIGHT:
        assert difference <= 1e-5
    else:
        assert difference > 1e-5
        assert any(re.search(outcome.text, note) for note in imported.notes)
    if way == "module":
        assert any("compared with the whole" in note or "what follows" in note for note in imported.notes)
    if way == "state dict":
        assert any(re.search(UNKNOWN.text, note) for note in imported.notes)
