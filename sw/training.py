"""Float training, and the loop that every kind of training here goes through."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewright.errors import DivergenceError
from gatewright.progress import Progress, silent
from gatewright.sw.batching import Batch, by_length, pad, pad_labels
from gatewright.sw.determinism import one_thread, seeded
from gatewright.sw.metrics import IGNORED, UNITS
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Task, scaling

_JITTER = 4.0
_WARM_UP = 0.2
_SHORTEST_CYCLE = round(
    2 / _WARM_UP
)  # Updates: shorter ones have no warm-up, which the scheduler divides by.
_GRADIENT_NORM = 1.0


def train_float(task: Task, settings: TrainSettings, progress: Progress = silent) -> FloatModel:
    """Train an LSTM with a linear head on a task in float32.

    Raises
    ------
    DivergenceError
        Training diverged.
    """
    mean, deviation = scaling(task)
    with seeded(settings.seed):
        network = LstmNetwork.initial(
            task.input_size, settings.hidden, len(task.labels), dropout=settings.dropout
        )
        model = FloatModel(network, mean, deviation, task.labels, settings)

        def loss(batch: Batch) -> Tensor:
            return cross_entropy(batch.logits(network), batch.labels, settings.smoothing)

        history = fit(
            model,
            task,
            network,
            loss,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            validate=lambda: model.score(task.validation, task.metric),
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
        Validation score, asked for after every epoch.
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
    DivergenceError
        The loss is no longer finite.
    """
    settings = model.settings
    sequences = model.standardise(task.train.sequences)
    lengths = torch.tensor([len(s) for s in sequences])
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=settings.weight_decay)
    updates = epochs * -(-len(sequences) // settings.batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=max(updates, _SHORTEST_CYCLE), pct_start=_WARM_UP
    )
    history: list[float] = []
    done = 0
    for epoch in range(epochs):
        network.train()
        for indices in by_length(lengths, settings.batch, _JITTER):
            x = disturb(pad(sequences, indices), settings)
            batch = Batch(x, lengths[indices], pad_labels(task.train.labels, indices))
            value = loss(batch)
            if not torch.isfinite(value):
                raise DivergenceError(
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
        progress(what, epoch + 1, epochs, f"validation {history[-1]:.4g} {UNITS[task.metric]}")
    optimiser.zero_grad()
    return tuple(history)


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Give the mean cross-entropy of logits [..., classes] over all labels [...] that count."""
    return functional.cross_entropy(
        logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
    )


def disturb(x: Tensor, settings: TrainSettings) -> Tensor:
    """Add noise to every value and one offset to each feature of each sequence of [steps, batch, inputs]."""
    return x + settings.noise * torch.randn_like(x) + settings.offset * torch.randn_like(x[:1])
