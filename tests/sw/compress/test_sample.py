import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gatewright.sw.compress import sample
from gatewright.sw.compress.sample import batches_of, sample_of
from gatewright.sw.tasks import Split


def test_a_small_split_is_taken_whole_and_a_large_one_evenly(task, monkeypatch):
    assert len(sample_of(task)) == len(task.train)
    monkeypatch.setattr(sample, "SAMPLE", 50)
    found = sample_of(task)
    assert 40 <= len(found) <= 50
    assert found.sequences[1] is task.train.sequences[len(task.train) // 50 + 1]
    # The split is ordered by class; every class is in the sample.
    assert set(found.targets) == {0, 1, 2}


def test_batches_hold_every_sequence_once_and_scaled(task, float_model):
    batches = batches_of(task.validation, dataclasses.replace(float_model))
    assert sum(len(batch.lengths) for batch in batches) == len(task.validation)
    inside = torch.cat([batch.x[:n, k] for batch in batches for k, n in enumerate(batch.lengths)])
    expected = torch.cat(float_model.standardise(task.validation.sequences))
    assert torch.equal(inside.sort(dim=0).values, expected.sort(dim=0).values)
    labels = torch.cat([batch.targets for batch in batches])
    assert torch.equal(labels.sort().values, torch.from_numpy(task.validation.targets).sort().values)


@pytest.mark.parametrize(("count", "taken"), [(1, 1), (512, 512), (513, 257), (1024, 512), (1025, 342)])
def test_a_sample_has_512_sequences_at_most(count, taken):
    train = Split([np.zeros((1, 2))] * count)
    assert len(sample_of(SimpleNamespace(train=train))) == taken
