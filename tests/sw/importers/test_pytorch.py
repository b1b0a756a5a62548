import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from gatewright.sw.importers import ModelImportError, from_lstm, import_model
from gatewright.sw.models import FloatModel


def saved(path, state):
    torch.save(state, path)
    return path


def state_of(**options):
    return nn.LSTM(3, 4, **options).state_dict()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("projection", [0, 3])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_module_becomes_the_same_network(layers, projection, bias):
    module = nn.LSTM(5, 7, layers, bias=bias, proj_size=projection)
    head = nn.Linear(projection or 7, 4)
    imported = from_lstm(module, head)
    assert imported.difference <= 1e-6
    x = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    expected = imported.source_outputs(x)
    np.testing.assert_allclose(imported.model.outputs([x])[0], expected, atol=1e-6)
    assert imported.model.labels == ("0", "1", "2", "3")
    assert len(imported.model.network.layers) == layers
    assert expected.shape == (9, projection or 7)


def test_a_cell_is_a_layer():
    cell = nn.LSTMCell(3, 4)
    imported = from_lstm(cell)
    x, (h, c) = torch.randn(5, 3), (torch.zeros(1, 4), torch.zeros(1, 4))
    expected = []
    with torch.no_grad():
        for step in x:
            h, c = cell(step[None], (h, c))
            expected.append(h[0].numpy())
    np.testing.assert_allclose(imported.model.outputs([x.numpy()])[0], expected, atol=1e-6)
    assert imported.model.labels == ()


def test_a_file_of_a_whole_model_gives_the_named_parts(tmp_path):
    parts = nn.ModuleDict({"encoder": nn.LSTM(3, 4), "decoder": nn.LSTM(3, 5), "fc": nn.Linear(5, 2)})
    path = saved(tmp_path / "model.pt", {"epoch": 3, "model": parts.state_dict()})
    with pytest.raises(
        ModelImportError,
        match=r"several LSTMs; choose one by --lstm: encoder \(3 to 4\), decoder \(3 to 5\)$",
    ):
        import_model(path)
    with pytest.raises(ModelImportError, match=r"no LSTM named other; there are"):
        import_model(path, lstm="other")
    with pytest.raises(ModelImportError, match=r"no linear layer named out; those of 5 inputs are model\.fc"):
        import_model(path, lstm="model.decoder", head="out")
    with pytest.raises(ModelImportError, match=r"model\.fc\.weight takes 5 inputs, but the LSTM gives 4"):
        import_model(path, lstm="model.encoder", head="model.fc")
    imported = import_model(path, lstm="decoder", head="fc")
    assert any(
        "left out between model.decoder and model.fc, the model computes" in note for note in imported.notes
    )
    assert [line.partition(" [")[0] for line in imported.left_out] == [
        f"model.encoder.{name}" for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    ]
    x = torch.randn(6, 1, 3)
    with torch.no_grad():
        expected = parts["fc"](parts["decoder"](x)[0])
        ours = imported.model.network.logits(imported.model.network(x))
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_an_imported_model_is_kept_like_any_other(tmp_path):
    model = from_lstm(nn.LSTM(3, 4, 2), nn.Linear(4, 2)).model
    assert model.notes["from"] == "ModuleDict"
    model.save(tmp_path / "model.pt")
    assert FloatModel.load(tmp_path / "model.pt").notes == model.notes
    x = np.ones((5, 3), dtype=np.float32)
    np.testing.assert_array_equal(FloatModel.load(tmp_path / "model.pt").outputs([x]), model.outputs([x]))


def test_the_model_notes_where_it_comes_from(tmp_path):
    path = saved(
        tmp_path / "theirs.pt", nn.ModuleDict({"lstm": nn.LSTM(3, 4), "fc": nn.Linear(4, 2)}).state_dict()
    )
    imported = import_model(path)
    assert imported.model.notes == {
        "from": "theirs.pt",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "how": "import",
        "taken": list(imported.taken),
        "left_out": ["fc.weight [2, 4]", "fc.bias [2]"],
        "notes": list(imported.notes),
        "difference": imported.difference,
        "reversed_time": False,
    }


def test_half_precision_is_widened_and_double_only_if_it_fits(tmp_path):
    half = {name: value.half() for name, value in state_of().items()}
    assert import_model(saved(tmp_path / "half.pt", half)).difference <= 1e-6
    double = {name: value.double() for name, value in state_of().items()}
    import_model(saved(tmp_path / "double.pt", double))
    double["weight_hh_l0"][0, 0] = 0.1
    with pytest.raises(ModelImportError, match=r"weight_hh_l0: weights are torch.float64 .* float32 exactly"):
        import_model(saved(tmp_path / "more.pt", double))


