"""What an LSTM took and gave while a module ran, as whole sequences."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from gatewright.sw.importers.torch_source import TorchPart
from gatewright.sw.importers.torch_trace import Call
from gatewright.sw.network import State


@dataclass(frozen=True)
class Episode:
    """Sequences of a batch from their first step to their last, in one call or in many that carry the state over.

    Parameters
    ----------
    x, y : tensor [steps, batch, inputs], [steps, batch, outputs]
        The outputs of one direction, if one is asked for.
    lengths : int64 tensor [batch]
    start : list of (h, c), or None
        States of the layers before the first step, if they are not zero.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor
    start: list[State] | None

    def rows(self) -> Tensor:
        """Give the outputs within the sequences' lengths: [rows, outputs], by step and then by sequence."""
        return self.seen(self.y)

    def seen(self, values: Tensor) -> Tensor:
        """Give rows of [steps, batch, ...] within the sequences' lengths."""
        return values[torch.arange(len(values))[:, None] < self.lengths]


def episodes(calls: Sequence[Call], part: TorchPart) -> list[Episode]:
    """Join the calls of a part to episodes; none if they are not such as PyTorch's own modules take and give."""
    try:
        return _joined(calls, part)
    except (TypeError, ValueError, IndexError, AttributeError, RuntimeError):
        if not part.own_forward:
            raise
        # A forward of its own may take and give anything.
        return []


def _joined(calls: Sequence[Call], part: TorchPart) -> list[Episode]:
    result: list[Episode] = []
    last: State | None = None
    for call in calls:
        hx = call.args[1] if len(call.args) > 1 else call.kwargs.get("hx")
        if part.cell:
            y, last_now = call.output[0], call.output
            x, y = (value.reshape(1, -1, value.shape[-1]) for value in (call.taken, y))
            lengths = torch.ones(x.shape[1], dtype=torch.int64)
        else:
            y, last_now = call.output
            x, y, lengths = _time_major(call.taken, y, part)
        if last is not None and hx is not None and all(map(torch.equal, hx, last)):
            before = result.pop()
            x, y = torch.cat([before.x, x]), torch.cat([before.y, y])
            result.append(Episode(x, y, before.lengths + lengths, before.start))
        else:
            result.append(Episode(x, y, lengths, _start(hx, part)))
        last = last_now
    if part.reverse is not None:
        result = [Episode(e.x, e.y.chunk(2, -1)[part.reverse], e.lengths, e.start) for e in result]
    return result


def linked(lower: Sequence[Episode], upper: Sequence[Episode]) -> bool:
    """Whether a part took exactly the outputs of another one."""
    return len(lower) == len(upper) and all(torch.equal(a.y, b.x) for a, b in zip(lower, upper, strict=True))


def same_start(a: list[State] | None, b: list[State] | None) -> bool:
    """Whether two episodes start from the same states."""
    if a is None or b is None:
        return a is b
    return all(map(torch.equal, sum(a, ()), sum(b, ())))


def _time_major(
    x: Tensor | PackedSequence, y: Tensor | PackedSequence, part: TorchPart
) -> tuple[Tensor, Tensor, Tensor]:
    if isinstance(x, PackedSequence) and isinstance(y, PackedSequence):
        padded, lengths = pad_packed_sequence(x)
        return padded, pad_packed_sequence(y)[0], lengths
    if not (isinstance(x, Tensor) and isinstance(y, Tensor)):
        raise TypeError(f"an LSTM gives tensors for tensors, not {type(y).__name__} for {type(x).__name__}")
    if x.dim() == 2:
        x, y = x[:, None], y[:, None]
    elif getattr(part.module, "batch_first", False):
        x, y = x.transpose(0, 1), y.transpose(0, 1)
    return x, y, torch.full((x.shape[1],), len(x))


def _start(hx: Sequence[Tensor] | None, part: TorchPart) -> list[State] | None:
    if hx is None or not any(bool(value.any()) for value in hx):
        return None
    h, c = (value.reshape(1, -1, value.shape[-1]) if part.cell else value for value in hx)
    if h.dim() == 2:
        h, c = h[:, None], c[:, None]
    directions = 1 if part.reverse is None else 2
    index = int(bool(part.reverse))
    return [(h[k * directions + index], c[k * directions + index]) for k in range(part.layers)]
