"""Integer-exact training: float master weights that are used through the hardware's integers only."""

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from gatewright.errors import AccumulatorOverflowError
from gatewright.progress import Progress, silent
from gatewright.sw.bundle import Bundle, Head, LowRank, LstmLayer, Matrix, Product, Projection
from gatewright.sw.compress.alignment import alignment_limits
from gatewright.sw.compress.calibration import calibrated_formats
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.formats import FINEST, FINEST_ACCUMULATOR, legal_formats
from gatewright.sw.compress.integer_autograd import IntegerHead, IntegerLayer, QuantisedWeights, to_integers
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork, ProductParameters, State
from gatewright.sw.numbers import ACCUMULATOR, STATE, Fixed, hidden_format
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task
from gatewright.sw.training import fit

CALIBRATED = "calibrated"
"""A note of bundles that training in integers made worse."""

_GAIN = 4.0
"""How much faster than a weight the logarithm of a threshold learns."""

_SCALES_SHARE = 0.25
"""Share of the updates in which scales learn."""


class QuantisedNetwork(nn.Module):
    """A network that computes in integers and learns through float masters; a `batching.Network`.

    Zeros of its matrices stay zero, whatever an optimiser does to the masters.

    Parameters
    ----------
    network : LstmNetwork
        Where the masters start, with its low-rank products as factors; left as it is.
    spec : CompressionSpec
        Gives the bits of every product and of the activations.
    sequences : sequence of tensors [steps, inputs]
        Inputs of the network (standardised) that all formats are calibrated on.
    learn_scales : bool
        Whether training changes the scales of the weights, by powers of two; those of vectors stay.

    Raises
    ------
    ConfigError
        The specification does not suit the network.
    DataError
        The sequences do not.
    BundleError
        A parameter of the network is not finite.
    AccumulatorOverflowError
        Some input could overflow an accumulator, at any scale.
    """

    def __init__(
        self,
        network: LstmNetwork,
        spec: CompressionSpec,
        sequences: Sequence[Tensor],
        *,
        learn_scales: bool = True,
    ):
        super().__init__()
        self.masters = copy.deepcopy(network).requires_grad_()
        self._wanted = calibrated_formats(self.masters, spec, sequences)
        self._names = list(self.masters.matrices())
        self.log_thresholds = nn.Parameter(torch.zeros(len(self._names)), requires_grad=learn_scales)
        self._held = {
            name: (matrix.detach() == 0, torch.zeros_like(matrix))
            for name, matrix in self.masters.matrices().items()
        }
        self._finest = {f"layer{k}": FINEST_ACCUMULATOR for k in range(len(self.masters.layers))}
        legal = legal_formats(self.masters, self._wanted, self._finest)
        self._alignment = alignment_limits(self.masters, legal)
        self._frozen = False
        with torch.no_grad():
            self._parts()

    @property
    def formats(self) -> dict[str, Fixed]:
        """Present formats of all matrices and vectors, named as for `formats.legal_formats`."""
        wanted = dict(self._wanted)
        for name, coarser in zip(
            self._names, (_GAIN * self.log_thresholds).round().int().tolist(), strict=True
        ):
            format = wanted[name]
            wanted[name] = Fixed(format.bits, min(FINEST, format.frac - coarser))
        return legal_formats(self.masters, wanted, self._finest, self._alignment)

    @property
    def state_sizes(self) -> list[tuple[int, int]]:
        """Elements of every layer's output and of its cell state."""
        return self.masters.state_sizes

    def forward(self, x: Tensor) -> Tensor:
        """Give the last layer's outputs [steps, batch, outputs], as reals, of padded x [steps, batch, inputs]."""
        return self.carried(x)[0]

    def carried(self, x: Tensor, states: Sequence[State] | None = None) -> tuple[Tensor, list[State]]:
        """Do what `forward` does from states of all layers, as reals, and return those behind the last step too."""
        source = self._wanted["input"]
        x = to_integers(x, source) * source.lsb
        after = []
        for k, parameters in enumerate(self.masters.layers):
            layer, weights = self._layer(k)
            state = None if states is None else states[k]
            x, cell = IntegerLayer.apply(layer, state, x, parameters.bias, *weights)
            after.append((x[-1], cell))
        return x, after

    def logits(self, outputs: Tensor) -> Tensor:
        """Give the head's logits [..., classes] of outputs [..., outputs]; the outputs themselves without a head."""
        made = self._head()
        if made is None:
            return outputs
        head, weights = made
        return IntegerHead.apply(head, outputs, self.masters.head_bias, *weights)

    @torch.no_grad()
    def bundle(self, mean: np.ndarray, deviation: np.ndarray, labels: Sequence[str]) -> Bundle:
        """Give the integer model, with the scaling of its raw inputs and the names of its classes."""
        layers, head = self._parts()
        return Bundle(layers, head, mean, deviation, tuple(labels))

    @torch.no_grad()
    def fix_scales(self) -> None:
        """Let scales learn no more."""
        self._wanted = self.formats
        self.log_thresholds.zero_().requires_grad_(False)

    @torch.no_grad()
    def freeze(self, name: str, mask: Tensor) -> None:
        """Keep the integers of the entries of a matrix that `mask` [rows, columns] names, while the others learn on.

        An integer means something at its scale only, and the scales of a layer depend on each other: this fixes all.
        """
        self.fix_scales()
        self._frozen = True
        _, weights = self._matrix(name, self.masters.matrices()[name], self._wanted[name])
        held, values = self._held[name]
        values[mask] = weights[mask]
        held |= mask

    def _parts(self) -> tuple[tuple[LstmLayer, ...], Head | None]:
        head = self._head()
        layers = tuple(self._layer(k)[0] for k in range(len(self.masters.layers)))
        return layers, None if head is None else head[0]

    def _layer(self, k: int) -> tuple[LstmLayer, list[Tensor]]:
        """Give a layer in integers, and its factors as reals in the order of `LayerParameters.products`."""
        name, parameters = f"layer{k}", self.masters.layers[k]
        while True:
            formats = self.formats
            input, factors = self._product(f"{name}.input", parameters.input, formats)
            recurrent, others = self._product(f"{name}.recurrent", parameters.recurrent, formats)
            factors += others
            projection = None
            if parameters.projection is not None:
                part = f"{name}.projection"
                matrix, weights = self._matrix(part, parameters.projection(), formats[part])
                projection = Projection(matrix, formats[f"{name}.output"])
                factors.append(weights)
            zeros = np.zeros(len(parameters.bias), dtype=np.int32)
            try:
                unbiased = LstmLayer(self._source(k, formats), input, recurrent, zeros, projection)
                bias = _integer_bias(parameters.bias, unbiased.accumulator_frac)
                return dataclasses.replace(unbiased, bias=bias), factors
            except AccumulatorOverflowError:
                if self._frozen or self._finest[name] == STATE.frac:
                    raise
                # The same sums need fewer bits at a coarser scale.
                self._finest[name] -= 1

    def _head(self) -> tuple[Head, list[Tensor]] | None:
        """Give the head in integers, and its factors as reals; None without a head."""
        parameters, real_bias = self.masters.head, self.masters.head_bias
        if parameters is None or real_bias is None:
            return None
        formats = self.formats
        source = self._source(len(self.masters.layers), formats)
        product, factors = self._product("head", parameters, formats)
        bias = _integer_bias(real_bias, product.stages(source)[-1].frac)
        return Head(source, product, bias), factors

    def _source(self, k: int, formats: dict[str, Fixed]) -> Fixed:
        """Give the format of what layer k takes, or the head behind the last layer."""
        source = formats["input"]
        return source if k == 0 else formats.get(f"layer{k - 1}.output", hidden_format(source.bits))

    def _product(
        self, name: str, product: ProductParameters, formats: dict[str, Fixed]
    ) -> tuple[Product, list[Tensor]]:
        """Give a product in integers, and its factors as reals."""
        made = [self._matrix(part, master, formats[part]) for part, master in product.named(name).items()]
        factors = [weights for _, weights in made]
        if len(made) == 1:
            return made[0][0], factors
        (first, _), (second, _) = made
        return LowRank(first, formats[f"{name}.middle"], second), factors

    def _matrix(self, name: str, master: Tensor, format: Fixed) -> tuple[Matrix, Tensor]:
        """Give a matrix in integers, and as reals that gradients go through."""
        held, values = self._held[name]
        log_threshold = self.log_thresholds[self._names.index(name)]
        weights = QuantisedWeights.apply(torch.where(held, values, master), log_threshold, format)
        integers = weights.detach() * 2.0**format.frac
        return Matrix(integers.to(torch.int8).numpy(), format), weights


