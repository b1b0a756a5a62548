import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from gatewright.sw.importers import ModelImportError, import_model
from gatewright.sw.importers.torch_files import read_tensors


def saved(path, state):
    torch.save(state, path)
    return path


class Executed:
    def __reduce__(self):
        return (pytest.fail, ("the file's code ran",))


def test_safetensors_are_read(tmp_path):
    torch.manual_seed(0)
    module = nn.ModuleDict({"lstm": nn.LSTM(3, 4), "fc": nn.Linear(4, 2)})
    safetensors.torch.save_file(module.state_dict(), tmp_path / "model.safetensors")
    imported = import_model(tmp_path / "model.safetensors", head="fc")
    x = torch.randn(6, 1, 3)
    with torch.no_grad():
        expected = module["fc"](module["lstm"](x)[0])
        ours = imported.model.network.logits(imported.model.network(x))
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("wrap", "prefix"),
    [
        (lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}}, "state_dict.module."),
        (lambda state: {"model_state_dict": state, "epoch": 3}, "model_state_dict."),
        (lambda state: {"model": {f"_orig_mod.{k}": v for k, v in state.items()}}, "model._orig_mod."),
        (lambda state: {f"net.{k}": v for k, v in state.items()}, "net."),
    ],
)
def test_names_are_found_behind_the_prefixes_of_checkpoints(tmp_path, wrap, prefix):
    module = nn.ModuleDict({"lstm": nn.LSTM(3, 4), "norm": nn.LayerNorm(4), "fc": nn.Linear(4, 2)})
    stored = wrap(module.state_dict())
    optimizer = {"state": {0: {"exp_avg": torch.zeros(16, 3)}}, "param_groups": [{"params": [0]}]}
    path = saved(tmp_path / "model.ckpt", stored | {"optimizer_state_dict": optimizer, "lr": [0.1]})
    imported = import_model(path)
    assert imported.advice[0] == f"{prefix}fc (Linear, 4 to 2) can be the head: --head fc"
    imported = import_model(path, lstm="lstm", head="fc")
    assert imported.taken[0] == f"{prefix}lstm.weight_ih_l0 [16, 3]"
    assert imported.taken[-1] == f"{prefix}fc.bias [2]"
    assert imported.left_out == (f"{prefix}norm.weight [4]", f"{prefix}norm.bias [4]")
    with torch.no_grad():
        (ours,) = imported.model.outputs([np.ones((5, 3), np.float32)])
        expected = module["lstm"](torch.ones(5, 1, 3))[0][:, 0]
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_tensors_in_lists_are_numbered(tmp_path):
    path = saved(tmp_path / "model.pt", {"ema": [torch.zeros(1), torch.ones(2)], "step": 3})
    assert {name: list(value) for name, value in read_tensors(path).items()} == {
        "ema.0": [0],
        "ema.1": [1, 1],
    }


def test_nothing_in_a_file_is_executed(tmp_path):
    saved(tmp_path / "module.pt", nn.LSTM(3, 4))
    (tmp_path / "code.pt").write_bytes(pickle.dumps(Executed(), protocol=2))
    saved(tmp_path / "zipped.pkl", {"weight_ih_l0": Executed()})
    for name, classes in {
        "module.pt": r" \(torch\.nn\.modules\.rnn\.LSTM\)",
        "code.pt": "",
        "zipped.pkl": r" \(_pytest\.outcomes\._Fail\)",
    }.items():
        text = (
            rf"pickled Python objects beside tensors{classes}, which an import never executes; .* torch\.save"
        )
        with pytest.raises(ModelImportError, match=text):
            import_model(tmp_path / name)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_refused(tmp_path):
    torch.jit.script(nn.Linear(3, 4)).save(tmp_path / "script.pt")
    with pytest.raises(
        ModelImportError,
        match=r"TorchScript, whose code an import never runs; .*torch\.jit\.load\(FILE\)\.state_dict\(\)",
    ):
        import_model(tmp_path / "script.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_weights_are_refused(tmp_path):
    module = nn.ModuleDict({"lstm": nn.LSTM(3, 4), "fc": nn.Linear(4, 2)})
    dynamic = torch.ao.quantization.quantize_dynamic(module, {nn.LSTM})
    with pytest.raises(
        ModelImportError, match=r"weights that PyTorch has quantised; .* before quantize_dynamic"
    ):
        import_model(saved(tmp_path / "model.pt", dynamic.state_dict()))
    for kind in (nn.LSTM, nn.Linear):
        dynamic = torch.ao.quantization.quantize_dynamic(module, {kind})
        with pytest.raises(ModelImportError, match="is quantised by PyTorch; Gatewright quantises by itself"):
            import_model(dynamic)


def test_damaged_files_are_named(tmp_path):
    whole = saved(tmp_path / "whole.pt", nn.LSTM(3, 4).state_dict()).read_bytes()
    for name, content in {"cut": whole[: len(whole) // 2], "text": b"hello", "empty": b""}.items():
        (tmp_path / f"{name}.pt").write_bytes(content)
        with pytest.raises(ModelImportError, match=f"{name}.pt: not a whole file of PyTorch tensors"):
            import_model(tmp_path / f"{name}.pt")


def test_dicts_that_hold_themselves_are_refused(tmp_path):
    endless: dict = {}
    endless["again"] = endless
    with pytest.raises(ModelImportError, match="more than 64 in one another"):
        import_model(saved(tmp_path / "endless.pt", endless))
