"""Batches of sequences of similar length, so that little padding is computed."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


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
