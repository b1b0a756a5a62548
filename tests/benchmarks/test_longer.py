"""Float models that are trained on as long as compressed ones."""

import pytest
import torch

from gatewright.benchmarks.longer import longer
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.training import train_float


@pytest.fixture(scope="module")
def model(task):
    return train_float(task, TrainSettings(hidden=8, epochs=2, batch=16))


def told_of(task, model, settings):
    told = []
    found = longer(task, model, settings, lambda *each: told.append(each[:3]))
    return found, told


def test_it_gets_the_epochs_of_compression_and_keeps_what_is_better(task, model):
    found, told = told_of(task, model, CompressSettings(prune_epochs=4, quantise_epochs=3))
    assert told == [("train on", k, 7) for k in range(1, 8)]
    assert found.score(task.validation, task.metric) > model.score(task.validation, task.metric)


def test_what_got_worse_is_left(task):
    good = train_float(task, TrainSettings(hidden=8, epochs=15, batch=16, noise=0.1))
    assert good.score(task.validation, task.metric) > 60
    found, _ = told_of(task, good, CompressSettings(prune_epochs=2, quantise_epochs=0, prune_rate=1.0))
    assert found is good


def test_the_model_itself_stays_as_it_is(task, model):
    before = [each.clone() for each in model.network.parameters()]
    longer(task, model, CompressSettings(prune_epochs=2, quantise_epochs=0))
    assert all(map(torch.equal, before, model.network.parameters()))
