import torch

from gatewright.sw.batching import by_length, pad
from gatewright.sw.determinism import seeded


def test_batches_hold_every_sequence_once_in_order_of_length():
    lengths = torch.tensor([5, 2, 9, 2, 7])
    batches = by_length(lengths, 2)
    assert [b.tolist() for b in batches] == [[1, 3], [0, 4], [2]]


def test_jitter_shuffles_but_keeps_lengths_near():
    lengths = torch.arange(1, 101)
    with seeded(1):
        batches = by_length(lengths, 10, jitter=4.0)
        others = by_length(lengths, 10, jitter=4.0)
    assert sorted(torch.cat(batches).tolist()) == list(range(100))
    assert [b.tolist() for b in batches] != [b.tolist() for b in others]
    assert all(lengths[b].max() - lengths[b].min() <= 10 + 2 * 4 for b in batches)


def test_padding_is_zero_and_behind():
    sequences = [torch.full((n, 2), float(n)) for n in (1, 3, 2)]
    x = pad(sequences, torch.tensor([2, 1]))
    assert x[:, :, 0].tolist() == [[2, 3], [2, 3], [0, 3]]
