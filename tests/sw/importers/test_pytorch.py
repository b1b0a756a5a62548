import pickle

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


class Executed:
    def __reduce__(self):
        return (pytest.fail, ("the file's code ran",))


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
        ModelImportError, match=r"several LSTMs; choose one of model\.encoder, model\.decoder"
    ):
        import_model(path)
    with pytest.raises(ModelImportError, match=r"no LSTM named other; there are"):
        import_model(path, lstm="other")
    with pytest.raises(ModelImportError, match=r"no linear layer named fc; there are model\.fc"):
        import_model(path, lstm="model.decoder", head="fc")
    with pytest.raises(ModelImportError, match=r"model\.fc\.weight takes 5 inputs, but the LSTM gives 4"):
        import_model(path, lstm="model.encoder", head="model.fc")
    imported = import_model(path, lstm="model.decoder", head="model.fc")
    x = torch.randn(6, 1, 3)
    with torch.no_grad():
        expected = parts["fc"](parts["decoder"](x)[0])
        ours = imported.model.network.logits(imported.model.network(x))
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_an_imported_model_is_kept_like_any_other(tmp_path):
    model = from_lstm(nn.LSTM(3, 4, 2), nn.Linear(4, 2)).model
    model.save(tmp_path / "model.pt")
    x = np.ones((5, 3), dtype=np.float32)
    np.testing.assert_array_equal(FloatModel.load(tmp_path / "model.pt").outputs([x]), model.outputs([x]))


def test_half_precision_is_widened_and_double_only_if_it_fits(tmp_path):
    half = {name: value.half() for name, value in state_of().items()}
    assert import_model(saved(tmp_path / "half.pt", half)).difference <= 1e-6
    double = {name: value.double() for name, value in state_of().items()}
    import_model(saved(tmp_path / "double.pt", double))
    double["weight_hh_l0"][0, 0] = 0.1
    with pytest.raises(ModelImportError, match=r"weight_hh_l0: weights are torch.float64 .* float32 exactly"):
        import_model(saved(tmp_path / "more.pt", double))


def changed(**entries):
    state = state_of() | entries
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (nn.GRU(3, 4).state_dict(), "3 x 4 rows, as a GRU has"),
        (nn.RNN(3, 4).state_dict(), "1 x 4 rows, as a plain RNN has"),
        (nn.Linear(3, 4).state_dict(), "no entry weight_ih_l0 .* holds weight, bias"),
        (state_of(bidirectional=True), r"is bidirectional \(weight_ih_l0_reverse\)"),
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


def test_nothing_in_a_file_is_executed(tmp_path):
    saved(tmp_path / "module.pt", nn.LSTM(3, 4))
    (tmp_path / "code.pt").write_bytes(pickle.dumps(Executed(), protocol=2))
    saved(tmp_path / "zipped.pt", {"weight_ih_l0": Executed()})
    for name in ("module", "code", "zipped"):
        with pytest.raises(ModelImportError, match=r"pickled Python objects .* torch.save"):
            import_model(tmp_path / f"{name}.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_refused(tmp_path):
    torch.jit.script(nn.Linear(3, 4)).save(tmp_path / "script.pt")
    with pytest.raises(ModelImportError, match="a TorchScript archive, whose code an import never runs"):
        import_model(tmp_path / "script.pt")


def test_damaged_and_foreign_files_are_named(tmp_path):
    whole = saved(tmp_path / "whole.pt", state_of()).read_bytes()
    for name, content in {"cut": whole[: len(whole) // 2], "text": b"hello", "empty": b""}.items():
        (tmp_path / f"{name}.pt").write_bytes(content)
        with pytest.raises(ModelImportError, match=f"{name}.pt: not a whole file of PyTorch tensors"):
            import_model(tmp_path / f"{name}.pt")
    with pytest.raises(ModelImportError, match=r"missing\.pt: no such file"):
        import_model(tmp_path / "missing.pt")
    with pytest.raises(ModelImportError, match=r"must end in \.onnx \(ONNX\) or \.pt"):
        import_model(tmp_path / "model.h5")


def test_dicts_that_hold_themselves_are_refused(tmp_path):
    endless: dict = {}
    endless["again"] = endless
    with pytest.raises(ModelImportError, match="RecursionError"):
        import_model(saved(tmp_path / "endless.pt", endless))


@pytest.mark.parametrize(("module", "head"), [(nn.GRU(3, 4), None), (nn.LSTM(3, 4), nn.ReLU())])
def test_other_modules_are_refused(module, head):
    with pytest.raises(ModelImportError, match="cannot be imported; only nn"):
        from_lstm(module, head)
