"""Compression: a float model becomes a small integer one."""

import dataclasses

from gatewright.errors import DataError
from gatewright.progress import Progress, silent
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.pattern import actual_density
from gatewright.sw.compress.pruning import prune
from gatewright.sw.compress.quantise import quantise
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.rows import word_slots
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Task

__all__ = ["CompressSettings", "compress"]


def compress(
    task: Task, float_model: FloatModel, settings: CompressSettings, progress: Progress = silent
) -> Bundle:
    """Prune a float model to balanced patterns, then train it in integers.

    Parameters
    ----------
    task : Task
        Its train split trains; validation and test are measured only.
    float_model : FloatModel
        Start and teacher; left as it is.
    settings : CompressSettings
        A density of 1 only quantises.
    progress : Progress

    Returns
    -------
    Bundle
        Its notes hold the task, the settings, the density that the pattern really has, and the accuracies of the
        integer model in percent.

    Raises
    ------
    ConfigError
        The lanes do not suit the model.
    DataError
        The task is not the one that the model was trained on.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    """
    if task.labels != float_model.labels:
        raise DataError(
            f"the task {task.name} has the classes {', '.join(task.labels)}, but the model was trained on "
            f"{', '.join(float_model.labels)}: train on this task first"
        )
    density = actual_density(
        float_model.settings.hidden, settings.lanes, settings.density, word_slots(settings.weight_bits)
    )
    with seeded(settings.seed):
        network = float_model.network if density == 1 else prune(task, float_model, settings, progress)
        bundle = quantise(task, float_model, network, settings, progress)
    notes = {
        "task": task.name,
        "seed": settings.seed,
        "density": density,
        "validation_accuracy": evaluate(bundle, task.validation),
        "test_accuracy": evaluate(bundle, task.test),
        "settings": dataclasses.asdict(settings),
        "train_settings": dataclasses.asdict(float_model.settings),
    }
    return dataclasses.replace(bundle, notes=notes)
