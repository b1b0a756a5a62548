"""Quantise a network in rounds until its image is small enough.

Source: CN108734266A (2018) quantises iteratively, only if and until a compression volume is met. Ours: the two
schemes. ``incremental`` follows A. Zhou et al., Incremental network quantization, 2017.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from gatewright.progress import Progress, silent
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.quantise import QuantisedNetwork, calibrate, train_quantised
from gatewright.sw.compress.rounds import Requirement, Round
from gatewright.sw.compress.sample import batches_of, sample_of
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import CompressSettings, Scheme, SimplifySettings
from gatewright.sw.spec import WEIGHT_BITS, CompressionSpec, uniform_spec
from gatewright.sw.tasks import Task

Volume = Callable[[Bundle], int]
"""Gives the bits of the image that the compiler makes of a bundle, on the hardware that the caller has in mind."""

Width = tuple[str, int]
"""A product's name and its bits."""

Loss = Callable[[LstmNetwork, CompressionSpec], float]
"""Gives the loss of a network that is quantised to a specification without training."""

FRACTIONS: dict[Scheme, tuple[float, ...]] = {"incremental": (0.5, 0.75, 0.875, 1.0), "descent": (0.0,)}
"""Shares of a matrix's weights that are frozen, the largest first, one round after the other."""


@dataclass(frozen=True)
class Quantised:
    """A model in integers: its float masters, its specification, its bundle, and what they measure."""

    network: LstmNetwork
    spec: CompressionSpec
    bundle: Bundle
    score: float
    volume: int


def quantise_to(
    task: Task,
    dense: FloatModel,
    network: LstmNetwork,
    requirement: Requirement,
    volume: Volume,
    settings: CompressSettings,
    how: SimplifySettings,
    progress: Progress = silent,
) -> tuple[Quantised, list[Round], str]:
    """Bring a network to 8 bits, then to narrower weights until its image meets the volume.

    Parameters
    ----------
    task : Task
    dense : FloatModel
        Teaches.
    network : LstmNetwork
        Left as it is; its zeros stay zero.
    requirement : Requirement
    volume : callable
        Measures a bundle's image; asked after every round.
    settings : CompressSettings
        `quantise_epochs` are those of one round.
    how : SimplifySettings
        Gives the scheme and the lanes.
    progress : Progress

    Returns
    -------
    model : Quantised
        The smallest that has the score asked for; the one in 8 bits where none has.
    rounds : list of Round
    reason : str
        Why the volume is not met; empty if it is.
    """
    train = _Rounds(task, dense, volume, settings, progress)

    def good(found: Quantised) -> bool:
        return task.metric.meets(found.score, requirement.score)

    spec = uniform_spec(network, lanes=how.lanes)
    ((model, made),) = train(network, spec, "all to 8 bits", (0.0,))
    rounds = [dataclasses.replace(made, stage="integers", passed=good(model))]
    if model.volume > requirement.volume and not good(model):
        return model, rounds, f"in 8 bits the score is {model.score:.4g} {task.metric.unit} already"
    refused: set[Width] = set()
    while model.volume > requirement.volume:
        changed = _SCHEMES[how.scheme](model, refused, train.loss)
        if not changed:
            reason = f"no narrower weights keep the score; the smallest image has {model.volume} bits"
            return model, rounds, reason
        # Taken back unless one of its rounds passes.
        refused |= changed
        what = ", ".join(f"{name} to {bits} bits" for name, bits in sorted(changed))
        spec = _with_bits(model.spec, changed)
        for found, made in train(model.network, spec, what, FRACTIONS[how.scheme]):
            rounds.append(dataclasses.replace(made, passed=good(found)))
            if good(found):
                model = found
            if model.volume <= requirement.volume:
                break
    return model, rounds, ""


def narrow_all(model: Quantised, refused: set[Width], loss: Loss) -> set[Width]:
    """Make every product one width narrower, where it may be."""
    return _narrower(model.spec) - refused


