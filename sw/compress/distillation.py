"""Learning from the dense model: its soft targets beside the true classes."""

import torch
from torch import Tensor
from torch.nn import functional

from gatewright.sw.batching import Batch
from gatewright.sw.models import FloatModel
from gatewright.sw.scores import counted
from gatewright.sw.settings import CompressSettings
from gatewright.sw.training import cross_entropy


class Distillation:
    """The loss of a student on a `Batch`: cross-entropy and divergence from the teacher's soft targets.

    ``(1 - a) * CE + a * T**2 * KL(teacher / T, student / T)`` with a and T from the settings. A model without a head
    has no classes: its loss is the mean squared difference from the teacher's outputs.
    Source: G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015.
    """

    def __init__(self, teacher: FloatModel, settings: CompressSettings):
        self._teacher = teacher.network.eval()
        self._share, self._temperature = settings.distillation, settings.temperature

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """Give the mean loss of a student.

        Parameters
        ----------
        logits : [batch, classes] or [steps, batch, classes]
            As `Batch.logits` gives them; the outputs themselves without a head.
        batch : Batch
            With a share of 1, its labels only tell which steps count.
        """
        with torch.no_grad():
            taught = batch.logits(self._teacher)
        seen = counted(batch.labels)
        if self._teacher.head is None:
            return functional.mse_loss(logits[seen], taught[seen])
        divergence = functional.kl_div(
            functional.log_softmax(logits[seen] / self._temperature, dim=1),
            functional.log_softmax(taught[seen] / self._temperature, dim=1),
            log_target=True,
            reduction="batchmean",
        )
        soft = self._share * self._temperature**2 * divergence
        if self._share == 1:
            return soft
        return (1 - self._share) * cross_entropy(logits, batch.labels) + soft
