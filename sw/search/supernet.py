"""One network with shared weights that every candidate of a search is cut out of.

Source: CN112771545A, WO2022141189A1 (2021) initialises a super network, samples and evaluates sub-networks of it, and
searches their rank and precision. Ours: the factors at full rank, whose leading rows and columns are the sub-networks'
factors; hidden units in the order of what they contribute; and how they are trained together (`sandwich`).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gatewright.errors import BundleError, ConfigError
from gatewright.progress import Progress, silent
from gatewright.sw.batching import Carry
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import compress
from gatewright.sw.compress.factorise import with_products
from gatewright.sw.compress.pruning import prune_at_once
from gatewright.sw.compress.quantise import QuantisedNetwork, train_quantised
from gatewright.sw.compress.sample import sample_of
from gatewright.sw.compress.units import cut, keep_units, kept_units, unit_order, unit_places
from gatewright.sw.determinism import one_thread, seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork, ProductParameters
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import GATE_PRODUCTS, CompressionSpec
from gatewright.sw.tasks import Task

_STRETCH = 512
"""Most steps of a sequence that formats are calibrated on: candidates are calibrated by the hundred."""

_ORDER = "order_of_units"
"""Note of the checkpoint that holds `SuperNetwork.order`."""


@dataclasses.dataclass(frozen=True)
class SuperNetwork:
    """Shared float weights of all sub-networks.

    Parameters
    ----------
    model : FloatModel
        Its W_ih and W_hh are two factors of full rank, min(rows, columns), so that their product is any matrix: the
        whole one is a sub-network too. The other products are as they were.
    order : sequence of sequences of int
        Hidden units of each layer, those that contribute most first: a sub-network with fewer has the first ones. It
        stays as it was in the trained model, so that smaller sub-networks are parts of larger ones.

    Raises
    ------
    ConfigError
        A gate matrix is not two factors of full rank, or the order does not name every unit once.
    """

    model: FloatModel
    order: Sequence[Sequence[int]]

    def __post_init__(self):
        sizes = [layer.hidden_size for layer in self.network.layers]
        if [sorted(units) for units in self.order] != [list(range(size)) for size in sizes]:
            raise ConfigError("the order of a super network must name every hidden unit of each layer once")
        for name, product in self.network.products().items():
            if name.endswith(GATE_PRODUCTS) and product.rank != min(product.rows, product.columns):
                raise ConfigError(f"{name} of a super network must be two factors of full rank")

    @classmethod
    @one_thread()
    def of(cls, model: FloatModel) -> "SuperNetwork":
        """Factorise a trained model by singular values; it computes the same, up to float rounding."""

        def full(name: str, product: ProductParameters) -> ProductParameters:
            if name.endswith(GATE_PRODUCTS):
                return product.factorised(min(product.rows, product.columns))
            return ProductParameters(*product.factors)

        network = with_products(model.network, full)
        return cls(dataclasses.replace(model, network=network), unit_order(model.network))

    @property
    def network(self) -> LstmNetwork:
        """The shared weights."""
        return self.model.network

    def parameters(self, spec: CompressionSpec) -> dict[str, Tensor]:
        """Give the parameters of a sub-network as functions of the shared ones, so that gradients go back to these.

        A rank takes the first rows and columns of the factors; None takes their product. Rows and columns of hidden
        units that it does not keep are left out.

        Returns
        -------
        dict of tensors
            By their names in `subnetwork`'s ``named_parameters``; not pruned.

        Raises
        ------
        ConfigError
            The specification names other products or layers, or a rank or units that the super network cannot give.
        """
        self._check(spec)
        parameters: dict[str, Tensor] = {
            name: parameter for name, parameter in self.network.named_parameters() if ".factors." not in name
        }
        products = {name: list(product.factors) for name, product in self.network.products().items()}
        if spec.hidden:
            kept = kept_units(self.network, spec.hidden, self.order)
            for name, places in unit_places(self.network, kept).items():
                products[name] = cut(products[name], *places)
            for k, units in enumerate(kept):
                parameters[f"layers.{k}.bias"] = parameters[f"layers.{k}.bias"][units.repeat(4)]
        for name, factors in products.items():
            for k, factor in enumerate(_part(name, factors, spec.products[name].rank)):
                parameters[f"{name.replace('layer', 'layers.')}.factors.{k}"] = factor
        return parameters

    @torch.no_grad()
    @one_thread()
    def subnetwork(self, spec: CompressionSpec, *, prune: bool = True) -> LstmNetwork:
        """Give a copy of a sub-network.

        Parameters
        ----------
        spec : CompressionSpec
        prune : bool
            Whether only the largest weights that the patterns allow are left, as many as each product's density says.

        Raises
        ------
        ConfigError
            The specification does not suit the super network.
        """
        self._check(spec)
        network = self.network
        if spec.hidden:
            network = keep_units(network, kept_units(network, spec.hidden, self.order))
        network = with_products(
            network,
            lambda name, product: ProductParameters(
                *_part(name, list(product.factors), spec.products[name].rank)
            ),
        )
        return (prune_at_once(network, spec) if prune else network).eval()

    def beside(
        self, teacher: FloatModel, carry: Carry, student: QuantisedNetwork, spec: CompressionSpec
    ) -> Carry:
        """Give the states for a chunk of steps: a student begins it where its teacher was left.

        Students change from chunk to chunk, so that none has a state of its own.
        """
        own, states = Carry(), carry.states(teacher.network)
        if states is None:
            return own
        own.begin(teacher.network, states)
        if spec.hidden:
            kept = kept_units(self.network, spec.hidden, self.order)
            states = [
                (y[:, units] if layer.projection is None else y, c[:, units])
                for (y, c), units, layer in zip(states, kept, self.network.layers, strict=True)
            ]
        own.begin(student, states)
        return own

    def save(self, path: str | Path) -> None:
        """Write a checkpoint; the file appears whole or not at all."""
        notes = self.model.notes | {_ORDER: [list(units) for units in self.order]}
        dataclasses.replace(self.model, notes=notes).save(path)

    @classmethod
    def load(cls, path: str | Path) -> "SuperNetwork":
        """Read a checkpoint; nothing in the file is executed.

        Raises
        ------
        BundleError
            The file is missing, foreign, truncated or of another version, or holds no super network.
        """
        model = FloatModel.load(path)
        try:
            return cls(model, tuple(map(tuple, model.notes[_ORDER])))
        except (ConfigError, KeyError, TypeError) as error:
            raise BundleError(f"{path}: not a super network ({error})") from error

    def _check(self, spec: CompressionSpec) -> None:
        names = set(self.network.products())
        if set(spec.products) != names:
            raise ConfigError(
                f"the specification is for the products {', '.join(sorted(spec.products))}, but the super network has "
                f"{', '.join(sorted(names))}"
            )


def candidate_bundle(
    task: Task,
    dense: FloatModel,
    supernet: SuperNetwork,
    spec: CompressionSpec,
    sequences: Sequence[Tensor],
    settings: CompressSettings,
    epochs: int = 0,
    progress: Progress = silent,
) -> Bundle:
    """Evaluate a candidate quickly: a sub-network in integers, trained a little or not at all.

    Parameters
    ----------
    task : Task
        Its train split trains; its test split is not looked at.
    dense : FloatModel
        Teaches.
    supernet : SuperNetwork
        Left as it is.
    spec : CompressionSpec
    sequences, settings, epochs, progress
        As `quick_bundle` has them.

    Raises
    ------
    ConfigError
        The specification does not suit the super network.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    DivergenceError
        Training diverged.
    """
    return quick_bundle(task, dense, supernet.subnetwork(spec), spec, sequences, settings, epochs, progress)


def quick_bundle(
    task: Task,
    dense: FloatModel,
    network: LstmNetwork,
    spec: CompressionSpec,
    sequences: Sequence[Tensor],
    settings: CompressSettings,
    epochs: int = 0,
    progress: Progress = silent,
) -> Bundle:
    """Bring a network to integers, trained a little or not at all.

    Parameters
    ----------
    task : Task
        Its train split trains; its test split is not looked at.
    dense : FloatModel
        Teaches.
    network : LstmNetwork
        Of the shape of the specification, and pruned.
    spec : CompressionSpec
    sequences : sequence of tensors [steps, inputs]
        Inputs of the network (standardised) that all formats are calibrated on.
    settings : CompressSettings
        How it is trained, but for the epochs.
    epochs : int
        Of integer training; 0 only calibrates.
    progress : Progress

    Raises
    ------
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    DivergenceError
        Training diverged.
    """
    with seeded(settings.seed):
        student = QuantisedNetwork(network, spec, sequences, learn_scales=settings.learn_scales)
        train_quantised(
            task,
            dense,
            student,
            dataclasses.replace(settings, quantise_epochs=epochs),
            "fine-tune",
            progress,
        )
    return student.bundle(dense.mean, dense.deviation, dense.labels)


def finalise(
    task: Task,
    dense: FloatModel,
    supernet: SuperNetwork,
    spec: CompressionSpec,
    settings: CompressSettings,
    progress: Progress = silent,
) -> Bundle:
    """Compress to a candidate in full: prune gradually from the slice, then train in integers.

    It begins with the shared weights, or with those of the dense model where the candidate, cut out of these and only
    calibrated, scores better: sharing costs the largest candidates most. Takes and raises what `compress` does, and
    gives its notes.
    """
    sample = shortened(dense.standardise(sample_of(task).sequences))

    def quality(source: SuperNetwork) -> float:
        bundle = candidate_bundle(task, dense, source, spec, sample, settings)
        return task.metric.quality(evaluate(bundle, task.validation, task.metric))

    # Of equal ones max takes the first.
    best = max((supernet, SuperNetwork.of(dense)), key=quality)
    return compress(task, dense, spec, settings, progress, start=best.subnetwork(spec, prune=False))


def shortened(sequences: Sequence[Tensor]) -> list[Tensor]:
    """Cut long sequences to a stretch that formats can be calibrated on, from their middle."""
    starts = [max(0, (len(each) - _STRETCH) // 2) for each in sequences]
    return [each[start : start + _STRETCH] for start, each in zip(starts, sequences, strict=True)]


def _part(name: str, factors: list[Tensor], rank: int | None) -> tuple[Tensor, ...]:
    """Give the leading factors of a product, or its whole matrix."""
    if len(factors) == 1 or not name.endswith(GATE_PRODUCTS):
        if rank is not None:
            raise ConfigError(f"the super network keeps {name} as it is: its rank cannot be {rank}")
        return tuple(factors)
    first, second = factors
    if rank is None:
        return (second @ first,)
    if rank > len(first):
        raise ConfigError(f"the rank of {name} must be from 1 to {len(first)}, not {rank}")
    return first[:rank], second[:, :rank]