def narrow_one(model: Quantised, refused: set[Width], loss: Loss) -> set[Width]:
    """Make the one product narrower that costs the least loss before retraining."""
    candidates = sorted(_narrower(model.spec) - refused)
    if not candidates:
        return set()
    return {min(candidates, key=lambda width: loss(model.network, _with_bits(model.spec, {width})))}


_SCHEMES: dict[Scheme, Callable[[Quantised, set[Width], Loss], set[Width]]] = {
    "incremental": narrow_all,
    "descent": narrow_one,
}


def _narrower(spec: CompressionSpec) -> set[Width]:
    """Give the next narrower width of each product that has one."""
    return {
        (name, WEIGHT_BITS[WEIGHT_BITS.index(product.bits) - 1])
        for name, product in spec.products.items()
        if product.bits > WEIGHT_BITS[0]
    }


def _with_bits(spec: CompressionSpec, changed: set[Width]) -> CompressionSpec:
    widths = dict(changed)
    products = {
        name: dataclasses.replace(product, bits=widths.get(name, product.bits))
        for name, product in spec.products.items()
    }
    return dataclasses.replace(spec, products=products)


class _Rounds:
    """Trains in integers, and measures."""

    def __init__(
        self, task: Task, dense: FloatModel, volume: Volume, settings: CompressSettings, progress: Progress
    ):
        self._task, self._dense, self._volume = task, dense, volume
        self._settings, self._progress = settings, progress
        self._sequences = dense.standardise(task.train.sequences)
        self._distillation = Distillation(dense, settings, task)
        sample = sample_of(task)
        self._sample, self._batches = dense.standardise(sample.sequences), batches_of(sample, dense)

    def __call__(
        self, network: LstmNetwork, spec: CompressionSpec, what: str, fractions: Sequence[float]
    ) -> Iterator[tuple[Quantised, Round]]:
        """Train once for each fraction, with that share of the weights frozen; gives what each round made."""
        student = QuantisedNetwork(network, spec, self._sequences, learn_scales=self._settings.learn_scales)
        zero = {name: matrix == 0 for name, matrix in network.matrices().items()}
        for fraction in fractions:
            if fraction:
                self._freeze(student, zero, fraction)
            if fraction < 1:
                train_quantised(self._task, self._dense, student, self._settings, what, self._progress)
            found = self._measured(student, spec, zero)
            weights = sum(stage.matrix.nonzeros for stage in found.bundle.matrices.values())
            yield found, Round("quantise", what, fraction, 0, weights, found.score, found.volume, True)

    @torch.no_grad()
    def loss(self, network: LstmNetwork, spec: CompressionSpec) -> float:
        """Give the loss on the sample of a network that is quantised without training."""
        student = calibrate(network, self._sample, spec)
        return sum(float(self._distillation(batch.logits(student), batch)) for batch in self._batches)

    @staticmethod
    def _freeze(student: QuantisedNetwork, zero: dict[str, torch.Tensor], fraction: float) -> None:
        for name, matrix in student.masters.matrices().items():
            magnitude = matrix.detach().abs().masked_fill(zero[name], -1.0)
            count = round(fraction * int((~zero[name]).sum()))
            mask = torch.zeros(magnitude.numel(), dtype=torch.bool)
            mask[magnitude.flatten().topk(count).indices] = True
            student.freeze(name, mask.view(magnitude.shape))

    @torch.no_grad()
    def _measured(self, student: QuantisedNetwork, spec: CompressionSpec, zero: dict) -> Quantised:
        network = copy.deepcopy(student.masters).eval()
        for name, matrix in network.matrices().items():
            matrix.masked_fill_(zero[name], 0.0)
        bundle = student.bundle(self._dense.mean, self._dense.deviation, self._dense.labels)
        score = evaluate(bundle, self._task.validation, self._task.metric)
        return Quantised(network, spec, bundle, score, self._volume(bundle))
