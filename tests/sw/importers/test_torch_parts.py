import numpy as np
import pytest
import torch
from torch import nn

from gatewright.sw.importers import ModelImportError, import_model


def saved(folder, module):
    torch.save(module.state_dict(), folder / "model.pt")
    return folder / "model.pt"


@pytest.fixture
def row():
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "upper": nn.LSTM(8, 6),
            "lower": nn.LSTM(5, 8, 2),
            "cells": nn.ModuleList([nn.LSTMCell(5, 8), nn.LSTMCell(8, 8)]),
            "both": nn.LSTM(5, 8, bidirectional=True),
            "gru": nn.GRU(5, 5),
        }
    )


def test_lstms_in_a_row_are_one_model(tmp_path, row):
    imported = import_model(saved(tmp_path, row), lstm="lower, upper")
    x = torch.randn(7, 2, 5)
    with torch.no_grad():
        expected = row["upper"](row["lower"](x)[0])[0]
        ours = imported.model.network(x)
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert len(imported.model.network.layers) == 3
    assert [line.split(".")[0] for line in imported.taken] == ["upper"] * 4 + ["lower"] * 8


@pytest.mark.parametrize("lstm", ["cells", "cells.0,cells.1"])
def test_a_list_of_cells_is_one_model(tmp_path, row, lstm):
    imported = import_model(saved(tmp_path, row), lstm=lstm)
    x = torch.randn(7, 5)
    states, expected = [None, None], []
    with torch.no_grad():
        for value in x:
            for k, cell in enumerate(row["cells"]):
                states[k] = cell(value, states[k])
                value = states[k][0]
            expected.append(value)
    np.testing.assert_allclose(imported.model.outputs([x.numpy()])[0], torch.stack(expected), atol=1e-6)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_one_direction_is_a_model(tmp_path, row, direction):
    imported = import_model(saved(tmp_path, row), lstm=f"both:{direction}")
    assert imported.reversed_time == (direction == "reverse")
    x = torch.randn(7, 5)
    with torch.no_grad():
        both = row["both"](x[:, None])[0][:, 0]
    own = x.flip(0) if imported.reversed_time else x
    (ours,) = imported.model.outputs([own.numpy()])
    expected = both[:, 8:].flip(0) if imported.reversed_time else both[:, :8]
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    np.testing.assert_allclose(
        imported.source_outputs(x.numpy()), both[:, 8:] if imported.reversed_time else both[:, :8]
    )
    assert any("last step first" in note for note in imported.notes) == imported.reversed_time
    assert all(("_reverse" in line) == imported.reversed_time for line in imported.taken)


def test_advice_names_a_row_whose_sizes_fit(tmp_path, row):
    del row["both"], row["cells"]
    with pytest.raises(
        ModelImportError, match=r"--lstm: upper \(8 to 6\), lower \(5 to 8\); or, .* --lstm lower,upper$"
    ):
        import_model(saved(tmp_path, row))


@pytest.mark.parametrize(
    ("lstm", "text"),
    [
        (None, r"several LSTMs; choose one by --lstm: upper \(8 to 6\), .*both \(5 to 16\)"),
        ("other", r"no LSTM named other; there are upper, lower, cells\.0, cells\.1, both"),
        ("gru", "no LSTM named gru"),
        ("both", r"both is bidirectional; .* --lstm both:forward or --lstm both:reverse"),
        ("both:sideways", "the direction of both must be forward or reverse, not 'sideways'"),
        ("upper:forward", "upper has one direction; choose it by --lstm upper"),
        ("both:forward,upper", "both:forward is a model by itself"),
        ("upper,upper", "--lstm upper,upper names an LSTM twice"),
        ("upper,lower", "lower takes 5 inputs, but the LSTM before it gives 6"),
    ],
)
def test_what_is_no_row_is_refused(tmp_path, row, lstm, text):
    with pytest.raises(ModelImportError, match=text):
        import_model(saved(tmp_path, row), lstm=lstm)
