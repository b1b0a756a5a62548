"""Learning from the dense model: its soft targets beside the true classes."""

import torch
from torch import Tensor
from torch.nn import functional

from gatewright.sw.models import FloatModel
from gatewright.sw.settings import CompressSettings
from gatewright.sw.training import Batch


class Distillation:
    """The loss of a student on a `Batch`: cross-entropy and divergence from the teacher's soft targets.

    ``(1 - a) * CE + a * T**2 * KL(teacher / T, student / T)`` with a and T from the settings.
    Source: G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015.
    """

    def __init__(self, teacher: FloatModel, settings: CompressSettings):
        self._teacher = teacher.network.eval()
        self._share, self._temperature = settings.distillation, settings.temperature

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """Give the mean loss of a student's logits [batch, classes]."""
        with torch.no_grad():
            soft = self._teacher(batch.x, batch.lengths) / self._temperature
        divergence = functional.kl_div(
            functional.log_softmax(logits / self._temperature, dim=1),
            functional.log_softmax(soft, dim=1),
            log_target=True,
            reduction="batchmean",
        )
        hard = functional.cross_entropy(logits, batch.labels)
        return (1 - self._share) * hard + self._share * self._temperature**2 * divergence
