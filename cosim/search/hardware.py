"""The accelerator that candidates are compiled for: one for a whole space, or one for each candidate."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product

from gatewright.cosim.search.folder import Plan
from gatewright.errors import ConfigError
from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.compiler import ANY_MODEL, smallest_config
from gatewright.hw.compiler.choose import usual_cell_lanes
from gatewright.hw.compiler.compile import least_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import Device
from gatewright.hw.fpga.devices import device as device_of
from gatewright.hw.fpga.fit import exceeded, fitted
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.sample import sample_of
from gatewright.sw.mode import POLICY
from gatewright.sw.models import FloatModel
from gatewright.sw.search.space import RANKS, Candidate, SearchSpace
from gatewright.sw.search.supernet import SuperNetwork, candidate_bundle, shortened
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import WEIGHT_BITS, CompressionSpec, uniform_spec
from gatewright.sw.tasks import Task

_SIZING_SEQUENCES = 8
"""Sequences that the models which the hardware is sized by are calibrated on: their values hardly count."""


def space_config(task: Task, dense: FloatModel, space: SearchSpace, **fixed: int) -> AcceleratorConfig:
    """Give the smallest configuration that holds the extremes of a space, and the uniform models beside it.

    Parameters
    ----------
    task : Task
    dense : FloatModel
    space : SearchSpace
        In which the hardware is not chosen.
    **fixed : int
        Values of `AcceleratorConfig` that are given, but for lanes and the narrowest weight, which the space has.

    Raises
    ------
    ConfigError
        No legal configuration holds them.
    """
    supernet = SuperNetwork.of(dense)
    sample = shortened(dense.standardise(sample_of(task).sequences[:_SIZING_SEQUENCES]))
    models = [
        (candidate_bundle(task, dense, supernet, spec, sample, CompressSettings()), POLICY)
        for spec in {repr(spec): spec for spec in _extremes(dense, space)}.values()
    ]
    # What a candidate needs besides memory depends on its weights, so that everything is there.
    given = {
        "cell_lanes": usual_cell_lanes(space.lanes),
        "narrowest_weight": min(WEIGHT_BITS),
        **ANY_MODEL,
    }
    config = smallest_config(models, lanes=space.lanes, **(given | fixed))
    if not config.counters:
        raise ConfigError("a search measures cycles, so its hardware needs counters = 1, not 0")
    # Where zeros are depends on the weights: narrow ones may all be stored sparse, and every column may differ.
    columns = max(sum(stage.matrix.columns for stage in bundle.matrices.values()) for bundle, _ in models)
    return replace(
        config,
        index_depth=max(config.index_depth, config.weight_depth // 2),
        column_depth=1 << (columns - 1).bit_length(),
    )


def shared_config(plan: Plan, config: AcceleratorConfig) -> AcceleratorConfig:
    """Give the hardware of all candidates of a plan, with its sums where it fits.

    Raises
    ------
    ConfigError
        It is larger than the plan's device, or than its limits allow; the text says by how much.
    """
    config = fitted(config, partial(refusal, plan))
    if problem := refusal(plan, config):
        raise ConfigError(
            f"{problem}; it has {config.lanes} lanes and holds every candidate: use fewer lanes, a smaller space or a "
            "larger device, or search the lanes"
        )
    return config


def candidate_config(plan: Plan, bundle: Bundle, candidate: Candidate) -> AcceleratorConfig:
    """Give the hardware of a candidate: that of all, or the smallest that holds it with the parallelism it chooses.

    Whether it can be had is for `refusal` to say.

    Raises
    ------
    ConfigError
        There is no such configuration.
    """
    if plan.config is not None:
        return plan.config
    chosen = {"lanes": plan.space.lanes} | plan.space.hardware(candidate)
    cell_lanes = usual_cell_lanes(chosen["lanes"] // chosen.get("groups", 1))
    config = smallest_config([(bundle, POLICY)], **({"cell_lanes": cell_lanes} | chosen))
    return fitted(config, partial(refusal, plan))


def device_choices(bundle: Bundle, device: Device) -> dict[str, tuple[int, ...]]:
    """Give the lanes and cell lanes that are searched on a device.

    Narrow weights need more multipliers in a lane, and more memories for its sums. So the lanes go from the most that
    fit with the narrowest weights to the most that fit with the widest, but to no more than the model has rows. How
    deep memories are does not count here, as it depends on the candidate: each is held against the device later.

    Parameters
    ----------
    bundle : Bundle
        The model, uncompressed.
    device : Device

    Returns
    -------
    dict of tuples
        ``lanes``, and all ``cell_lanes`` that fit beside some of them.

    Raises
    ------
    ConfigError
        Nothing fits.
    """
    rows = min(4 * layer.hidden_size for layer in bundle.layers)
    powers = [1 << k for k in range(10)]

    def fits(lanes: int, cell_lanes: int, **fixed: int) -> bool:
        values = {"lanes": lanes, "cell_lanes": cell_lanes, "narrowest_weight": max(WEIGHT_BITS)} | fixed
        try:
            config = least_config([(bundle, POLICY)], **values)
        except ConfigError:
            return False
        return not exceeded(fitted(config, lambda each: exceeded(each, device), fixed), device)

    fitting = [each for each in powers[2:] if each <= rows and fits(each, 1)]
    if not fitting:
        raise ConfigError(f"no accelerator fits {device.name}: take a larger device, or leave out --device")
    # Narrow weights with their sums in block RAM, as look-up tables may not do for the many sums of a large model.
    narrow = {"narrowest_weight": min(WEIGHT_BITS), "block_accumulators": 1}
    fewest = max((each for each in fitting if fits(each, 1, **narrow)), default=fitting[0])
    lanes = tuple(each for each in fitting if each >= fewest)
    return {
        "lanes": lanes,
        "cell_lanes": tuple(more for more in powers if any(fits(each, more) for each in lanes)),
    }


def refusal(plan: Plan, config: AcceleratorConfig) -> str:
    """Say why a plan cannot have hardware: its device is too small, or a limit is exceeded; nothing where it can."""
    if plan.device is not None and (short := exceeded(config, device_of(plan.device))):
        return f"{plan.device} is too small: it {', '.join(short)}"
    needs, limits = estimate_resources(config), plan.search.limits
    pairs = {
        "look-up tables": (needs.luts, limits.luts),
        "block RAMs": (needs.block_ram, limits.block_rams),
        "multipliers": (needs.multipliers, limits.multipliers),
    }
    beyond = [
        f"{need} {name}, at most {most} are allowed"
        for name, (need, most) in pairs.items()
        if most is not None and need > most
    ]
    return f"the accelerator needs {', '.join(beyond)}" if beyond else ""


def _extremes(dense: FloatModel, space: SearchSpace) -> Iterator[CompressionSpec]:
    """Give what needs the most of some memory: every rank, unpruned and at the highest density below that.

    At full width for the words; in the narrowest weights, of which many are zero, for the column table.
    """

    def chosen(kind: str) -> set:
        return {value for name, values in space.choices.items() if name.endswith(kind) for value in values}

    densities = {1.0, max((each for each in chosen(".density") if each < 1), default=1.0)}
    ranks, widths = {None, *RANKS, *chosen(".rank")}, (min(WEIGHT_BITS), max(WEIGHT_BITS))
    for columns in chosen(".columns") or {space.columns}:
        for rank, density, bits in product(ranks, densities, widths):
            spec = uniform_spec(
                dense.network, density, bits, space.lanes, rank, space.activation_bits, columns
            )
            yield from (spec, _mixed(spec))
    # Each matrix may have a rank of its own: the vectors between factors take most where all ranks are the largest.
    factored = space.largest | {
        name: max((rank for rank in values if rank is not None), default=None)
        for name, values in space.choices.items()
        if name.endswith(".rank")
    }
    for candidate in (space.smallest, space.largest, factored):
        yield space.spec(candidate)


def _mixed(spec: CompressionSpec) -> CompressionSpec:
    """Keep the input parts whole where the recurrent parts may be of low rank."""
    products = {
        name: replace(each, rank=None) if name.endswith(".input") else each
        for name, each in spec.products.items()
    }
    return replace(spec, products=products)
