"""Some of a task's train split: what contributions and losses are measured on."""

import torch

from gatewright.sw.batching import Batch, by_length, pad, pad_targets
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks import Split, Task

SAMPLE = 512
"""Most sequences of a sample."""


def sample_of(task: Task) -> Split:
    """Give at most `SAMPLE` sequences, evenly over the train split."""
    every = -(-len(task.train) // SAMPLE)
    return task.train.some(every)


def batches_of(split: Split, model: FloatModel) -> list[Batch]:
    """Give a split's sequences in batches, scaled for a model and undisturbed."""
    sequences = model.standardise(split.sequences)
    lengths = torch.tensor([len(s) for s in sequences])
    return [
        Batch(pad(sequences, indices), lengths[indices], pad_targets(split.targets, indices))
        for indices in by_length(lengths, model.settings.batch)
    ]
