"""The integer-exact forward in PyTorch: ``docs/numerics.md``, batched, equal to the reference on every element.

Training runs through it, and every accuracy of a quantised model comes from it. Matrix products run in floating
point, where sums of integers are exact as long as they stay within the mantissa; `_Stage` proves that they do.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import BundleError, DataError
from gatewright.progress import Progress, silent
from gatewright.sw.batching import by_length, pad, pad_targets
from gatewright.sw.bundle import Bundle, Head, LstmLayer, Product, Stage
from gatewright.sw.determinism import one_thread
from gatewright.sw.metrics import Metric
from gatewright.sw.network import State, last_steps
from gatewright.sw.numbers import GATE, STATE, Fixed, round_shift, sigmoid, tanh
from gatewright.sw.numbers.reference import PRODUCT_SHIFT
from gatewright.sw.scores import score
from gatewright.sw.tasks import Split

_TRACED = 1 << 14
"""Steps of all sequences of a batch whose values are kept at once."""

_BATCH_STEPS = 1 << 17
"""Steps of all sequences of a batch of long ones, of which the outputs are kept."""

_SIDE_BY_SIDE = 32
"""Long sequences that go together at most; short ones of about the same length fill a trace."""

_CODES = 1 << STATE.bits


class Trace(NamedTuple):
    """All values of one layer over a batch, as integers (int32): what hidden vectors and gradients need.

    Parameters
    ----------
    gates : [steps, batch, 4, hidden]
        i f g o behind σ and tanh, in LSB of `GATE`.
    cell : [steps, batch, hidden]
        c, in LSB of `STATE`.
    cell_tanh : [steps, batch, hidden]
        tanh(c), in LSB of `GATE`.
    hidden : [steps, batch, hidden]
        h, in LSB of the layer's hidden format.
    output : [steps, batch, outputs]
        y, in LSB of the layer's output format; h itself without a projection.
    """

    gates: Tensor
    cell: Tensor
    cell_tanh: Tensor
    hidden: Tensor
    output: Tensor


def run_layer(layer: LstmLayer, x: Tensor, state: State | None = None) -> Trace:
    """Run one layer on padded integers x [steps, batch, inputs].

    Parameters
    ----------
    layer : LstmLayer
    x : int32 tensor [steps, batch, inputs]
    state : pair of int32 tensors, optional
        y [batch, outputs] and c [batch, hidden] before the first step; zeros unless given.
    """
    steps, batch, _ = x.shape
    size, hidden_format = layer.hidden_size, layer.hidden_format
    curves, tanh_curve = _curves(), _curves()[_CODES:]
    # Where each gate's curve begins in the table, plus what makes a pre-activation non-negative.
    origin = torch.tensor([0, 0, _CODES, 0], dtype=torch.int32)[:, None] - STATE.min

    sums = matvec(layer.input, layer.input_format, x) << layer.input_shift
    sums += torch.from_numpy(layer.bias)

    def store(*shape: int) -> Tensor:
        return torch.empty(steps, batch, *shape, dtype=torch.int32)

    hidden = store(size)
    project = (
        None
        if layer.projection is None
        else _Rounded(Stage(layer.projection.matrix, hidden_format), layer.output_format)
    )
    output = hidden if project is None else store(layer.output_size)
    trace = Trace(store(4, size), store(size), store(size), hidden, output)
    recurrent = _Product(layer.recurrent, layer.output_format)
    if state is None:
        state = (
            torch.zeros(batch, layer.output_size, dtype=torch.int32),
            torch.zeros(batch, size, dtype=torch.int32),
        )
    y, c = state
    for t in range(steps):
        accumulator = sums[t] + (recurrent(y) << layer.recurrent_shift)
        pre = round_shift(accumulator, layer.requantise_shift).clamp_(STATE.min, STATE.max)
        gates = _look_up(curves, pre.view(batch, 4, size) + origin)
        i, f, g, o = gates.unbind(dim=1)
        added = round_shift(i * g, PRODUCT_SHIFT)
        c = round_shift(f * c + added, GATE.frac).clamp_(STATE.min, STATE.max)
        cell_tanh = _look_up(tanh_curve, c - STATE.min)
        h = round_shift(o * cell_tanh, 2 * GATE.frac - hidden_format.frac)
        h = h.clamp_(hidden_format.min, hidden_format.max)
        y = h if project is None else project(h)
        for stored, values in zip(trace, (gates, c, cell_tanh, h, y), strict=True):
            stored[t] = values
    return trace


def run_head(head: Head, outputs: Tensor) -> Tensor:
    """Give the logits [..., classes] (int32, in LSB of ``2**-head.logit_frac``) of layer outputs [..., outputs]."""
    return matvec(head.matrix, head.input_format, outputs) + torch.from_numpy(head.bias)


def matvec(product: Product, source: Fixed, vectors: Tensor) -> Tensor:
    """Multiply: accumulators [..., rows] (int32) of integer vectors [..., columns] in format `source`."""
    return _Product(product, source)(vectors)


class _Product:
    """A product, ready to be applied to many vectors."""

    def __init__(self, product: Product, source: Fixed):
        stages = product.stages(source)
        self._rounded = [_Rounded(stage, after.source) for stage, after in pairwise(stages)]
        self._last = _Stage(stages[-1])

    def __call__(self, vectors: Tensor) -> Tensor:
        for rounded in self._rounded:
            vectors = rounded(vectors)
        return self._last(vectors)


class _Rounded:
    """An integer matrix whose products are rounded and saturated to a format."""

    def __init__(self, stage: Stage, target: Fixed):
        self._stage, self._shift, self._target = _Stage(stage), stage.shift(target), target

    def __call__(self, vectors: Tensor) -> Tensor:
        return round_shift(self._stage(vectors), self._shift).clamp_(self._target.min, self._target.max)


class _Stage:
    """An integer matrix whose products are exact."""

    def __init__(self, stage: Stage):
        matrix, source = stage
        # Any partial sum is bounded by Σ|w| · |x|max. The bundle has proven it below 2^31, which float64 holds.
        bound = int(np.abs(matrix.values.astype(np.int64)).sum(axis=1).max()) * -source.min
        exact = torch.float32 if bound <= 1 << 24 else torch.float64
        self._transposed = torch.from_numpy(matrix.values).to(exact).T

    def __call__(self, vectors: Tensor) -> Tensor:
        return (vectors.to(self._transposed.dtype) @ self._transposed).to(torch.int32)


@one_thread()
def run_integer(
    bundle: Bundle, sequences: Sequence[np.ndarray], progress: Progress = silent
) -> tuple[list[np.ndarray], np.ndarray]:
    """Run a bundle on sequences of integers, each from a fresh state.

    Parameters
    ----------
    bundle : Bundle
    sequences : sequence of integer arrays [steps, inputs]
        In LSB of ``bundle.input_format``, as `Bundle.quantise_input` gives them.
    progress : Progress

    Returns
    -------
    hidden : list of int32 arrays [steps, outputs]
        Outputs of the last layer, y or h, in LSB of its output format.
    logits : int32 array [sequences, classes]
        Of the last steps, in LSB of ``2**-bundle.head.logit_frac``; no classes without a head. `run_head` gives
        those of other steps from `hidden`.

    Raises
    ------
    DataError
        A sequence has a wrong shape, no steps, or values outside the input format.
    """
    inputs = [_checked(bundle, k, x) for k, x in enumerate(sequences)]
    hidden: list[np.ndarray] = [np.empty(0)] * len(inputs)
    logits = np.empty((len(inputs), len(bundle.labels)), dtype=np.int32)
    done = 0
    for indices, lengths, outputs in _run_batches(bundle, inputs):
        for column, k in enumerate(indices.tolist()):
            hidden[k] = outputs[: lengths[column], column].numpy().copy()
        if bundle.head is not None:
            logits[indices] = run_head(bundle.head, last_steps(outputs, lengths)).numpy()
        done += len(indices)
        progress("integer model", done, len(inputs), "")
    return hidden, logits


def integer_results(bundle: Bundle, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what a bundle gives in every step of raw sequences, as reals: logits, or outputs without a head.

    Float64 [steps, outputs] of each sequence, from a fresh state; raises as `run_integer`.
    """
    hidden, _ = run_integer(bundle, [bundle.quantise_input(s) for s in sequences])
    if bundle.head is None:
        return [bundle.layers[-1].output_format.real(y) for y in hidden]
    lsb = 2.0**-bundle.head.logit_frac
    with one_thread():
        return [run_head(bundle.head, torch.from_numpy(y)).numpy() * lsb for y in hidden]


