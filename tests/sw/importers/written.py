"""Modules that people write around an LSTM, or in its place."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

FEATURES, HIDDEN = 5, 8


class Net(nn.Module):
    """Parts by name, and a forward that uses them."""

    def __init__(self, run: Callable[["Net", Tensor], Tensor], **parts: nn.Module):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


class First(nn.Module):
    """Take the outputs of what an LSTM returns."""

    def forward(self, returned: tuple) -> Tensor:
        return returned[0]


class SameLstm(nn.LSTM):
    """A subclass whose own forward computes the same."""

    def forward(self, x, hx=None):
        outputs, state = super().forward(x, hx)
        return outputs.clone(), state


class ScaledLstm(nn.LSTM):
    """A subclass whose own forward computes something else."""

    def forward(self, x, hx=None):
        outputs, state = super().forward(x, hx)
        return 2 * outputs, state


class NamedLstm(nn.LSTM):
    """A subclass that only chooses the sizes."""

    def __init__(self):
        super().__init__(FEATURES, HIDDEN, batch_first=True)


class NormalisedCell(nn.LSTMCell):
    """Layer norm on gates and output."""

    def __init__(self):
        super().__init__(FEATURES, HIDDEN)
        self.norm_gates, self.norm_output = nn.LayerNorm(4 * HIDDEN), nn.LayerNorm(HIDDEN)

    def forward(self, x, state):
        h, c = state
        gates = self.norm_gates(x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh)
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * self.norm_output(c).tanh(), c


class PeepholeCell(nn.LSTMCell):
    """Peepholes in a dictionary of parameters."""

    def __init__(self):
        super().__init__(FEATURES, HIDDEN)
        self.peep = nn.ParameterDict({gate: nn.Parameter(torch.randn(HIDDEN)) for gate in "ifo"})

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh).chunk(4, 1)
        c = (f + self.peep["f"] * c).sigmoid() * c + (i + self.peep["i"] * c).sigmoid() * g.tanh()
        return (o + self.peep["o"] * c).sigmoid() * c.tanh(), c


class ReluCell(nn.LSTMCell):
    """A cell with ReLU in place of tanh, and no parameter that would tell."""

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.relu()
        return o.sigmoid() * c.relu(), c


class WeightDropped(nn.Module):
    """Weight dropout (AWD-LSTM): the weights are made of raw ones before every forward."""

    def __init__(self):
        super().__init__()
        self.module = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.weight_hh_l0_raw = nn.Parameter(self.module.weight_hh_l0.detach().clone())

    def forward(self, x):
        dropped = nn.functional.dropout(self.weight_hh_l0_raw, 0.5, self.training)
        self.module.weight_hh_l0 = nn.Parameter(dropped.detach())
        return self.module(x)[0]


class LearnedState(nn.Module):
    """An initial state that was learned."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.h0, self.c0 = (nn.Parameter(torch.randn(1, 1, HIDDEN)) for _ in range(2))

    def forward(self, x):
        return self.lstm(x, tuple(part.expand(-1, len(x), -1).contiguous() for part in (self.h0, self.c0)))[0]
