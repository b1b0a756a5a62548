"""The training of a super network: the largest, the smallest and some random sub-networks learn from every batch.

Source: the sandwich rule of J. Yu, T. Huang, Universally slimmable networks, 2019.
"""

from collections.abc import Iterator, Sequence
from random import Random

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gatewright.progress import Progress, silent
from gatewright.sw.batching import Batch
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.quantise import QuantisedNetwork, calibrate
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.search.supernet import SuperNetwork, shortened
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task
from gatewright.sw.training import fit

_LEAST_ERROR = 1e-9
"""Squared error, in deviations, that is as good as none."""


def train_super(
    task: Task,
    dense: FloatModel,
    supernet: SuperNetwork,
    space: SearchSpace,
    settings: SuperSettings,
    progress: Progress = silent,
    targets: Sequence[Candidate] = (),
) -> tuple[float, ...]:
    """Train the shared weights by the sandwich rule, in the integers of the sub-networks.

    In every update the largest, the smallest and some random candidates learn from the dense model on the same batch,
    each pruned and quantised as it would be; the shared weights take the sum of their gradients, and where outputs are
    values, that of their losses' logarithms.

    Parameters
    ----------
    task : Task
        Its train split trains; its validation split is measured only.
    dense : FloatModel
        Teaches, and gives the scaling of the inputs and the settings of batches.
    supernet : SuperNetwork
        Trained in place.
    space : SearchSpace
    settings : SuperSettings
    progress : Progress
    targets : sequence of Candidate
        Promising candidates: each random one is one of these with probability 1/2, if there are any.

    Returns
    -------
    tuple of float
        Validation score of the smallest sub-network after each epoch.

    Raises
    ------
    ConfigError
        The space does not suit the super network.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    DivergenceError
        Training diverged.
    """
    random = Random(settings.seed)
    teaching = CompressSettings(distillation=settings.distillation, temperature=settings.temperature)
    distillation = Distillation(dense, teaching, task)
    every = max(1, len(task.train) // settings.calibrated)
    sample = shortened(dense.standardise(task.train.sequences[::every]))
    largest, smallest = space.spec(space.largest), space.spec(space.smallest)

    def sandwich() -> Iterator[CompressionSpec]:
        yield largest
        yield smallest
        for _ in range(settings.sampled):
            aimed = targets and random.random() < 0.5
            yield space.spec(random.choice(targets) if aimed else space.sample(random))

    def loss(batch: Batch) -> Tensor:
        parts = []
        for spec in sandwich():
            student = calibrate(supernet.subnetwork(spec), sample, spec)
            taught = batch
            if batch.carry is not None:
                taught = batch._replace(carry=supernet.beside(dense, batch.carry, student, spec))
            parts.append(_loss(supernet, spec, student, distillation, taught))
        if batch.carry is not None:
            with torch.no_grad():
                batch.carry.run(dense.network, batch.x)
        losses = torch.stack(parts)
        # Errors of values differ by orders of magnitude: unless they count in dB, the smallest network drowns all.
        return losses.sum() if task.classifies else (losses + _LEAST_ERROR).log().sum()

    def validate() -> float:
        student = calibrate(supernet.subnetwork(smallest), sample, smallest)
        bundle = student.bundle(dense.mean, dense.deviation, dense.labels)
        return evaluate(bundle, task.validation, task.metric)

    with seeded(settings.seed):
        history = fit(
            dense,
            task,
            supernet.network,
            loss,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            validate=validate,
            what="super network",
            progress=progress,
        )
    supernet.network.eval()
    return history


class _Lesson(nn.Module):
    """The loss of a student on a batch, as a module whose parameters can be put in place."""

    def __init__(self, student: QuantisedNetwork, distillation: Distillation):
        super().__init__()
        self.student, self._distillation = student, distillation

    def forward(self, batch: Batch) -> Tensor:
        return self._distillation(batch.logits(self.student), batch)


def _loss(
    supernet: SuperNetwork,
    spec: CompressionSpec,
    student: QuantisedNetwork,
    distillation: Distillation,
    batch: Batch,
) -> Tensor:
    """Give the loss of a sub-network in integers as a function of the shared weights."""
    shared = {f"student.masters.{name}": value for name, value in supernet.parameters(spec).items()}
    return functional_call(_Lesson(student, distillation), shared, (batch,))