def calibrate(network: LstmNetwork, sequences: Sequence[Tensor], spec: CompressionSpec) -> QuantisedNetwork:
    """Quantise a network on sample inputs alone: formats are chosen, nothing is trained, no labels are needed.

    Takes and raises what `QuantisedNetwork` does.
    """
    return QuantisedNetwork(network, spec, sequences, learn_scales=False)


def train_quantised(
    task: Task,
    dense: FloatModel,
    student: QuantisedNetwork,
    settings: CompressSettings,
    what: str = "quantise",
    progress: Progress = silent,
) -> tuple[float, ...]:
    """Train a quantised network, taught by the dense model; give its validation score after each epoch.

    Scales learn in the first part of the updates only, so that the weights can settle: near a power of two a scale
    would change to and fro (as Jain et al., 2019, found too).

    Raises
    ------
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    DivergenceError
        Training diverged.
    """
    distillation = Distillation(dense, settings, task)

    def settle(before: float, done: float) -> None:
        if before < _SCALES_SHARE <= done:
            student.fix_scales()

    def validate() -> float:
        bundle = student.bundle(dense.mean, dense.deviation, dense.labels)
        return evaluate(bundle, task.validation, task.metric)

    return fit(
        dense,
        task,
        student,
        lambda batch: distillation(batch.logits(student), batch),
        epochs=settings.quantise_epochs,
        learning_rate=settings.quantise_rate,
        validate=validate,
        what=what,
        progress=progress,
        after_update=settle,
    )


def quantise(
    task: Task,
    dense: FloatModel,
    network: LstmNetwork,
    spec: CompressionSpec,
    settings: CompressSettings,
    progress: Progress = silent,
) -> Bundle:
    """Train a network, pruned or not, in integers; `dense` teaches it and gives the scaling of its inputs.

    Where the validation score is better before training than after it, the bundle is what calibration gave, and its
    note `CALIBRATED` has the scores before and after.

    Raises
    ------
    ConfigError
        The specification does not suit the network.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    DivergenceError
        Training diverged.
    """
    sequences = dense.standardise(task.train.sequences)
    student = QuantisedNetwork(network, spec, sequences, learn_scales=settings.learn_scales)
    calibrated = student.bundle(dense.mean, dense.deviation, dense.labels)
    if not settings.quantise_epochs:
        return calibrated
    after = train_quantised(task, dense, student, settings, progress=progress)[-1]
    before = evaluate(calibrated, task.validation, task.metric)
    if not task.metric.meets(after, before):
        return dataclasses.replace(calibrated, notes={CALIBRATED: [before, after]})
    return student.bundle(dense.mean, dense.deviation, dense.labels)


def _integer_bias(bias: Tensor, frac: int) -> np.ndarray:
    return Fixed(ACCUMULATOR.bits, frac).quantise(bias.detach().numpy())
