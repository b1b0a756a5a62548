"""Tensor trains in integers: what lies between two cores is rounded as it is between the two factors of a low rank.

All cores but the first run before the layer. The layer then takes what they give as its input, and multiplies it with
the first core, laid out as one matrix; so gates, states and head are those of every other model.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from gatewright.benchmarks.trains.cores import Cut, TensorTrain
from gatewright.errors import AccumulatorOverflowError
from gatewright.sw.bundle import Bundle, Matrix, Stage
from gatewright.sw.compress.formats import best_format
from gatewright.sw.compress.integer_autograd import IntegerLayer, QuantisedWeights, to_integers
from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.network import LayerParameters, LstmNetwork, ProductParameters, State
from gatewright.sw.numbers import Fixed
from gatewright.sw.products import check_rounding, rounded_bounds
from gatewright.sw.spec import CompressionSpec

INPUT = "layer0.input"

_EXACT = 1 << 24
"""Sums of integers below this are exact in float32."""


class QuantisedTrain(nn.Module):
    """A network whose W_ih is a tensor train, in integers, which learns through float masters; a `batching.Network`.

    Parameters
    ----------
    network : LstmNetwork
        Of one layer with a `TensorTrain` as W_ih; left as it is.
    spec : CompressionSpec
        Gives the bits of every product, those of W_ih to each core, and of the activations.
    sequences : sequence of tensors [steps, inputs]
        What formats are calibrated on.

    Raises
    ------
    BundleError
        Formats are too far apart to be rounded.
    AccumulatorOverflowError
        Some input could overflow an accumulator, or sums of a core be inexact in float32.
    """

    def __init__(self, network: LstmNetwork, spec: CompressionSpec, sequences: Sequence[Tensor]):
        super().__init__()
        (layer,) = network.layers
        assert isinstance(layer.input, TensorTrain)
        self.cut = layer.input.cut
        first, *others = (core.detach() for core in layer.input.factors)
        # In the order in which they run.
        self.cores = nn.ParameterList(nn.Parameter(core.clone()) for core in reversed(others))
        bits = spec.of(INPUT).bits
        self.formats = [best_format(core.numpy(), bits) for core in reversed(others)]
        # Scales stay as they are calibrated.
        self._still = torch.zeros(())
        # The formats of x and of what comes after each of these cores.
        self.vectors = [best_format(torch.cat(list(sequences)).numpy(), spec.activation_bits)]
        values = [self.cut.enter(x) for x in sequences]
        for number, core in enumerate(reversed(others)):
            values = [self.cut.multiply(self._place(number), core, each) for each in values]
            self.vectors.append(best_format(torch.cat(values).numpy(), spec.activation_bits))
        rest = LayerParameters(FirstCore(self.cut, first), layer.recurrent, layer.bias)
        self.rest = _Rest(
            LstmNetwork([rest], network.head, network.head_bias),
            spec,
            [each.flatten(1) for each in values],
            learn_scales=False,
        )
        self.bundle_and_cores()

    @property
    def state_sizes(self) -> list[tuple[int, int]]:
        """Elements of the layer's output and of its cell state."""
        return self.rest.state_sizes

    def forward(self, x: Tensor) -> Tensor:
        """Give the outputs [steps, batch, outputs], as reals, of x [steps, batch, inputs]."""
        return self.carried(x)[0]

    def carried(self, x: Tensor, states: Sequence[State] | None = None) -> tuple[Tensor, list[State]]:
        """Do what `forward` does from a state, and return that after the last step too."""
        return self.rest.carried(self.between(x), states)

    def logits(self, outputs: Tensor) -> Tensor:
        """Give the head's logits [..., classes] of outputs [..., outputs]."""
        return self.rest.logits(outputs)

    def between(self, x: Tensor) -> Tensor:
        """Give what the first core takes, as reals, of x [..., inputs]."""
        values = self.cut.enter(_Rounded.apply(x, self.vectors[0]))
        for number, (core, format, target) in enumerate(
            zip(self.cores, self.formats, self.vectors[1:], strict=True)
        ):
            weights = QuantisedWeights.apply(core, self._still, format)
            values = _Rounded.apply(self.cut.multiply(self._place(number), weights, values), target)
        return values.flatten(-3)

    @torch.no_grad()
    def bundle_and_cores(self) -> tuple[Bundle, list[Matrix]]:
        """Give what runs in integers: the cores before the layer in their order, and a model of what they give.

        Raises
        ------
        BundleError, AccumulatorOverflowError
            As for the class.
        """
        cores = [
            Matrix(format.quantise(core.numpy()), format)
            for core, format in zip(self.cores, self.formats, strict=True)
        ]
        for core, (source, target) in zip(cores, pairwise(self.vectors), strict=True):
            stage = Stage(core, source)
            check_rounding("what lies between two cores", stage, target)
            if rounded_bounds(stage, target).max() > _EXACT:
                raise AccumulatorOverflowError("sums of a core are inexact in float32: use smaller cores")
        size = self.rest.masters.input_size
        labels = [str(k) for k in range(self.rest.masters.result_size)]
        return self.rest.bundle(np.zeros(size), np.ones(size), labels), cores

    def _place(self, number: int) -> int:
        """Give the place in the train of the core that runs so many others later."""
        return len(self.cut.rows) - 1 - number


class FirstCore(ProductParameters):
    """The first core of a train as a matrix of what the others give: the core once for each slice, zeros elsewhere.

    Parameters
    ----------
    cut : Cut
    core : tensor
    """

    def __init__(self, cut: Cut, core: Tensor):
        super().__init__(core)
        self.cut = cut

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return self.factors[0].shape[0] * self.cut.slices(0)

    @property
    def columns(self) -> int:
        """Number of inputs."""
        return self.factors[0].shape[1] * self.cut.slices(0)

    def forward(self) -> Tensor:
        """Give the matrix [rows, columns]."""
        return self.spread(self.factors[0])

    def spread(self, core: Tensor) -> Tensor:
        """Lay a core out."""
        return self.cut.units_together(torch.kron(core, torch.eye(self.cut.slices(0))))


class _Rest(QuantisedNetwork):
    """The layer and the head, on what the cores before them give, which is in the format of their input already."""

    def carried(self, x: Tensor, states: Sequence[State] | None = None) -> tuple[Tensor, list[State]]:
        layer, weights = self._layer(0)
        state = None if states is None else states[0]
        outputs, cell = IntegerLayer.apply(layer, state, x, self.masters.layers[0].bias, *weights)
        return outputs, [(outputs[-1], cell)]

    def _matrix(self, name: str, master: Tensor, format: Fixed) -> tuple[Matrix, Tensor]:
        matrix, weights = super()._matrix(name, master, format)
        first = self.masters.layers[0].input
        if name != INPUT or not isinstance(first, FirstCore):
            return matrix, weights
        spread = first.spread(weights)
        return Matrix(format.quantise(spread.detach().numpy()), format), spread


class _Rounded(torch.autograd.Function):
    """Values rounded and saturated to a format, as reals; the gradient goes straight through."""

    @staticmethod
    def forward(ctx, values: Tensor, format: Fixed) -> Tensor:
        return to_integers(values, format) * format.lsb

    @staticmethod
    def backward(ctx, grad: Tensor):
        return grad, None
