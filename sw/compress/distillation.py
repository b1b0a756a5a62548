"""Learning from the dense model: its soft targets beside the true classes."""

import torch
from torch import Tensor
from torch.nn import functional

from gatewright.sw.batching import Batch
from gatewright.sw.models import FloatModel
from gatewright.sw.scores import counted
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Task
from gatewright.sw.training import Loss, two_logits


class Distillation:
    """The loss of a student on a `Batch`: that of the targets, and the divergence from the teacher's outputs.

    Classes: ``(1 - a) * CE + a * T**2 * KL(teacher / T, student / T)`` with a and T from the settings. Values: the same
    share of the mean squared differences from the targets and from the teacher's outputs, in deviations of the targets.
    Source: G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015.

    Parameters
    ----------
    teacher : FloatModel
    settings : CompressSettings
    task : Task
        Says what outputs are. Of a task that the model itself teaches, targets are not looked at.
    """

    def __init__(self, teacher: FloatModel, settings: CompressSettings, task: Task):
        self._teacher = teacher.network.eval()
        self._share = 1.0 if task.taught else settings.distillation
        self._temperature = settings.temperature
        self._classes, self._loss = task.classifies, Loss(task)

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """Give the mean loss of a student.

        Parameters
        ----------
        logits : [batch, outputs] or [steps, batch, outputs]
            As `Batch.logits` gives them; the outputs themselves without a head.
        batch : Batch
            With a share of 1, its targets only tell which positions count.
        """
        with torch.no_grad():
            taught = batch.logits(self._teacher)
        seen = counted(batch.targets)
        soft = self._divergence(logits[seen], taught[seen])
        if self._share == 1:
            return soft
        return (1 - self._share) * self._loss(logits, batch.targets) + self._share * soft

    def _divergence(self, logits: Tensor, taught: Tensor) -> Tensor:
        if not self._classes:
            scale = self._loss.deviation
            return functional.mse_loss(logits / scale, taught / scale)
        divergence = functional.kl_div(
            functional.log_softmax(two_logits(logits) / self._temperature, dim=1),
            functional.log_softmax(two_logits(taught) / self._temperature, dim=1),
            log_target=True,
            reduction="batchmean",
        )
        return self._temperature**2 * divergence
