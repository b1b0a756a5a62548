"""Gradual pruning to balanced patterns with fine-tuning, distilled from the dense model."""

import dataclasses
from collections.abc import Callable

import torch

from gatewright.progress import Progress, silent
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.pattern import balanced_mask, layout
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task
from gatewright.sw.training import fit


def scheduled_density(target: float, done: float, settings: CompressSettings) -> float:
    """Return the density when the share `done` of all updates is done: it falls from 1 to `target`.

    Source: M. Zhu, S. Gupta, To prune, or not to prune, 2017, where the power is 3.
    """
    left = 1 - min(1.0, done / settings.prune_share)
    return target + (1 - target) * left**settings.prune_power


def prune(
    task: Task,
    dense: FloatModel,
    network: LstmNetwork,
    spec: CompressionSpec,
    settings: CompressSettings,
    progress: Progress = silent,
) -> None:
    """Bring every matrix of `network` to its density, and fine-tune it; `dense` teaches and is left as it is.

    The densities fall together, each to its own target; where all are 1, it is only fine-tuned. Weights that are zero
    stay zero, those of matrices with density 1 too.

    Raises
    ------
    ConfigError
        The lanes do not suit the network.
    """
    matrices = network.matrices()
    pruned = {
        name: (matrix, layout(name, matrix, spec), spec.of(name).density)
        for name, matrix in matrices.items()
        if spec.of(name).density < 1
    }

    def narrow(before: float, done: float) -> None:
        if before < settings.prune_share:
            for matrix, places, target in pruned.values():
                mask = balanced_mask(matrix, places, scheduled_density(target, done, settings), spec.columns)
                matrix.mul_(mask)

    densities = sorted({spec.of(name).density for name in matrices})
    what = f"prune to {', '.join(f'{density:.4g}' for density in densities)}" if pruned else "fine-tune"
    retrain(task, dense, network, settings, settings.prune_epochs, what, progress, narrow)


@torch.no_grad()
def prune_at_once(network: LstmNetwork, spec: CompressionSpec) -> LstmNetwork:
    """Leave only the largest weights that the patterns allow, as many as each product's density says; in place.

    Raises
    ------
    ConfigError
        The lanes do not suit the network.
    """
    for name, matrix in network.matrices().items():
        if spec.of(name).density < 1:
            places = layout(name, matrix, spec)
            matrix.mul_(balanced_mask(matrix, places, spec.of(name).density, spec.columns))
    return network


def retrain(
    task: Task,
    dense: FloatModel,
    network: LstmNetwork,
    settings: CompressSettings,
    epochs: int,
    what: str,
    progress: Progress = silent,
    narrow: Callable[[float, float], None] = lambda before, done: None,
) -> float:
    """Train a network further in float, with its zeros frozen; gives its validation score at the end.

    Parameters
    ----------
    task, dense, settings, progress
        As `prune` has them.
    network : LstmNetwork
        Ends in evaluation mode.
    epochs : int
    what : str
        Name of the work, for `progress`.
    narrow : callable
        May set more weights to zero: called after every update with the shares of all updates done before and after.
    """
    distillation = Distillation(dense, settings, task)
    matrices = list(network.matrices().values())
    kept = [matrix.detach() != 0 for matrix in matrices]

    @torch.no_grad()
    def freeze(before: float, done: float) -> None:
        for matrix, mask in zip(matrices, kept, strict=True):
            # The update moved what was dropped before; without this it could be chosen again.
            matrix.mul_(mask)
        narrow(before, done)
        for matrix, mask in zip(matrices, kept, strict=True):
            mask.copy_(matrix != 0)

    history = fit(
        dense,
        task,
        network,
        lambda batch: distillation(batch.logits(network), batch),
        epochs=epochs,
        learning_rate=settings.prune_rate,
        validate=lambda: dataclasses.replace(dense, network=network).score(task.validation, task.metric),
        what=what,
        progress=progress,
        after_update=freeze,
    )
    network.eval()
    return history[-1]
