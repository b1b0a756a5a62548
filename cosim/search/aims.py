"""What a search aims at where nobody asked for targets: a share of the whole model's costs that it can reach."""

from collections.abc import Iterator

from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.folder import Plan
from gatewright.cosim.search.hardware import candidate_config, refusal
from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.config import AcceleratorConfig
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.compress.sample import sample_of
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.parameters import HARDWARE
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.search.supernet import SuperNetwork, shortened
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task

TIMES = 10
"""Times faster and smaller than the uncompressed 8-bit model, where the space has room for that."""

ROOM = 2
"""Times the costs of the smallest candidates: at these themselves nothing but the smallest would be left to choose."""


def untrained(task: Task, model: FloatModel, network: LstmNetwork, spec: CompressionSpec) -> Bundle:
    """Quantise a network of a model's, without training."""
    sample = shortened(model.standardise(sample_of(task).sequences))
    return calibrate(network, sample, spec).bundle(model.mean, model.deviation, model.labels)


def uncompressed(task: Task, model: FloatModel, plan: Plan) -> tuple[Bundle, Costs]:
    """Give the whole model in 8 bits, and what it costs on the hardware of a plan, or the largest that it may have."""
    bundle = untrained(task, model, model.network, plan.space.uncompressed)
    return bundle, _costs(task, plan, bundle, candidate_config(plan, bundle, plan.space.largest))


def aims(task: Task, model: FloatModel, plan: Plan, whole: Costs) -> tuple[float, float]:
    """Give the cycles per step and the stored bits that a search aims at.

    They are `TIMES` less than the whole model's. A small model reaches a floor before: it is to take no more than
    `ROOM` times what the smallest candidates take, or what it takes as it is.

    Parameters
    ----------
    task, model, plan
        Of the study.
    whole : Costs
        Of the uncompressed model.
    """
    supernet = SuperNetwork.of(model)
    found = [whole]
    for candidate in _smallest(plan.space):
        spec = plan.space.spec(candidate)
        try:
            bundle = untrained(task, model, supernet.subnetwork(spec), spec)
            config = candidate_config(plan, bundle, candidate)
            if not refusal(plan, config):
                found.append(_costs(task, plan, bundle, config))
        except (CapacityError, ConfigError):  # As one without hardware, nobody reaches it.
            continue
    return (
        _aim(whole.cycles, min(each.cycles for each in found)),
        _aim(whole.stored_bits, min(each.stored_bits for each in found)),
    )


def _aim(whole: float, least: float) -> float:
    return max(whole / TIMES, min(ROOM * least, whole))


def _smallest(space: SearchSpace) -> Iterator[Candidate]:
    """Yield the candidates that may cost least: of low rank or whole, on the least hardware or the most."""
    least, most = space.smallest, space.largest
    ranks = {name: value for name, value in most.items() if name.endswith(".rank")}
    hardware = {name: value for name, value in most.items() if name.rpartition(".")[2] in HARDWARE}
    yield least
    if ranks:
        yield least | ranks
    if hardware:
        yield least | hardware
        yield least | ranks | hardware


def _costs(task: Task, plan: Plan, bundle: Bundle, config: AcceleratorConfig) -> Costs:
    recordings = spread(task.validation, plan.search.recordings, plan.search.steps)
    return Costs.of(bundle, config, recordings, task.validation.every_step)
