import dataclasses

import numpy as np
import pytest
import torch

from gatewright.errors import BundleError, ConfigError, DataError
from gatewright.sw.metrics import METRICS
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Split


def answers(model, sequence):
    return model.network.logits(model.network(model.standardise([sequence])[0][:, None]))[:, 0]


def test_accuracy_counts_what_the_network_says(float_model, task):
    part = Split(task.test.sequences[:5], task.test.targets[:5])
    said = [int(answers(float_model, s)[-1].argmax()) for s in part.sequences]
    right = sum(a == b for a, b in zip(said, part.targets.tolist(), strict=True))
    assert float_model.score(part, task.metric) == 100.0 * right / 5


def test_every_step_counts_where_every_step_has_a_label(float_model, task):
    sequences = [s[:n] for s, n in zip(task.test.sequences, (3, 5, 4), strict=False)]
    labels = [np.arange(len(s)) % 2 for s in sequences]
    logits = torch.cat([answers(float_model, s) for s in sequences])
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(np.concatenate(labels)))
    split = Split(sequences, labels)
    assert float_model.score(split, METRICS["bits"]) == pytest.approx(expected.item() / np.log(2), rel=1e-5)
    right = (logits.argmax(dim=1).numpy() == np.concatenate(labels)).mean()
    assert float_model.score(split, task.metric) == pytest.approx(100 * right)


def test_other_features_are_refused(float_model):
    with pytest.raises(DataError, match=r"sequence 1 must be \[steps, 2\], not of shape \(4, 3\)"):
        float_model.standardise([np.zeros((4, 2)), np.zeros((4, 3))])


def test_a_round_trip_on_disk_changes_nothing(float_model, task, tmp_path):
    path = tmp_path / "float.pt"
    float_model.save(path)
    again = FloatModel.load(path)
    x = task.test.sequences[0]
    assert torch.equal(answers(again, x), answers(float_model, x))
    assert np.array_equal(again.mean, float_model.mean)
    assert np.array_equal(again.deviation, float_model.deviation)
    assert (again.labels, again.settings, again.history) == (
        float_model.labels,
        float_model.settings,
        float_model.history,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["float.pt"]


def test_layers_projections_factors_and_no_head_come_back(tmp_path):
    network = LstmNetwork.initial(3, 8, 4, layers=2, projection=5)
    network.layers[1].input = network.layers[1].input.factorised(2)
    headless = LstmNetwork(list(network.layers))
    model = FloatModel(headless.eval(), np.zeros(3), np.ones(3), (), TrainSettings())
    model.save(tmp_path / "model.pt")
    again = FloatModel.load(tmp_path / "model.pt")
    assert list(again.network.matrices()) == list(headless.matrices())
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    assert np.array_equal(again.outputs([x])[0], model.outputs([x])[0])


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
    dataclasses.replace(float_model, labels=("one",)).save(path)
    with pytest.raises(BundleError, match="not a checkpoint"):
        FloatModel.load(path)
    float_model.save(path)
    stored = torch.load(path, weights_only=True) | {"version": 99}
    torch.save(stored, path)
    with pytest.raises(BundleError, match="checkpoint version 99; this release reads version 3"):
        FloatModel.load(path)


def test_a_model_is_trained_further_with_other_settings(float_model):
    other = float_model.trained_with(dropout=0.5, clip=2.0)
    assert (other.settings.dropout, other.network.dropout.p, other.settings.clip) == (0.5, 0.5, 2.0)
    assert float_model.network.dropout.p == float_model.settings.dropout == 0.1
    with pytest.raises(ConfigError, match=r"clip must be from 0\.001"):
        float_model.trained_with(clip=0.0)
