"""Batches of sequences of similar length, so that little padding is computed."""

from collections.abc import Iterator, Sequence
from math import nan
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gatewright.errors import DataError
from gatewright.sw.metrics import IGNORED
from gatewright.sw.network import State, last_steps


def by_length(lengths: Tensor, size: int, jitter: float = 0.0) -> list[Tensor]:
    """Group sequences into batches by their length.

    Parameters
    ----------
    lengths : int tensor [sequences]
        Steps of each sequence.
    size : int
        Sequences per batch; the last batch may be smaller.
    jitter : float
        0 groups in order of length. More shuffles: each length counts as up to `jitter` steps longer, and the
        batches come in random order.

    Returns
    -------
    list of int64 tensors
        Indices of the sequences of each batch.
    """
    if len(lengths) == 0:
        return []
    batches = list(torch.argsort(lengths + jitter * torch.rand(len(lengths)), stable=True).split(size))
    return [batches[k] for k in torch.randperm(len(batches))] if jitter else batches


def pad(sequences: Sequence[Tensor], indices: Tensor) -> Tensor:
    """Stack the sequences named by `indices` as [steps, batch, features], zeros behind the shorter ones."""
    return pad_sequence([sequences[k] for k in indices.tolist()])


def pad_targets(targets: np.ndarray | list[np.ndarray] | None, indices: Tensor) -> Tensor:
    """Return the targets named by `indices`: [batch] or [batch, outputs]; those of steps with one axis more in front.

    Behind the shorter sequences classes are `IGNORED`, and values are NaN.

    Raises
    ------
    DataError
        There are no targets.
    """
    if targets is None:
        raise DataError("the data have no targets: `for_model` takes them from a float model")
    if isinstance(targets, list):
        chosen = [torch.from_numpy(targets[k]) for k in indices.tolist()]
        return pad_sequence(chosen, padding_value=nan if chosen[0].is_floating_point() else IGNORED)
    return torch.from_numpy(targets)[indices]


class Network(Protocol):
    """What training and scoring need: outputs of all steps, logits of outputs, and states that are carried over."""

    def __call__(self, x: Tensor) -> Tensor: ...

    @property
    def state_sizes(self) -> list[tuple[int, int]]: ...

    def carried(self, x: Tensor, states: Sequence[State] | None) -> tuple[Tensor, list[State]]: ...

    def logits(self, outputs: Tensor) -> Tensor: ...


class Carry:
    """The states that networks are left in from one chunk of a batch to the next."""

    def __init__(self) -> None:
        self._before: dict[Network, list[State]] = {}
        self._after: dict[Network, list[State]] = {}

    def states(self, network: Network) -> list[State] | None:
        """Return the states that a network's layers begin the chunk with; None before its first chunk."""
        return self._before.get(network)

    def begin(self, network: Network, states: list[State]) -> None:
        """Let a network begin the chunk with states."""
        self._before[network] = states

    def run(self, network: Network, x: Tensor) -> Tensor:
        """Run a network from where the chunk before left it; no gradient goes back to what was before.

        A network that is new begins where another one of the same shape was left, such as its teacher.
        """
        fitting = (states for states in self._before.values() if _sizes(states) == network.state_sizes)
        outputs, after = network.carried(x, self._before.get(network) or next(fitting, None))
        self._after[network] = [(y.detach(), c.detach()) for y, c in after]
        return outputs

    def advance(self) -> None:
        """Go on to the next chunk, from where all networks were left."""
        self._before, self._after = self._after, {}


def _sizes(states: Sequence[State]) -> list[tuple[int, int]]:
    return [(y.shape[1], c.shape[1]) for y, c in states]


class Batch(NamedTuple):
    """Sequences side by side, or a chunk of their steps.

    Parameters
    ----------
    x : [steps, batch, inputs]
        Standardised, padded.
    lengths : int64 [batch]
        Steps of each sequence.
    targets : int64 [batch] or [steps, batch], or float32 [batch, outputs] or [steps, batch, outputs]
        Classes of the sequences, or of their steps; or what the outputs are to be.
    carry : Carry, optional
        Where the batch is a chunk that goes on from the one before.
    """

    x: Tensor
    lengths: Tensor
    targets: Tensor
    carry: Carry | None = None

    @property
    def every_step(self) -> bool:
        """Whether each step has a target of its own."""
        return self.targets.dim() == (3 if self.targets.is_floating_point() else 2)

    def logits(self, network: Network) -> Tensor:
        """Return a network's logits where there are targets: [batch, outputs] or [steps, batch, outputs]."""
        outputs = network(self.x) if self.carry is None else self.carry.run(network, self.x)
        return network.logits(outputs if self.every_step else last_steps(outputs, self.lengths))

    def chunks(self, steps: int) -> Iterator["Batch"]:
        """Yield chunks of so many steps, in order; the batch itself where it is no longer.

        The first one may be shorter, so that a target at the end has all the steps of a chunk before it.
        """
        if len(self.x) <= steps:
            yield self
            return
        targets = self.targets if self.every_step else self._at_last_steps()
        carry = Carry()
        first = len(self.x) % steps or steps
        for end in range(first, len(self.x) + 1, steps):
            begin = max(0, end - steps)
            lengths = (self.lengths - begin).clamp(0, end - begin)
            yield Batch(self.x[begin:end], lengths, targets[begin:end], carry)
            carry.advance()

    def _at_last_steps(self) -> Tensor:
        """Return targets of sequences as targets of steps, of which each sequence's last alone counts."""
        fill = nan if self.targets.is_floating_point() else IGNORED
        steps = self.targets.new_full((len(self.x), *self.targets.shape), fill)
        steps[self.lengths - 1, torch.arange(len(self.lengths))] = self.targets
        return steps