def evaluate(bundle: Bundle, split: Split, metric: Metric) -> float:
    """Give the metric of the integer model on a split's raw sequences.

    Raises
    ------
    BundleError
        The metric is about classes, and the model has no head that predicts any.
    DataError
        The features are not those of the model.
    """
    if bundle.head is None and metric.kind == "classes":
        raise BundleError(f"a model without a head predicts no classes: {metric.name} has nothing to score")
    with one_thread():
        return score(predict(bundle, split), metric)


def predict(bundle: Bundle, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield logits, or outputs without a head, as reals, and targets of all batches of a split."""
    inputs = [_checked(bundle, k, bundle.quantise_input(s)) for k, s in enumerate(split.sequences)]
    for indices, lengths, outputs in _run_batches(bundle, inputs):
        if not split.every_step:
            outputs = last_steps(outputs, lengths)
        lsb = bundle.layers[-1].output_format.lsb
        if bundle.head is not None:
            outputs, lsb = run_head(bundle.head, outputs), 2.0**-bundle.head.logit_frac
        yield outputs.double() * lsb, pad_targets(split.targets, indices)


def _run_batches(bundle: Bundle, inputs: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Give the sequences of each batch, their lengths and the padded outputs [steps, batch, outputs]."""
    lengths = torch.tensor([len(x) for x in inputs], dtype=torch.int64)
    longest = max(map(len, inputs), default=1)
    size = max(1, _TRACED // longest, min(_SIDE_BY_SIDE, _BATCH_STEPS // longest))
    for indices in by_length(lengths, size):
        vectors = pad(inputs, indices)
        for layer in bundle.layers:
            vectors = _outputs(layer, vectors)
        yield indices, lengths[indices], vectors


def _outputs(layer: LstmLayer, x: Tensor) -> Tensor:
    """Run a layer stretch by stretch, as its trace of all steps may be large; give its outputs alone."""
    outputs, state = [], None
    for stretch in x.split(max(1, _TRACED // x.shape[1])):
        trace = run_layer(layer, stretch, state)
        state = trace.output[-1], trace.cell[-1]
        outputs.append(trace.output)
    return torch.cat(outputs)


@cache
def _curves() -> Tensor:
    """σ of every value of `STATE` from the most negative up, then tanh of the same: int32."""
    codes = range(STATE.min, STATE.max + 1)
    return torch.tensor([sigmoid(v) for v in codes] + [tanh(v) for v in codes], dtype=torch.int32)


def _look_up(table: Tensor, codes: Tensor) -> Tensor:
    """Index a flat table; five times as fast as ``table[codes]``."""
    return table.index_select(0, codes.flatten()).view(codes.shape)


def _checked(bundle: Bundle, index: int, x: np.ndarray) -> Tensor:
    x = np.asarray(x)
    if (
        x.ndim != 2
        or x.shape[1] != bundle.input_size
        or len(x) == 0
        or not np.issubdtype(x.dtype, np.integer)
    ):
        raise DataError(
            f"sequence {index} must be integers [steps, {bundle.input_size}] with at least 1 step, "
            f"not {x.dtype} of shape {x.shape}"
        )
    source = bundle.input_format
    if x.min() < source.min or x.max() > source.max:
        raise DataError(
            f"sequence {index} holds values from {x.min()} to {x.max()}; inputs of {source.bits} bits must be "
            f"from {source.min} to {source.max}"
        )
    return torch.from_numpy(x.astype(np.int32))
