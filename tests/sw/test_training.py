import dataclasses

import numpy as np
import pytest
import torch

from gatewright.errors import DivergenceError
from gatewright.sw.determinism import seeded
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Split, baseline
from gatewright.sw.training import disturb, train_float

BRIEF = TrainSettings(hidden=8, epochs=2, batch=32)


def test_the_order_of_steps_is_learnt(float_model, task):
    assert float_model.score(task.test, task.metric) >= 95
    assert baseline(task) < 80


def test_inputs_are_scaled_by_the_train_split(float_model, task):
    x = torch.cat(float_model.standardise(task.train.sequences))
    assert torch.allclose(x.mean(dim=0), torch.zeros(2), atol=1e-5)
    assert torch.allclose(x.std(dim=0, correction=0), torch.ones(2), atol=1e-5)


def test_the_seed_decides_everything(task):
    models = [train_float(task, dataclasses.replace(BRIEF, seed=s)) for s in (1, 1, 2)]
    weights = [m.network.layers[0].recurrent() for m in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_progress_and_history_tell_every_epoch(task):
    said = []
    model = train_float(task, BRIEF, lambda *arguments: said.append(arguments))
    assert [s[:3] for s in said] == [("train", 1, 2), ("train", 2, 2)]
    assert [s[3] for s in said] == [f"validation {value:.4g} percent" for value in model.history]
    assert model.history[-1] == model.score(task.validation, task.metric)


def test_one_update_in_all_is_enough(task):
    few = Split(task.train.sequences[:4], task.train.targets[:4])
    model = train_float(dataclasses.replace(task, train=few), dataclasses.replace(BRIEF, epochs=1))
    assert len(model.history) == 1


def test_a_constant_feature_does_no_harm(task):
    def widened(split):
        return Split(
            [np.hstack([s, np.full((len(s), 1), 0.1, np.float32)]) for s in split.sequences], split.targets
        )

    wide = dataclasses.replace(
        task,
        train=widened(task.train),
        validation=widened(task.validation),
        test=widened(task.test),
    )
    model = train_float(wide, BRIEF)
    assert torch.cat(model.standardise(wide.test.sequences))[:, 2].abs().max() < 1e-6
    assert np.isfinite(model.network.layers[0].input().detach().numpy()).all()


def test_divergence_is_an_error_for_people(task):
    wild = Split([s * np.float32(np.nan) for s in task.train.sequences], task.train.targets)
    with pytest.raises(
        DivergenceError, match="train: the loss is nan in epoch 1; use a smaller learning rate"
    ):
        train_float(dataclasses.replace(task, train=wild), BRIEF)


def test_disturbances_have_the_size_that_was_asked_for():
    zeros = torch.zeros(200, 50, 3)
    with seeded(0):
        noise = disturb(zeros, TrainSettings(noise=0.5, offset=0.0))
        offset = disturb(zeros, TrainSettings(noise=0.0, offset=2.0))
    assert noise.std().item() == pytest.approx(0.5, rel=0.05)
    assert (offset == offset[:1]).all()
    assert offset[0].std().item() == pytest.approx(2.0, rel=0.2)


def test_gradients_are_clipped_to_the_setting(task, monkeypatch):
    norms = []
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda parameters, norm: norms.append(norm) or torch.tensor(0.0)
    )
    train_float(task, dataclasses.replace(BRIEF, epochs=1, clip=0.25))
    assert set(norms) == {0.25}


def test_clipping_weight_decay_and_dropout_change_what_is_learnt(task):
    def size(**changed):
        network = train_float(task, dataclasses.replace(BRIEF, epochs=4, **changed)).network
        return network.layers[0].recurrent().norm().item(), network.dropout.p

    plain = size()
    assert size(clip=1e-3) != plain
    assert size(weight_decay=1.0)[0] < plain[0]
    assert size(dropout=0.75)[1] == 0.75
