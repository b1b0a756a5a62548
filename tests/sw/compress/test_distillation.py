import dataclasses

import numpy as np
import pytest
import torch

from gatewright.sw.batching import Batch
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.metrics import METRICS
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Split, Task, for_model, task_from

SETTINGS = CompressSettings(distillation=0.25, temperature=3.0)


@pytest.fixture
def batch(float_model):
    x = torch.randn(5, 4, 2, generator=torch.Generator().manual_seed(0))
    return Batch(x, torch.tensor([5, 3, 5, 2]), torch.tensor([0, 2, 1, 1]))


def test_the_loss_is_that_of_the_formula(float_model, task, batch):
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    teacher = batch.logits(float_model.network).detach().numpy()

    def softmax(values):
        odds = np.exp(values - values.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    p, q = softmax(teacher / 3), softmax(logits.numpy() / 3)
    divergence = (p * np.log(p / q)).sum(axis=1).mean()
    hard = -np.log(softmax(logits.numpy())[range(4), batch.targets]).mean()
    found = Distillation(float_model, SETTINGS, task)(logits, batch)
    assert found.item() == pytest.approx(0.75 * hard + 0.25 * 9 * divergence, rel=1e-4)


def test_only_the_student_learns(float_model, task, batch):
    logits = torch.zeros(4, 3, requires_grad=True)
    Distillation(float_model, SETTINGS, task)(logits, batch).backward()
    assert logits.grad.abs().sum() > 0
    assert all(p.grad is None or not p.grad.any() for p in float_model.network.parameters())


def test_a_perfect_imitation_costs_nothing(float_model, task, batch):
    loss = Distillation(float_model, dataclasses.replace(SETTINGS, distillation=1.0), task)
    assert loss(batch.logits(float_model.network).detach(), batch).item() == pytest.approx(0, abs=1e-6)


def test_every_step_has_its_own_loss_but_none_behind_the_end(float_model, task, batch):
    logits = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(2))
    labels = torch.full((5, 4), -1)
    labels[2, 1], labels[0, 3] = 0, 2
    loss = Distillation(float_model, SETTINGS, task)
    steps = loss(logits, batch._replace(targets=labels))
    # The two steps alone, as the last ones of sequences that end there.
    alone = Batch(batch.x[:, [1, 3]], torch.tensor([3, 1]), torch.tensor([0, 2]))
    assert steps.item() == pytest.approx(
        loss(torch.stack([logits[2, 1], logits[0, 3]]), alone).item(), rel=1e-5
    )


def test_with_nothing_but_the_teacher_labels_are_not_looked_at(float_model, task, batch):
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    loss = Distillation(float_model, dataclasses.replace(SETTINGS, distillation=1.0), task)
    assert loss(logits, batch) == loss(logits, batch._replace(targets=torch.full((4,), 99)))


def test_without_a_head_the_outputs_are_compared(float_model, task, batch):
    headless = dataclasses.replace(
        float_model, network=LstmNetwork(list(float_model.network.layers)), labels=()
    )
    labels = torch.tensor([[0, 0, 0, 0], [0, -1, 0, -1]])
    batch = Batch(batch.x[:2], torch.tensor([2, 1, 2, 1]), labels)
    outputs = headless.network(batch.x).detach()
    student = outputs + 0.1
    student[1, 1] = 100.0
    taught = for_model(task_from({"X": task.train.sequences[:6]}), headless)
    assert Distillation(headless, SETTINGS, taught)(student, batch).item() == pytest.approx(0.01, rel=1e-4)


def test_values_are_compared_in_deviations_of_the_targets(network_of):
    model = raw_model(network_of(classes=2))
    sequences = [np.zeros((1, 3), dtype=np.float32)] * 4
    # Deviations of 1 and 3.
    part = Split(sequences, np.array([[0, 0], [2, 6], [0, 0], [2, 6]], dtype=np.float32))
    task = Task("values", ("a", "b"), part, part, part, metric=METRICS["mse"])
    batch = Batch(torch.zeros(1, 1, 3), torch.tensor([1]), torch.tensor([[1.0, 2.0]]))
    taught = batch.logits(model.network).detach()
    student = taught + torch.tensor([[0.5, 3.0]])
    soft = (0.5**2 + (3 / 3) ** 2) / 2
    hard = (float(student[0, 0] - 1) ** 2 + (float(student[0, 1] - 2) / 3) ** 2) / 2
    found = Distillation(model, SETTINGS, task)(student, batch)
    assert found.item() == pytest.approx(0.75 * hard + 0.25 * soft, rel=1e-5)


def test_one_logit_is_a_class_against_the_other(network_of):
    model = raw_model(network_of(classes=1))
    part = Split([np.ones((1, 3), dtype=np.float32)] * 2, np.array([0, 1]))
    task = Task("two", ("no", "yes"), part, part, part)
    batch = Batch(torch.ones(1, 2, 3), torch.tensor([1, 1]), torch.tensor([0, 1]))
    taught = batch.logits(model.network).detach().double().flatten()
    student = torch.tensor([[0.4], [-1.5]])
    p, q = torch.sigmoid(taught / 3), torch.sigmoid(student.double().flatten() / 3)
    divergence = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    hard = -(torch.sigmoid(torch.tensor(-0.4)).log() + torch.sigmoid(torch.tensor(-1.5)).log()) / 2
    found = Distillation(model, SETTINGS, task)(student, batch)
    assert found.item() == pytest.approx(float(0.75 * hard + 0.25 * 9 * divergence), rel=1e-4)
