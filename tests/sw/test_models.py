import dataclasses

import numpy as np
import pytest
import torch

from gatewright.errors import BundleError, DataError
from gatewright.sw.batching import pad
from gatewright.sw.determinism import seeded
from gatewright.sw.models import FloatModel, LstmClassifier, last_steps
from gatewright.sw.tasks import Split


def test_each_sequence_is_judged_by_its_own_last_step():
    hidden = torch.arange(12.0).view(3, 2, 2)
    assert last_steps(hidden, torch.tensor([1, 3])).tolist() == [[0, 1], [10, 11]]


def test_padding_cannot_be_seen():
    with seeded(0):
        network = LstmClassifier(2, 4, 3).eval()
        sequences = [torch.randn(n, 2) for n in (3, 7)]
    together = network(pad(sequences, torch.tensor([0, 1])), torch.tensor([3, 7]))
    alone = network(sequences[0][:, None], torch.tensor([3]))
    assert torch.allclose(together[0], alone[0], atol=1e-6)


def test_forget_gates_start_open():
    network = LstmClassifier(2, 4, 3)
    assert (network.lstm.get_parameter("bias_ih_l0")[4:8] == 1).all()
    assert [tuple(matrix.shape) for matrix in network.gate_matrices] == [(16, 2), (16, 4)]


def test_accuracy_counts_what_the_network_says(float_model, task):
    part = Split(task.test.sequences[:5], task.test.labels[:5])
    x = float_model.standardise(part.sequences)
    said = [int(float_model.network(s[:, None], torch.tensor([len(s)])).argmax()) for s in x]
    right = sum(a == b for a, b in zip(said, part.labels.tolist(), strict=True))
    assert float_model.accuracy(part) == 100.0 * right / 5


def test_other_features_are_refused(float_model):
    with pytest.raises(DataError, match=r"sequence 1 must be \[steps, 2\], not of shape \(4, 3\)"):
        float_model.standardise([np.zeros((4, 2)), np.zeros((4, 3))])


def test_a_round_trip_on_disk_changes_nothing(float_model, task, tmp_path):
    path = tmp_path / "float.pt"
    float_model.save(path)
    again = FloatModel.load(path)
    x = float_model.standardise(task.test.sequences[:1])[0][:, None]
    lengths = torch.tensor([len(x)])
    assert torch.equal(again.network(x, lengths), float_model.network(x, lengths))
    assert np.array_equal(again.mean, float_model.mean)
    assert np.array_equal(again.deviation, float_model.deviation)
    assert (again.labels, again.settings, again.history) == (
        float_model.labels,
        float_model.settings,
        float_model.history,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["float.pt"]


class Malice:
    def __reduce__(self):
        return print, ("executed",)


def test_other_files_are_refused_and_never_executed(float_model, tmp_path, capsys):
    path = tmp_path / "float.pt"
    with pytest.raises(BundleError, match="no such file"):
        FloatModel.load(path)
    float_model.save(path)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"hello"):
        path.write_bytes(broken)
        with pytest.raises(BundleError, match="not a checkpoint"):
            FloatModel.load(path)
    for foreign in ({"weights": torch.zeros(2)}, [1, 2], Malice()):
        torch.save(foreign, path)
        with pytest.raises(BundleError, match="not a checkpoint"):
            FloatModel.load(path)
    assert capsys.readouterr().out == ""


def test_checkpoints_that_disagree_with_themselves_are_refused(float_model, tmp_path):
    path = tmp_path / "float.pt"
    wider = dataclasses.replace(float_model.settings, hidden=float_model.settings.hidden + 4)
    dataclasses.replace(float_model, settings=wider).save(path)
    with pytest.raises(BundleError, match="not a checkpoint"):
        FloatModel.load(path)
    float_model.save(path)
    stored = torch.load(path, weights_only=True) | {"version": 99}
    torch.save(stored, path)
    with pytest.raises(BundleError, match="checkpoint version 99; this release reads version 1"):
        FloatModel.load(path)
