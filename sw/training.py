"""Float training, and the loop that every kind of training here goes through."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewright.errors import DataError
from gatewright.progress import Progress, silent
from gatewright.sw.batching import by_length, pad
from gatewright.sw.determinism import one_thread, seeded
from gatewright.sw.models import FloatModel, LstmClassifier
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Task, scaling

_JITTER = 4.0
_WARM_UP = 0.2
_GRADIENT_NORM = 1.0


class Batch(NamedTuple):
    """Disturbed inputs [steps, batch, inputs] (standardised, padded), steps of each sequence, classes."""

    x: Tensor
    lengths: Tensor
    labels: Tensor


def train_float(task: Task, settings: TrainSettings, progress: Progress = silent) -> FloatModel:
    """Train an LSTM classifier on a task in float32.

    Raises
    ------
    DataError
        Training diverged.
    """
    mean, deviation = scaling(np.concatenate(task.train.sequences))
    with seeded(settings.seed):
        network = LstmClassifier(task.input_size, settings.hidden, len(task.labels), settings.dropout)
        model = FloatModel(network, mean, deviation, task.labels, settings)

        def loss(batch: Batch) -> Tensor:
            logits = network(batch.x, batch.lengths)
            return functional.cross_entropy(logits, batch.labels, label_smoothing=settings.smoothing)

        history = fit(
            model,
            task,
            network,
            loss,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            validate=lambda: model.accuracy(task.validation),
            what="train",
            progress=progress,
        )
    network.eval()
    return dataclasses.replace(model, history=history)


@one_thread()
def fit(
    model: FloatModel,
    task: Task,
    network: nn.Module,
    loss: Callable[[Batch], Tensor],
    *,
    epochs: int,
    learning_rate: float,
    validate: Callable[[], float],
    what: str,
    progress: Progress,
    after_update: Callable[[float, float], None] = lambda before, done: None,
) -> tuple[float, ...]:
    """Train `network` on a task's train split: AdamW, one learning-rate cycle, bounded gradients.

    Parameters
    ----------
    model : FloatModel
        Gives the scaling of the inputs and the settings of batches, disturbances and weight decay.
    network : nn.Module
        Whose parameters are trained.
    loss : callable
        Mean loss of a `Batch`.
    epochs : int
    learning_rate : float
        Peak of the cycle.
    validate : callable
        Validation accuracy in percent, asked for after every epoch.
    what : str
        Name of the work, for `progress`.
    after_update : callable
        Called after every update with the shares of all updates done before it and after it.

    Returns
    -------
    tuple of float
        What `validate` gave after each epoch.

    Raises
    ------
    DataError
        The loss is no longer finite.
    """
    settings = model.settings
    sequences = model.standardise(task.train.sequences)
    lengths = torch.tensor([len(s) for s in sequences])
    labels = torch.from_numpy(task.train.labels)
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=settings.weight_decay)
    updates = epochs * -(-len(sequences) // settings.batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=max(updates, 2), pct_start=_WARM_UP
    )
    history: list[float] = []
    done = 0
    for epoch in range(epochs):
        network.train()
        for indices in by_length(lengths, settings.batch, _JITTER):
            batch = Batch(disturb(pad(sequences, indices), settings), lengths[indices], labels[indices])
            value = loss(batch)
            if not torch.isfinite(value):
                raise DataError(
                    f"{what}: the loss is {value.item()} in epoch {epoch + 1}; use a smaller learning rate "
                    f"than {learning_rate}, or look for extreme values in the data"
                )
            optimiser.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(parameters, _GRADIENT_NORM)
            optimiser.step()
            cycle.step()
            done += 1
            after_update((done - 1) / updates, done / updates)
        history.append(validate())
        progress(what, epoch + 1, epochs, f"validation {history[-1]:.1f} %")
    optimiser.zero_grad()
    return tuple(history)


def disturb(x: Tensor, settings: TrainSettings) -> Tensor:
    """Add noise to every value and one offset to each feature of each sequence of [steps, batch, inputs]."""
    return x + settings.noise * torch.randn_like(x) + settings.offset * torch.randn_like(x[:1])
