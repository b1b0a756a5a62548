from typing import ClassVar

import pytest
import torch

from gatewright.errors import DataError
from gatewright.sw.batching import Batch, by_length, pad, pad_targets
from gatewright.sw.determinism import seeded
from gatewright.sw.scores import counted


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


class Counter:
    """Counts the steps that it has seen; a `Network` of one layer with one unit."""

    state_sizes: ClassVar = [(1, 1)]

    def __call__(self, x):
        return self.carried(x, None)[0]

    def carried(self, x, states):
        begin = 0 if states is None else states[0][0]
        outputs = begin + torch.arange(1.0, len(x) + 1)[:, None, None].expand(-1, x.shape[1], 1)
        return outputs, [(outputs[-1], outputs[-1])]

    def logits(self, outputs):
        return outputs


class Wider(Counter):
    state_sizes: ClassVar = [(2, 2)]


def whole(steps, targets):
    return Batch(torch.zeros(steps, 2, 1), torch.tensor([steps, steps - 1]), targets)


def test_chunks_go_on_where_every_network_was_left():
    network, teacher = Counter(), Counter()
    batch = whole(10, torch.zeros(10, 2, 1))
    seen = []
    for chunk in batch.chunks(4):
        seen += chunk.logits(network)[:, 0, 0].tolist()
        # However often it is asked, a chunk is the same; a network that is new begins where another was left.
        assert torch.equal(chunk.logits(teacher), chunk.logits(teacher))
        assert torch.equal(chunk.logits(Counter()), chunk.logits(network))
        assert chunk.logits(Wider())[0, 0, 0] == 1
    assert seen == list(range(1, 11))
    assert [len(chunk.x) for chunk in batch.chunks(4)] == [2, 4, 4]
    assert next(whole(10, torch.zeros(10, 2, 1)).chunks(10)).carry is None


@pytest.mark.parametrize("targets", [torch.tensor([1, 2]), torch.tensor([[1.0], [2.0]])])
def test_a_target_at_the_end_counts_in_the_chunk_where_the_sequence_ends(targets):
    chunks = list(whole(9, targets).chunks(4))
    assert [len(chunk.x) for chunk in chunks] == [1, 4, 4]
    found = torch.cat([chunk.targets for chunk in chunks])
    places = counted(found)
    assert places.nonzero().tolist() == [[7, 1], [8, 0]]
    assert torch.equal(found[places], targets.flip(0))


def test_data_without_targets_are_refused():
    with pytest.raises(DataError, match="no targets"):
        pad_targets(None, torch.tensor([0]))