def test_double_precision_is_rounded_on_request(tmp_path):
    torch.manual_seed(0)
    module = nn.ModuleDict(
        {"lstm": nn.LSTM(3, 4, dtype=torch.float64), "fc": nn.Linear(4, 2, dtype=torch.float64)}
    )
    path = saved(tmp_path / "model.pt", module.state_dict())
    with pytest.raises(ModelImportError, match=r"round them with --double, double=True in Python"):
        import_model(path, head="fc")
    imported = import_model(path, head="fc", double=True)
    x = torch.randn(6, 1, 3, dtype=torch.float64)
    with torch.no_grad():
        expected = module["fc"](module["lstm"](x)[0])
        ours = imported.model.network.logits(imported.model.network(x.float()))
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    (note,) = [note for note in imported.notes if "rounded to float32" in note]
    change = float(note.split("changed by ")[1].split()[0])
    weight = module["lstm"].weight_hh_l0.detach()
    assert float(((weight.float() - weight) / weight).abs().max()) <= change <= 2**-24


def test_numbers_beyond_float32_are_not_rounded(tmp_path):
    state = {name: value.double() for name, value in state_of().items()}
    state["bias_ih_l0"][2] = 1e300
    with pytest.raises(
        ModelImportError, match=r"bias_ih_l0: weight \[2\] is 1e\+300; all must be finite in float32"
    ):
        import_model(saved(tmp_path / "model.pt", state), double=True)


def changed(**entries):
    state = state_of() | entries
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (nn.GRU(3, 4).state_dict(), "3 x 4 rows, as a GRU has"),
        (nn.RNN(3, 4).state_dict(), "1 x 4 rows, as a plain RNN has"),
        (nn.Linear(3, 4).state_dict(), "no entry weight_ih_l0 .* holds weight, bias"),
        (state_of(bidirectional=True), "is bidirectional; .* choose --lstm :forward or --lstm :reverse"),
        (changed(bias_hh_l0=None), "entry bias_hh_l0 is missing"),
        (changed(weight_hh_l0=None), "entry weight_hh_l0 is missing"),
        (changed(weight_ih_l2=torch.zeros(16, 4)), "weight_ih_l2, which no nn.LSTM of 1 layers has"),
        (changed(weight_ch_l0=torch.zeros(4)), "weight_ch_l0, which no nn.LSTM"),
        (
            changed(weight_ih_l0=torch.zeros(12, 3)),
            r"weight_ih_l0 has shape \[12, 3\]; it must be \[16, at least 1\]",
        ),
        (changed(weight_hh_l0=torch.zeros(16, 5)), r"weight_hh_l0 has shape \[16, 5\]"),
        (changed(bias_ih_l0=torch.zeros(15)), r"bias_ih_l0 has shape \[15\]; it must be \[16\]"),
        (changed(weight_ih_l0=torch.zeros(16, 0)), r"weight_ih_l0 has shape \[16, 0\]"),
        (changed(weight_ih_l0=torch.full((16, 3), torch.nan)), r"weight_ih_l0: weight \[0, 0\] is nan"),
        (changed(weight_ih_l0=torch.zeros(16, 3, dtype=torch.int8)), "weights are torch.int8"),
        (state_of(num_layers=2) | {"weight_ih_l1": torch.zeros(16, 5)}, r"weight_ih_l1 has shape \[16, 5\]"),
        ([1, 2], "holds a list, not a state dict"),
    ],
)
def test_what_is_no_plain_lstm_is_refused_by_name(tmp_path, state, text):
    with pytest.raises(ModelImportError, match=text):
        import_model(saved(tmp_path / "model.pt", state))


def test_layers_of_different_sizes_are_no_single_lstm(tmp_path):
    state = state_of() | {
        name.replace("l0", "l1"): value for name, value in nn.LSTM(4, 6).state_dict().items()
    }
    with pytest.raises(ModelImportError, match=r"the layers do not form one nn.LSTM"):
        import_model(saved(tmp_path / "model.pt", state))


def test_other_heads_are_refused():
    with pytest.raises(ModelImportError, match=r"the head is ReLU, not an nn\.Linear"):
        from_lstm(nn.LSTM(3, 4), nn.ReLU())
