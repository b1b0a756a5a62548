"""The LSTM in floating point: layers with projections and low-rank matrices, and a linear head."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import sqrt
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewright.errors import ConfigError
from gatewright.sw.determinism import one_thread

State = tuple[Tensor, Tensor]
"""A layer's output y or h [batch, outputs] and its cell state c [batch, hidden]."""


@contextmanager
def quiet_projections() -> Iterator[None]:
    """Silence PyTorch's remark that oneDNN, which it then leaves alone, knows no projections."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        yield


class ProductParameters(nn.Module):
    """What a vector is multiplied with: a matrix, or the two factors of a low-rank one.

    Parameters
    ----------
    *factors : tensors
        ``W`` [rows, columns]; or ``first`` [rank, columns] and ``second`` [rows, rank], with W = second · first.
    """

    def __init__(self, *factors: Tensor):
        super().__init__()
        self.factors = nn.ParameterList(nn.Parameter(factor.detach().clone()) for factor in factors)

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return self.factors[-1].shape[0]

    @property
    def columns(self) -> int:
        """Number of inputs."""
        return self.factors[0].shape[1]

    @property
    def rank(self) -> int | None:
        """Columns of the second factor; None for a whole matrix."""
        return self.factors[0].shape[0] if len(self.factors) == 2 else None

    def forward(self) -> Tensor:
        """Give W [rows, columns]."""
        if len(self.factors) == 1:
            return self.factors[0]
        first, second = self.factors
        return second @ first

    def named(self, name: str) -> dict[str, nn.Parameter]:
        """Give the matrices by name, as `Bundle.matrices` names them."""
        names = (name,) if len(self.factors) == 1 else (f"{name}.first", f"{name}.second")
        return dict(zip(names, self.factors, strict=True))

    @torch.no_grad()
    @one_thread()
    def factorised(self, rank: int) -> "ProductParameters":
        """Give the best approximation of a rank as two factors of equal weight, by singular values.

        Raises
        ------
        ConfigError
            The rank is not from 1 to the smaller of rows and columns.
        """
        most = min(self.rows, self.columns)
        if not 1 <= rank <= most:
            raise ConfigError(
                f"the rank of a {self.rows}x{self.columns} matrix must be from 1 to {most}, not {rank}"
            )
        left, values, right = torch.linalg.svd(self(), full_matrices=False)
        root = values[:rank].sqrt()
        return ProductParameters(root[:, None] * right[:rank], left[:, :rank] * root)


class LayerParameters(nn.Module):
    """One LSTM layer; gate blocks in the order i f g o.

    Parameters
    ----------
    input : ProductParameters [4*hidden, inputs]
    recurrent : ProductParameters [4*hidden, outputs]
    bias : tensor [4*hidden]
        The sum of both biases.
    projection : ProductParameters [outputs, hidden], optional
        Makes the layer's output of h (LSTMP).

    Raises
    ------
    ConfigError
        Shapes disagree.
    """

    def __init__(
        self,
        input: ProductParameters,
        recurrent: ProductParameters,
        bias: Tensor,
        projection: ProductParameters | None = None,
    ):
        super().__init__()
        self.input, self.recurrent, self.projection = input, recurrent, projection
        self.bias = nn.Parameter(bias.detach().clone())
        rows, hidden = recurrent.rows, recurrent.rows // 4
        outputs = hidden if projection is None else projection.rows
        if (
            rows % 4
            or input.rows != rows
            or self.bias.shape != (rows,)
            or recurrent.columns != outputs
            or (projection is not None and projection.columns != hidden)
        ):
            raise ConfigError(
                "an LSTM layer needs W_ih [4*hidden, inputs], W_hh [4*hidden, outputs] and a bias [4*hidden], not "
                f"{input.rows, input.columns}, {recurrent.rows, recurrent.columns} and {tuple(self.bias.shape)}"
            )

    @property
    def input_size(self) -> int:
        """Elements of x."""
        return self.input.columns

    @property
    def hidden_size(self) -> int:
        """Elements of h."""
        return self.recurrent.rows // 4

    @property
    def output_size(self) -> int:
        """Elements of the layer's output: y, or h."""
        return self.recurrent.columns

    def products(self) -> dict[str, ProductParameters]:
        """Give the products: ``input``, ``recurrent`` and, where there is one, ``projection``."""
        products = {"input": self.input, "recurrent": self.recurrent}
        return products if self.projection is None else products | {"projection": self.projection}

    def forward(self, x: Tensor, state: State | None = None) -> Tensor:
        """Give the outputs [steps, batch, outputs] of x [steps, batch, inputs], from a state or a fresh one."""
        return self.carried(x, state)[0]

    def carried(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Do what `forward` does, and return the state behind the last step too."""
        weights = [self.input(), self.recurrent(), self.bias, torch.zeros_like(self.bias)]
        if self.projection is not None:
            weights.append(self.projection())
        if state is None:
            batch = x.shape[1]
            state = x.new_zeros(batch, self.output_size), x.new_zeros(batch, self.hidden_size)
        if self.projection is not None and self.output_size == self.hidden_size:
            weights, state = _with_idle_unit(weights, state)
        one_layer = [part[None] for part in state]
        with quiet_projections():
            # has_biases, layers, dropout, train, bidirectional, batch_first
            outputs, y, c = torch.lstm(x, one_layer, weights, True, 1, 0.0, self.training, False, False)
        return outputs, (y[0], c[0][:, : self.hidden_size])


def _with_idle_unit(weights: list[Tensor], state: State) -> tuple[list[Tensor], State]:
    """Add a hidden unit that stays 0: PyTorch tells by the sizes of y and c whether there is a projection."""
    *gates, projection = weights
    gates = [
        functional.pad(each.unflatten(0, (4, -1)), (0, 0) * (each.dim() - 1) + (0, 1)).flatten(0, 1)
        for each in gates
    ]
    y, c = state
    return [*gates, functional.pad(projection, (0, 1))], (y, functional.pad(c, (0, 1)))


class LstmNetwork(nn.Module):
    """LSTM layers, each on the outputs of the one before it, and a linear head.

    Parameters
    ----------
    layers : sequence of LayerParameters
    head : ProductParameters [classes, outputs], optional
    head_bias : tensor [classes], optional
        Zeros if left out.
    dropout : float
        Share of the last layer's output that the head does not see in training.

    Raises
    ------
    ConfigError
        Shapes disagree, or there is no layer.
    """

    def __init__(
        self,
        layers: Sequence[LayerParameters],
        head: ProductParameters | None = None,
        head_bias: Tensor | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        if not layers:
            raise ConfigError("a network needs at least one LSTM layer")
        self.layers = cast(Sequence[LayerParameters], nn.ModuleList(layers))
        self.head, self.dropout = head, nn.Dropout(dropout)
        self.head_bias = None
        if head is not None:
            bias = torch.zeros(head.rows) if head_bias is None else head_bias
            self.head_bias = nn.Parameter(bias.detach().clone())
        for lower, upper in zip(layers, [*layers[1:], *([] if head is None else [head])], strict=False):
            size = upper.columns if isinstance(upper, ProductParameters) else upper.input_size
            if size != lower.output_size:
                raise ConfigError(f"a layer gives {lower.output_size} outputs, but what follows takes {size}")
        if self.head_bias is not None and head is not None and self.head_bias.shape != (head.rows,):
            raise ConfigError(f"the head has {head.rows} rows, but {self.head_bias.shape[0]} biases")

    @classmethod
    def initial(
        cls,
        inputs: int,
        hidden: int,
        classes: int,
        *,
        layers: int = 1,
        projection: int | None = None,
        dropout: float = 0.0,
    ) -> "LstmNetwork":
        """Give an untrained network: uniform within ``1 / sqrt(hidden)``, as in PyTorch, with open forget gates."""

        def uniform(*shape: int, fan: int) -> Tensor:
            return torch.empty(*shape).uniform_(-1 / sqrt(fan), 1 / sqrt(fan))

        outputs = hidden if projection is None else projection
        parts = []
        for size in [inputs, *[outputs] * (layers - 1)]:
            bias = uniform(4 * hidden, fan=hidden) + uniform(4 * hidden, fan=hidden)
            # A forget gate that starts open lets gradients through long sequences.
            bias[hidden : 2 * hidden] += 1
            parts.append(
                LayerParameters(
                    ProductParameters(uniform(4 * hidden, size, fan=hidden)),
                    ProductParameters(uniform(4 * hidden, outputs, fan=hidden)),
                    bias,
                    None
                    if projection is None
                    else ProductParameters(uniform(projection, hidden, fan=hidden)),
                )
            )
        head = ProductParameters(uniform(classes, outputs, fan=outputs))
        return cls(parts, head, uniform(classes, fan=outputs), dropout)

    @property
    def input_size(self) -> int:
        """Features per step."""
        return self.layers[0].input_size

    def products(self) -> dict[str, ProductParameters]:
        """Give every product by name, as `Bundle.products` names them: ``layer0.input``, ``head`` and so on."""
        products = {
            f"layer{k}.{name}": product
            for k, layer in enumerate(self.layers)
            for name, product in layer.products().items()
        }
        return products if self.head is None else products | {"head": self.head}

    def matrices(self) -> dict[str, nn.Parameter]:
        """Give every matrix by name, as `Bundle.matrices` names them: the factors of low-rank products apart."""
        return {
            part: matrix
            for name, product in self.products().items()
            for part, matrix in product.named(name).items()
        }

    def forward(self, x: Tensor, states: Sequence[State] | None = None) -> Tensor:
        """Give the last layer's outputs [steps, batch, outputs] of padded x [steps, batch, inputs].

        `states` are the layers' states before the first step; zeros if left out.
        """
        for k, layer in enumerate(self.layers):
            x = layer(x, None if states is None else states[k])
        return x

    def carried(self, x: Tensor, states: Sequence[State] | None = None) -> tuple[Tensor, list[State]]:
        """Do what `forward` does, and return the states of all layers behind the last step too."""
        after = []
        for k, layer in enumerate(self.layers):
            x, state = layer.carried(x, None if states is None else states[k])
            after.append(state)
        return x, after

    @property
    def state_sizes(self) -> list[tuple[int, int]]:
        """Elements of every layer's output and of its cell state."""
        return [(layer.output_size, layer.hidden_size) for layer in self.layers]

    @property
    def result_size(self) -> int:
        """Numbers that the model gives: logits of the head, or outputs of the last layer."""
        return self.layers[-1].output_size if self.head is None else self.head.rows

    def logits(self, outputs: Tensor) -> Tensor:
        """Give the head's logits [..., classes] of outputs [..., outputs]; the outputs themselves without a head."""
        if self.head is None:
            return outputs
        return self.dropout(outputs) @ self.head().T + self.head_bias


def last_steps(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Pick each sequence's own last step of [steps, batch, outputs]."""
    return outputs[lengths - 1, torch.arange(len(lengths))]
