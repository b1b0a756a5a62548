"""Float models that got the epochs of a compressed one, so that "better than float" is not said of longer training."""

import copy
from dataclasses import replace

from gatewright.progress import Progress, silent
from gatewright.sw.compress.pruning import retrain
from gatewright.sw.determinism import seeded
from gatewright.sw.models import FloatModel
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Task


def longer(
    task: Task, model: FloatModel, settings: CompressSettings, progress: Progress = silent
) -> FloatModel:
    """Train a float model on, by the loss and for the epochs of one that is compressed: pruned, and made integers.

    Returns
    -------
    FloatModel
        The one with the better validation score: that of before, or that of after.
    """
    network = copy.deepcopy(model.network)
    epochs = settings.prune_epochs + settings.quantise_epochs
    with seeded(settings.seed):
        after = retrain(task, model, network, settings, epochs, "train on", progress)
    before = model.score(task.validation, task.metric)
    return replace(model, network=network) if task.metric.meets(after, before) else model
