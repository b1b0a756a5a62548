"""Float training, and the loop that every kind of training here goes through."""

import copy
import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewright.errors import DataError, DivergenceError
from gatewright.progress import Progress, silent
from gatewright.sw.batching import Batch, by_length, pad, pad_targets
from gatewright.sw.determinism import one_thread, seeded
from gatewright.sw.metrics import IGNORED
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.scores import counted
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Task, scaling, target_moments

_JITTER = 4.0
_WARM_UP = 0.2
_SHORTEST_CYCLE = round(
    2 / _WARM_UP
)  # Updates: shorter ones have no warm-up, which the scheduler divides by.


def train_float(task: Task, settings: TrainSettings, progress: Progress = silent) -> FloatModel:
    """Train an LSTM with a linear head on a task in float32.

    Targets that are values are learnt at mean 0 and deviation 1; the head that is returned gives them in their units.

    Raises
    ------
    DataError
        The task has no targets.
    DivergenceError
        Training diverged.
    """
    if task.taught:
        raise DataError(f"{task.name} has no targets to train on: add y, or import a trained model")
    mean, deviation = scaling(task)
    with seeded(settings.seed):
        network = LstmNetwork.initial(
            task.input_size,
            settings.hidden,
            task.output_size,
            layers=settings.layers,
            projection=settings.projection,
            dropout=settings.dropout,
        )
        model = FloatModel(network, mean, deviation, task.labels, settings)
        loss_of = Loss(task, settings.smoothing)

        def validate() -> float:
            return dataclasses.replace(model, network=loss_of.unscaled(network)).score(
                task.validation, task.metric
            )

        history = fit(
            model,
            task,
            network,
            lambda batch: loss_of(batch.logits(network), batch.targets, scaled=True),
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            validate=validate,
            what="train",
            progress=progress,
        )
    return dataclasses.replace(model, network=loss_of.unscaled(network).eval(), history=history)


class Loss:
    """What a task's outputs lose: cross-entropy of classes, or the squared error of values in their deviations.

    Parameters
    ----------
    task : Task
    smoothing : float
        Of the labels.
    """

    def __init__(self, task: Task, smoothing: float = 0.0):
        self._classes, self._smoothing = task.classifies, smoothing
        self.mean, self.deviation = torch.zeros(task.output_size), torch.ones(task.output_size)
        if not task.classifies and not task.taught:
            moments = target_moments(task)
            self.mean, self.deviation = (torch.from_numpy(each).float() for each in moments)

    def __call__(self, outputs: Tensor, targets: Tensor, *, scaled: bool = False) -> Tensor:
        """Return the mean loss over all targets that count; `scaled` outputs are at mean 0 and deviation 1."""
        seen = counted(targets)
        if self._classes and targets.is_floating_point():
            # What the float model gives: logits that stand for shares of the classes.
            shares = two_logits(targets[seen]).softmax(dim=1)
            return functional.cross_entropy(
                two_logits(outputs[seen]), shares, label_smoothing=self._smoothing
            )
        if self._classes:
            return cross_entropy(outputs, targets, self._smoothing)
        if not scaled:
            outputs = (outputs - self.mean) / self.deviation
        wanted = (targets[seen] - self.mean) / self.deviation
        return functional.mse_loss(outputs[seen], wanted)

    @torch.no_grad()
    def unscaled(self, network: LstmNetwork) -> LstmNetwork:
        """Return a network that gives values in their own units, of one that gives them at mean 0 and deviation 1."""
        if self._classes:
            return network
        made = copy.deepcopy(network)
        if made.head is not None and made.head_bias is not None:
            made.head.factors[-1].mul_(self.deviation[:, None])
            made.head_bias.mul_(self.deviation).add_(self.mean)
        return made


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
        Gives the scaling of the inputs and the settings of batches, disturbances, weight decay and clipping.
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
    updates = epochs * _updates(lengths, settings)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=max(updates, _SHORTEST_CYCLE), pct_start=_WARM_UP
    )
    history: list[float] = []
    done = 0
    for epoch in range(epochs):
        network.train()
        for indices in by_length(lengths, settings.batch, _JITTER):
            x = disturb(pad(sequences, indices), settings)
            for batch in Batch(x, lengths[indices], pad_targets(task.train.targets, indices)).chunks(
                settings.chunk
            ):
                if not counted(batch.targets).any():
                    # Nothing to learn here, but the state goes on to the next chunk.
                    with torch.no_grad():
                        loss(batch)
                    continue
                value = loss(batch)
                if not torch.isfinite(value):
                    raise DivergenceError(
                        f"{what}: the loss is {value.item()} in epoch {epoch + 1}; use a smaller learning rate "
                        f"than {learning_rate}, or look for extreme values in the data"
                    )
                optimiser.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(parameters, settings.clip)
                optimiser.step()
                done += 1
                if done <= updates:
                    cycle.step()
                after_update(min(1.0, (done - 1) / updates), min(1.0, done / updates))
        history.append(validate())
        progress(what, epoch + 1, epochs, f"validation {history[-1]:.4g} {task.metric.unit}")
    optimiser.zero_grad()
    return tuple(history)


def _updates(lengths: Tensor, settings: TrainSettings) -> int:
    """Return about how many updates an epoch has: one for each chunk of each batch, as they are without jitter."""
    longest = [int(part.max()) for part in lengths.sort().values.split(settings.batch)]
    return sum(-(-steps // settings.chunk) for steps in longest)


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Give the mean cross-entropy of logits [..., outputs] over all labels [...] that count; one output is binary."""
    return functional.cross_entropy(
        two_logits(logits).flatten(0, -2), labels.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
    )


def two_logits(logits: Tensor) -> Tensor:
    """Return logits of at least two classes: one output is the logit of class 1 against class 0."""
    return torch.cat([torch.zeros_like(logits), logits], dim=-1) if logits.shape[-1] == 1 else logits


def disturb(x: Tensor, settings: TrainSettings) -> Tensor:
    """Add noise to every value and one offset to each feature of each sequence of [steps, batch, inputs]."""
    return x + settings.noise * torch.randn_like(x) + settings.offset * torch.randn_like(x[:1])
