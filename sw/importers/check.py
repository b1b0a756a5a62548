"""An imported model beside its source: the two run on the same random input."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.batching import pad
from gatewright.sw.determinism import one_thread
from gatewright.sw.models import FloatModel

_STEPS, _BATCH = 12, 4
_TOLERANCE = 1e-3

Given = tuple[bool, bool]
"""Whether the y (or h) and the c of a layer before its first step come from outside."""


@dataclass(frozen=True)
class Batch:
    """What a recurrent model is run on.

    Parameters
    ----------
    x : float32 tensor [steps, batch, inputs]
    lengths : int64 tensor [batch]
        Steps of each sequence; what lies behind them is not seen.
    states : list of (y [batch, outputs], c [batch, hidden])
        Of every layer, before the first step.
    """

    x: Tensor
    lengths: Tensor
    states: list[tuple[Tensor, Tensor]]


class Source(Protocol):
    """A model as its own framework runs it.

    `given` says for every layer which states come from outside, `lengths` whether sequences of a batch may end early.
    """

    engine: str
    given: Sequence[Given]
    lengths: bool

    def outputs(self, batch: Batch) -> Tensor:
        """Give the last layer's outputs [steps, batch, outputs], zeros behind each sequence's end."""

    def logits(self, outputs: Tensor) -> Tensor:
        """Give the head's logits [steps, batch, classes] of outputs [steps, batch, outputs]."""


@dataclass(frozen=True)
class Imported:
    """A model of a user's, and what must be known to run it.

    Parameters
    ----------
    model : FloatModel
        Takes raw inputs; classes are named ``"0"``, ``"1"``, ...
    source : Source
        The model that was imported, in its own framework.
    reversed_time : bool
        The source reads sequences from their end: the host gives each sequence last step first, and finds
        the outputs in that order.
    taken : tuple of str
        The source's parameters that the model is made of.
    left_out : tuple of str
        Every other parameter of the source, and layers that ran outside of the model.
    notes : tuple of str
        What the host has to do, and what was compared with what.
    difference : float
        Largest absolute difference between model and source on random input, of outputs and logits.
    advice : tuple of str
        What to type next, such as the option that takes a head.
    """

    model: FloatModel
    source: Source
    reversed_time: bool
    taken: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    difference: float
    advice: tuple[str, ...] = ()

    def noted(self, source: str, **more: str) -> "Imported":
        """Write into the model's notes where it comes from, with `more` about that, and what is known of the import."""
        notes = {
            "from": source,
            **more,
            "how": "import",
            "taken": list(self.taken),
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "difference": self.difference,
            "reversed_time": self.reversed_time,
        }
        return replace(self, model=replace(self.model, notes=notes))

    def source_outputs(self, x: np.ndarray) -> np.ndarray:
        """Give the source's outputs [steps, outputs] for one sequence [steps, inputs] from a zero state: float32."""
        batch = _fresh(self.model, torch.from_numpy(np.asarray(x, dtype=np.float32))[:, None])
        with one_thread(), torch.no_grad():
            return self.source.outputs(batch)[:, 0].numpy()


def compared(
    model: FloatModel,
    source: Source,
    reversed_time: bool,
    notes: Sequence[str],
    *,
    taken: Sequence[str] = (),
    left_out: Sequence[str] = (),
    advice: Sequence[str] = (),
) -> Imported:
    """Run model and source on random sequences and keep the largest difference; the rest is passed on as it is.

    Raises
    ------
    ModelImportError
        They differ so much that something in the source was not honoured.
    """
    batch = _random_batch(model, source)
    with one_thread(), torch.no_grad():
        expected = source.outputs(batch)
        pairs = [(run(model, batch, reversed_time), expected)]
        if model.network.head is not None:
            pairs.append((model.network.logits(expected), source.logits(expected)))
    difference = max(float((ours - theirs).abs().max()) for ours, theirs in pairs)
    largest = max(1.0, *(float(theirs.abs().max()) for _, theirs in pairs))
    if not difference <= _TOLERANCE * largest:
        raise ModelImportError(
            f"the imported model differs from its source, run by {source.engine}, by {difference:.3g} on random "
            "input: the source computes something that the import does not know"
        )
    against = f"compared with {source.engine} on {_BATCH} random sequences of up to {_STEPS} steps"
    return Imported(
        model,
        source,
        reversed_time,
        tuple(taken),
        tuple(left_out),
        (*notes, against),
        difference,
        tuple(advice),
    )


@one_thread()
@torch.no_grad()
def run(model: FloatModel, batch: Batch, reversed_time: bool) -> Tensor:
    """Give the model's outputs [steps, batch, outputs] in the source's order of steps, zeros behind each end."""
    x = _reverse(batch.x, batch.lengths) if reversed_time else batch.x
    outputs = model.network(x, batch.states)
    if reversed_time:
        outputs = _reverse(outputs, batch.lengths)
    seen = torch.arange(len(outputs))[:, None] < batch.lengths
    return outputs * seen[..., None]


def _reverse(x: Tensor, lengths: Tensor) -> Tensor:
    """Turn each sequence around within its own length."""
    sequences = [x[:length, k].flip(0) for k, length in enumerate(lengths.tolist())]
    turned = pad(sequences, torch.arange(len(sequences)))
    return torch.cat([turned, x.new_zeros(len(x) - len(turned), *x.shape[1:])])


def _fresh(model: FloatModel, x: Tensor) -> Batch:
    steps, batch, _ = x.shape
    states = [
        (torch.zeros(batch, layer.output_size), torch.zeros(batch, layer.hidden_size))
        for layer in model.network.layers
    ]
    return Batch(x, torch.full((batch,), steps), states)


def _random_batch(model: FloatModel, source: Source) -> Batch:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_STEPS, _BATCH, model.network.input_size, generator=generator)
    lengths, states = torch.full((_BATCH,), _STEPS), []
    if source.lengths:
        lengths = torch.randint(1, _STEPS, (_BATCH,), generator=generator)
        lengths[0] = _STEPS
    for fresh, given in zip(_fresh(model, x).states, source.given, strict=True):
        drawn = [torch.rand(zeros.shape, generator=generator) * 2 - 1 for zeros in fresh]
        y, c = (part * from_outside for part, from_outside in zip(drawn, given, strict=True))
        states.append((y, c))
    return Batch(x, lengths, states)
