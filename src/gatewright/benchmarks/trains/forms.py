"""The forms of W_ih that are compared, and how each is trained: the same way, and all else of the network alike."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from gatewright.benchmarks.trains.cores import Cut, TensorTrain, fresh, truncated
from gatewright.benchmarks.trains.quantised import INPUT, QuantisedTrain
from gatewright.progress import Progress
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.factorise import with_products
from gatewright.sw.compress.pruning import retrain
from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.determinism import seeded
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork, ProductParameters
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec
from gatewright.sw.tasks import Split, Task
from gatewright.sw.training import fit

WHOLE, LOW_RANK = "whole", "low rank"

_CALIBRATED = 1 << 12
"""Sequences that formats are calibrated on, at most."""


@dataclass(frozen=True)
class Form:
    """A form of W_ih: whole, two factors of a rank, or a tensor train.

    Parameters
    ----------
    rank : int, optional
        Of the factors or between the cores; None for the whole matrix.
    cut : Cut, optional
        Of a tensor train.
    budget : int, optional
        Rank of the two factors that it has about the weights of: forms of one budget are compared.
    """

    rank: int | None = None
    cut: Cut | None = None
    budget: int | None = None

    @property
    def name(self) -> str:
        """``whole``, ``low rank``, or the cut."""
        if self.cut is not None:
            return self.cut.name
        return WHOLE if self.rank is None else LOW_RANK

    def shapes(self, rows: int, columns: int) -> list[tuple[int, int]]:
        """Give the matrices that are stored for a matrix of such a shape."""
        if self.rank is None:
            return [(rows, columns)]
        if self.cut is not None:
            return self.cut.shapes(self.rank)
        return [(self.rank, columns), (rows, self.rank)]

    def cut_from(self, product: ProductParameters) -> ProductParameters:
        """Give the form of a trained matrix by truncated singular values."""
        if self.rank is None:
            return product
        return (
            product.factorised(self.rank) if self.cut is None else truncated(product(), self.cut, self.rank)
        )

    def random_like(self, product: ProductParameters) -> ProductParameters:
        """Give random factors or cores whose product has the deviation of a matrix."""
        assert self.rank is not None
        between = (self.rank,) if self.cut is None else self.cut.ranks(self.rank)
        shapes = self.shapes(product.rows, product.columns)
        factors = fresh(float(product().detach().std()), between, *shapes)
        return ProductParameters(*factors) if self.cut is None else TensorTrain(self.cut, *factors)


def forms_of(cuts: Sequence[Cut], ranks: Sequence[int], rows: int, columns: int) -> list[Form]:
    """Give the whole matrix, two factors of each rank, and for each a train of every cut with about their weights."""
    forms = [Form()]
    for rank in ranks:
        weights = rank * (rows + columns)
        forms.append(Form(rank, None, rank))
        forms += [Form(cut.rank_of(weights), cut, rank) for cut in cuts]
    return forms


def trained(
    task: Task, dense: FloatModel, form: Form, settings: CompressSettings, progress: Progress
) -> tuple[LstmNetwork, str]:
    """Train a form in float, taught by the dense model; give the better on validation of two, and where it began.

    One begins at the truncated matrix of the dense model, with all else that it learnt; the other at random, and gets
    the dense model's epochs too.
    """
    starts = {"truncated": (_with(copy.deepcopy(dense.network), form.cut_from), settings.prune_epochs)}
    if form.rank is not None:
        with seeded(settings.seed):
            shape = dense.network
            plain = LstmNetwork.initial(
                shape.input_size,
                shape.layers[0].hidden_size,
                shape.result_size,
                dropout=shape.dropout.p,
            )
            epochs = dense.settings.epochs + settings.prune_epochs
            starts["random"] = (_with(plain, form.random_like), epochs)
    scores = {}
    for start, (network, epochs) in starts.items():
        with seeded(settings.seed):
            scores[start] = retrain(task, dense, network, settings, epochs, start, progress)
    best = max(scores, key=lambda start: task.metric.quality(scores[start]))
    return starts[best][0], best


def spec_of(network: LstmNetwork, form: Form, bits: int) -> CompressionSpec:
    """Give the bits of W_ih; all else has 8."""
    spec = uniform_spec(network)
    rank = form.rank if form.cut is None else None
    return dataclasses.replace(spec, products={**spec.products, INPUT: ProductSpec(rank, bits)})


def quantised(
    task: Task,
    dense: FloatModel,
    network: LstmNetwork,
    spec: CompressionSpec,
    settings: CompressSettings,
    progress: Progress,
) -> QuantisedNetwork | QuantisedTrain:
    """Train a network in integers, taught by the dense model; scales stay as they are calibrated."""
    student = in_integers(network, spec, _some(dense.standardise(task.train.sequences)))
    distillation = Distillation(dense, settings, task)
    with seeded(settings.seed):
        fit(
            dense,
            task,
            student,
            lambda batch: distillation(batch.logits(student), batch),
            epochs=settings.quantise_epochs,
            learning_rate=settings.quantise_rate,
            validate=lambda: score(task, dense, student, task.validation),
            what="quantise",
            progress=progress,
        )
    return student


def in_integers(
    network: LstmNetwork, spec: CompressionSpec, sequences: Sequence[Tensor]
) -> QuantisedNetwork | QuantisedTrain:
    """Calibrate a network with any form of W_ih."""
    if isinstance(network.layers[0].input, TensorTrain):
        return QuantisedTrain(network, spec, sequences)
    return QuantisedNetwork(network, spec, sequences, learn_scales=False)


def score(task: Task, dense: FloatModel, student: torch.nn.Module, split: Split) -> float:
    """Score a network, in integers or not, as float models are scored."""
    return dataclasses.replace(dense, network=cast(LstmNetwork, student)).score(split, task.metric)


def _with(network: LstmNetwork, part: Callable[[ProductParameters], ProductParameters]) -> LstmNetwork:
    """Give a network with another W_ih."""
    return with_products(network, lambda name, product: part(product) if name == INPUT else product)


def _some(sequences: Sequence[Tensor]) -> Sequence[Tensor]:
    return sequences[:: max(1, len(sequences) // _CALIBRATED)]
