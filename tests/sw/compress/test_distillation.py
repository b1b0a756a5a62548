import dataclasses

import numpy as np
import pytest
import torch

from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.settings import CompressSettings
from gatewright.sw.training import Batch

SETTINGS = CompressSettings(distillation=0.25, temperature=3.0)


@pytest.fixture
def batch(float_model):
    x = torch.randn(5, 4, 2, generator=torch.Generator().manual_seed(0))
    return Batch(x, torch.tensor([5, 3, 5, 2]), torch.tensor([0, 2, 1, 1]))


def test_the_loss_is_that_of_the_formula(float_model, batch):
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    teacher = float_model.network(batch.x, batch.lengths).detach().numpy()

    def softmax(values):
        odds = np.exp(values - values.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    p, q = softmax(teacher / 3), softmax(logits.numpy() / 3)
    divergence = (p * np.log(p / q)).sum(axis=1).mean()
    hard = -np.log(softmax(logits.numpy())[range(4), batch.labels]).mean()
    found = Distillation(float_model, SETTINGS)(logits, batch)
    assert found.item() == pytest.approx(0.75 * hard + 0.25 * 9 * divergence, rel=1e-4)


def test_only_the_student_learns(float_model, batch):
    logits = torch.zeros(4, 3, requires_grad=True)
    Distillation(float_model, SETTINGS)(logits, batch).backward()
    assert logits.grad.abs().sum() > 0
    assert all(p.grad is None or not p.grad.any() for p in float_model.network.parameters())


def test_a_perfect_imitation_costs_nothing(float_model, batch):
    loss = Distillation(float_model, dataclasses.replace(SETTINGS, distillation=1.0))
    assert loss(float_model.network(batch.x, batch.lengths).detach(), batch).item() == pytest.approx(
        0, abs=1e-6
    )
