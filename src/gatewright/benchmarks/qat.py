"""The benchmark of quantisation-aware training: an update in floating point, in integers, and with Brevitas."""

import time
from collections.abc import Callable
from importlib import metadata
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.batching import Batch, Network, by_length, pad, pad_targets
from gatewright.sw.compress import uniform_spec
from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.determinism import one_thread, seeded
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import load_task, scaling
from gatewright.sw.training import cross_entropy

ROUNDS = 7
"""Updates of each kind that are timed, in turns, after one that warms up."""


@one_thread()
def bench_qat(
    progress: Progress = silent,
    *,
    task: str = "digits",
    hidden: int = TrainSettings.hidden,
    batch: int = TrainSettings.batch,
    rounds: int = ROUNDS,
) -> list[Row]:
    """Time an update (forward, backward, AdamW) on one batch of a task, on one thread.

    Brevitas is compared where it is installed: its `QuantLSTM` with its default quantisers, which imitate 8-bit weights
    and activations in floating point.

    Parameters
    ----------
    progress : Progress
    task : str
        Name or path, see `load_task`.
    hidden, batch : int
        LSTM units; sequences of the batch.
    rounds : int
        Updates that are timed.

    Returns
    -------
    list of Row
        ``update`` in seconds (median) ``of`` float, integer-exact and brevitas, ``update_ratio`` to float, and the
        version of Brevitas, or that there is none.
    """
    data = load_task(task, seed=0)
    mean, deviation = scaling(data)
    sequences = [torch.from_numpy(((s - mean) / deviation).astype(np.float32)) for s in data.train.sequences]
    lengths = torch.tensor([len(s) for s in sequences])
    batches = by_length(lengths, batch)
    # Of middling length.
    indices = batches[len(batches) // 2]
    given = Batch(pad(sequences, indices), lengths[indices], pad_targets(data.train.targets, indices))
    with seeded(0):
        network = LstmNetwork.initial(data.input_size, hidden, data.output_size)
        learners: dict[str, nn.Module] = {
            "float": network,
            "integer-exact": QuantisedNetwork(network, uniform_spec(network), sequences),
        }
        version = _brevitas_version()
        if version:
            learners["brevitas"] = _brevitas(data.input_size, hidden, data.output_size)
        updates = {name: _update(learner, given) for name, learner in learners.items()}
        seconds: dict[str, list[float]] = {name: [] for name in updates}
        for update in updates.values():
            update()
        for number in range(rounds):
            for name, update in updates.items():
                begin = time.perf_counter()
                update()
                seconds[name].append(time.perf_counter() - begin)
            progress("update", number + 1, rounds, "")
    at = {"task": data.name, "hidden": hidden, "batch": len(indices), "steps": len(given.x)}
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    return [
        *(Row("update", "seconds", value, at | {"of": name}) for name, value in medians.items()),
        *(
            Row("update_ratio", "float updates", value / medians["float"], at | {"of": name})
            for name, value in medians.items()
        ),
        Row("brevitas", "version", version or "not installed"),
    ]


def _update(learner: nn.Module, batch: Batch) -> Callable[[], None]:
    optimiser = torch.optim.AdamW(learner.parameters(), lr=1e-4)

    def update() -> None:
        loss = cross_entropy(batch.logits(cast(Network, learner)), batch.targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return update


def _brevitas_version() -> str | None:
    try:
        return metadata.version("brevitas")
    except metadata.PackageNotFoundError:
        return None


def _brevitas(inputs: int, hidden: int, classes: int) -> nn.Module:
    from brevitas.nn import QuantLinear, QuantLSTM

    class Quantised(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = QuantLSTM(inputs, hidden)
            self.head = QuantLinear(hidden, classes, bias=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x)[0]

        def logits(self, outputs: Tensor) -> Tensor:
            return self.head(outputs)

    return Quantised()
