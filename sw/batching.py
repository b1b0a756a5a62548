"""Batches of sequences of similar length, so that little padding is computed."""

from collections.abc import Sequence
from math import nan
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gatewright.sw.metrics import IGNORED
from gatewright.sw.network import last_steps


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


def pad_labels(labels: np.ndarray | list[np.ndarray], indices: Tensor) -> Tensor:
    """Give the labels named by `indices`: [batch], or [steps, batch] with `IGNORED` behind the shorter ones.

    Labels that are reals, [steps, batch, outputs], have NaN there.
    """
    if isinstance(labels, list):
        chosen = [torch.from_numpy(labels[k]) for k in indices.tolist()]
        return pad_sequence(chosen, padding_value=nan if chosen[0].is_floating_point() else IGNORED)
    return torch.from_numpy(labels)[indices]


class Network(Protocol):
    """What training and scoring need: outputs of all steps, and logits of outputs."""

    def __call__(self, x: Tensor) -> Tensor: ...

    def logits(self, outputs: Tensor) -> Tensor: ...


class Batch(NamedTuple):
    """Sequences side by side.

    Parameters
    ----------
    x : [steps, batch, inputs]
        Standardised, padded.
    lengths : int64 [batch]
        Steps of each sequence.
    labels : int64 [batch] or [steps, batch], or float32 [steps, batch, outputs]
        Classes of the sequences, or of their steps; or what the outputs are to be.
    """

    x: Tensor
    lengths: Tensor
    labels: Tensor

    def logits(self, network: Network) -> Tensor:
        """Give a network's logits where there are labels: [batch, classes] or [steps, batch, classes]."""
        outputs = network(self.x)
        return network.logits(last_steps(outputs, self.lengths) if self.labels.dim() == 1 else outputs)
