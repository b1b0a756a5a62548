import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from gatewright.sw.importers import ModelImportError
from gatewright.sw.importers.torch_state import folded, resolve, shortest


def weight_norm_of_old(module, dim):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(module, "weight", dim=dim)


@pytest.mark.parametrize(
    "norm", [weight_norm_of_old, lambda m, dim: parametrizations.weight_norm(m, "weight", dim)]
)
@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("rows", [1, 5])
def test_weight_norms_are_folded_as_torch_does(norm, dim, rows):
    torch.manual_seed(0)
    module = norm(nn.Linear(4, rows), dim)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if name.endswith(("_g", "original0")):
                value.mul_(1.7)
    module(torch.zeros(1, 4))
    state = folded(module.state_dict(), "it")
    torch.testing.assert_close(state.tensors["weight"], module.weight.detach(), atol=1e-7, rtol=1e-6)
    assert state.tensors.keys() == {"weight", "bias"}
    assert state.entries(["weight"]) == module.state_dict().keys() - {"bias"}
    assert len(state.listed(state.entries(["weight", "bias"]))) == 3


def test_masks_are_folded_as_torch_does():
    module = nn.ModuleDict({"lstm": nn.LSTM(3, 4)})
    prune.random_unstructured(module["lstm"], "weight_hh_l0", 0.5)
    state = folded(module.state_dict(), "it")
    assert torch.equal(state.tensors["lstm.weight_hh_l0"], module["lstm"].weight_hh_l0.detach())
    assert state.origins == {"lstm.weight_hh_l0": ("lstm.weight_hh_l0_orig", "lstm.weight_hh_l0_mask")}
    assert state.listed(["lstm.weight_hh_l0_mask"]) == ("lstm.weight_hh_l0_mask [16, 4]",)


@pytest.mark.parametrize(
    "tensors",
    [
        {"w_orig": torch.ones(3, 2), "w_mask": torch.ones(2, 3)},
        {"w_g": torch.ones(3, 2), "w_v": torch.ones(3, 2)},
        {"w_g": torch.ones(4, 1), "w_v": torch.ones(3, 2)},
        {"parametrizations.w.original0": torch.ones(3), "parametrizations.w.original1": torch.ones(3, 2)},
    ],
)
def test_parts_that_do_not_go_together_are_refused(tensors):
    first, second = tensors
    with pytest.raises(ModelImportError, match=rf"it: {first} \[.*\] and {second} \[.*\] do not go together"):
        folded(tensors, "it")


def test_names_are_found_by_their_unique_ending():
    names = ["fc", "model.fc", "model.encoder.lstm", "model.decoder.lstm"]
    assert resolve(names, "fc") == "fc"
    assert resolve(names, "encoder.lstm") == "model.encoder.lstm"
    assert resolve(names, "lstm") is None
    assert resolve(names, "stm") is None
    assert [shortest(names, name) for name in names] == ["fc", "model.fc", "encoder.lstm", "decoder.lstm"]
