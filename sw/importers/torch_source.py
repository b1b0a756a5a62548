"""LSTMs, cells and a head as PyTorch runs them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Batch, Given
from gatewright.sw.importers.torch_parts import Selected
from gatewright.sw.network import State, quiet_projections


class TorchPart:
    """An `nn.LSTM` or `nn.LSTMCell`, or what stands in its place, on sequences of shape [steps, batch, inputs].

    Parameters
    ----------
    module : nn.Module
        Any class of the same calls; one with a forward of its own is run by that.
    layers : int
    cell : bool
        It takes one step a call.
    reverse : bool or None
        Which direction of a bidirectional one is asked for.
    """

    def __init__(self, module: nn.Module, layers: int, *, cell: bool, reverse: bool | None = None):
        self.module, self.layers, self.cell, self.reverse = module, layers, cell, reverse
        forward = getattr(module.forward, "__func__", module.forward)
        self.own_forward = forward not in (nn.LSTM.forward, nn.LSTMCell.forward)
        # States are arguments of PyTorch's calls; another forward may know none.
        self.given: Sequence[Given] = [(cell or not self.own_forward,) * 2] * layers

    @classmethod
    def of(cls, selected: Selected, module: nn.Module) -> "TorchPart":
        """Run `module` as what is selected."""
        part, direction = selected
        reverse = None if direction is None else selected.reverse
        return cls(module, part.layers, cell=not part.layered, reverse=reverse)

    def outputs(self, x: Tensor, states: Sequence[State]) -> Tensor:
        """Run the module from the states of its layers: outputs [steps, batch, outputs]."""
        if self.cell:
            state, steps = states[0], []
            for values in x:
                state = self.module(values, state)
                steps.append(state[0])
            return torch.stack(steps)
        directions = 1 if self.reverse is None else 2
        batch_first = bool(getattr(self.module, "batch_first", False))
        x = x.transpose(0, 1) if batch_first else x
        if self.own_forward:
            returned = self.module(x)
        else:
            h, c = (
                torch.stack([part for part in parts for _ in range(directions)])
                for parts in zip(*states, strict=True)
            )
            returned = self.module(x, (h, c))
        outputs = returned if isinstance(returned, Tensor) else returned[0]
        outputs = outputs.transpose(0, 1) if batch_first else outputs
        return outputs if self.reverse is None else outputs.chunk(2, -1)[self.reverse]


class TorchSource:
    """Parts, each on the outputs of the one before it, and a head.

    Parameters
    ----------
    parts : sequence of TorchPart
    head : callable, optional
        Computes logits of the last part's outputs.
    like : tensor
        Whose type and device the modules compute with.
    """

    lengths = False

    def __init__(self, parts: Sequence[TorchPart], head: Callable[[Tensor], Tensor] | None, like: Tensor):
        self._parts, self._head, self._like = parts, head, like
        self.given: Sequence[Given] = [given for part in parts for given in part.given]
        names = dict.fromkeys(f"{type(p.module).__name__}{'.forward' * p.own_forward}" for p in parts)
        self.engine = f"{' and '.join(names)} of the same weights in PyTorch {torch.__version__}"

    @quiet_projections()
    def outputs(self, batch: Batch) -> Tensor:
        """Give the last part's outputs [steps, batch, outputs]."""
        x, states = batch.x.to(self._like), [(h.to(self._like), c.to(self._like)) for h, c in batch.states]
        shape = (*batch.x.shape[:2], batch.states[-1][0].shape[1])
        for part in self._parts:
            own, states = states[: part.layers], states[part.layers :]
            try:
                x = part.outputs(x, own)
            except Exception as cause:
                if not part.own_forward:
                    raise
                # The forward is a user's and may raise anything.
                raise ModelImportError(
                    f"{type(part.module).__name__} has a forward of its own that cannot be called as PyTorch's can "
                    f"({cause}); only what computes the same as nn.LSTM or nn.LSTMCell is honoured"
                ) from cause
        if x.shape != shape:
            raise ModelImportError(
                f"{self.engine} gives outputs of shape {list(x.shape)}; PyTorch's own LSTM gives {list(shape)}"
            )
        return x.float().cpu()

    def logits(self, outputs: Tensor) -> Tensor:
        """Give the head's logits of outputs."""
        assert self._head is not None
        return self._head(outputs.to(self._like)).float().cpu()
