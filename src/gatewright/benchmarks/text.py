"""The benchmark of compressing a character language model: a text leaves no capacity unused, so compression shows."""

import time
from dataclasses import replace

from gatewright.benchmarks.compress import FLOAT_BITS
from gatewright.benchmarks.longer import longer
from gatewright.flow.size import stored_bits
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, score_row
from gatewright.sw.compress import CompressionSpec, ProductSpec, compress, uniform_spec
from gatewright.sw.network import LstmNetwork
from gatewright.sw.tasks import baseline, load_task
from gatewright.sw.training import train_float

UNITS = 15 / 16
"""Share of the hidden units that the small form keeps: of 256 units in 32 lanes, what makes its image an eighth."""


def forms(network: LstmNetwork) -> dict[str, CompressionSpec]:
    """Give what the model is brought to: the plain form in 8 bits, and one of an eighth of the float model's bits."""
    small = uniform_spec(network, bits=4)
    hidden = round(UNITS * network.layers[0].hidden_size)
    products = {**small.products, "head": ProductSpec(bits=8)}
    fewer = replace(small, products=products, hidden={"layer0": hidden})
    return {"8 bits": uniform_spec(network), "4 bits, fewer units": fewer}


def bench_text(
    path: str, progress: Progress = silent, seed: int = 0, *, equal_epochs: bool = True, **training
) -> list[Row]:
    """Train a character model on a text, whose state is carried over, and compress it to each of `forms`.

    Parameters
    ----------
    path : str
        A text, see `sw.tasks.text.load_text`.
    progress : Progress
    seed : int
    equal_epochs : bool
        Whether the float model that the forms are held against gets the epochs of compression as well.
    **training
        Fields of `TrainSettings` that are not to be the task's own.

    Returns
    -------
    list of Row
        Bits per character of the bigram baseline, the float model as it was trained and as the forms are held against
        (``longer_float_score``), and each form on validation and test split; for each form the bits that are lost, how
        many times fewer bits its image has than the float32 model, and the seconds.
    """
    task = load_task(path, seed=seed)
    begin = time.perf_counter()
    model = train_float(task, replace(task.training, seed=seed, **training), progress)
    at = {"task": task.name, "hidden": model.settings.hidden, "symbols": len(task.labels)}
    splits = {"validation": task.validation, "test": task.test}
    metric = task.metric
    rows = [
        score_row("baseline_score", metric, baseline(task), at | {"split": "test"}, seed),
        Row("training_seconds", "seconds", time.perf_counter() - begin, at, seed),
    ]
    rows += [
        score_row("float_score", metric, model.score(split, metric), at | {"split": name}, seed)
        for name, split in splits.items()
    ]
    settings = replace(task.compression, seed=seed)
    held = model
    if equal_epochs:
        held = longer(task, model, settings, progress)
    dense = {name: held.score(split, metric) for name, split in splits.items()}
    rows += [
        score_row("longer_float_score", metric, value, at | {"split": name}, seed)
        for name, value in dense.items()
    ]
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    for form, spec in forms(model.network).items():
        begin = time.perf_counter()
        bundle = compress(task, model, spec, settings, within(progress, form))
        here = at | {"form": form}
        for name in splits:
            bits, where = bundle.notes["scores"][name], here | {"split": name}
            rows.append(score_row("score", metric, bits, where, seed))
            lost = bits - dense[name]
            rows.append(Row("score_lost", metric.unit, lost, where | {"metric": metric.name}, seed))
        times = FLOAT_BITS * parameters / stored_bits(bundle, spec.lanes)
        rows.append(Row("compression", "times", times, here, seed))
        rows.append(Row("compression_seconds", "seconds", time.perf_counter() - begin, here, seed))
    return rows
