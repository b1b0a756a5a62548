"""Gradual balanced pruning with fine-tuning, distilled from the dense model."""

import copy
import dataclasses

import torch

from gatewright.progress import Progress, silent
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.pattern import balanced_mask
from gatewright.sw.models import FloatModel, LstmClassifier
from gatewright.sw.rows import word_slots
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Task
from gatewright.sw.training import fit

PRUNING_SHARE = 0.5
"""Share of the updates in which the density falls; fine-tuning with frozen masks is the rest."""


def scheduled_density(target: float, done: float) -> float:
    """Give the density when the share `done` of all updates is done: a cubic fall from 1 to `target`.

    Source: M. Zhu, S. Gupta, To prune, or not to prune, 2017.
    """
    return target + (1 - target) * (1 - min(1.0, done / PRUNING_SHARE)) ** 3


def prune(
    task: Task, dense: FloatModel, settings: CompressSettings, progress: Progress = silent
) -> LstmClassifier:
    """Give a pruned, fine-tuned copy of a model's network; the model itself is left as it is.

    W_ih and W_hh end with exactly the pattern's share of weights; the others are zero.
    """
    network = copy.deepcopy(dense.network)
    distillation = Distillation(dense, settings)
    matrices = network.gate_matrices
    slots = word_slots(settings.weight_bits)
    masks = [torch.ones_like(matrix, dtype=torch.bool) for matrix in matrices]

    @torch.no_grad()
    def mask(before: float, done: float) -> None:
        for matrix, kept in zip(matrices, masks, strict=True):
            # The update moved what was dropped before; without this it could be chosen again.
            matrix.mul_(kept)
            if before < PRUNING_SHARE:
                density = scheduled_density(settings.density, done)
                matrix.mul_(kept.copy_(balanced_mask(matrix, settings.lanes, density, slots)))

    fit(
        dense,
        task,
        network,
        lambda batch: distillation(network(batch.x, batch.lengths), batch),
        epochs=settings.prune_epochs,
        learning_rate=settings.prune_rate,
        validate=lambda: dataclasses.replace(dense, network=network).accuracy(task.validation),
        what=f"prune to {settings.density:.4g}",
        progress=progress,
        after_update=mask,
    )
    return network.eval()
