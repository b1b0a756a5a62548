"""The accelerator that candidates are compiled for: one for a whole space, or one for each candidate."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from gatewright.cosim.search.settings import Limits
from gatewright.errors import ConfigError
from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.compiler import ANY_MODEL, smallest_config
from gatewright.hw.compiler.choose import usual_cell_lanes
from gatewright.hw.compiler.compile import least_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import Device
from gatewright.hw.fpga.fit import exceeded
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


def candidate_config(bundle: Bundle, space: SearchSpace, candidate: Candidate) -> AcceleratorConfig:
    """Give the smallest configuration that holds a candidate, with the parallelism that it chooses.

    Raises
    ------
    ConfigError
        There is no such configuration.
    """
    chosen = {"lanes": space.lanes} | space.hardware(candidate)
    cell_lanes = usual_cell_lanes(chosen["lanes"] // chosen.get("groups", 1))
    return smallest_config([(bundle, POLICY)], **({"cell_lanes": cell_lanes} | chosen))


def device_choices(bundle: Bundle, device: Device) -> dict[str, tuple[int, ...]]:
    """Give the lanes and cell lanes that are searched on a device.

    Narrow weights need more multipliers in a lane. So the lanes go from the most that fit with the narrowest weights to
    the most that fit with the widest, but to no more than the model has rows. Memories do not count here, as they
    depend on the candidate: each is held against the device later.

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

    def fits(lanes: int, cell_lanes: int, bits: int = max(WEIGHT_BITS)) -> bool:
        values = {"lanes": lanes, "cell_lanes": cell_lanes, "narrowest_weight": bits}
        try:
            return not exceeded(least_config([(bundle, POLICY)], **values), device)
        except ConfigError:
            return False

    fitting = [each for each in powers[2:] if each <= rows and fits(each, 1)]
    if not fitting:
        raise ConfigError(f"no accelerator fits {device.name}: take a larger device, or leave out --device")
    fewest = max((each for each in fitting if fits(each, 1, min(WEIGHT_BITS))), default=fitting[0])
    lanes = tuple(each for each in fitting if each >= fewest)
    return {
        "lanes": lanes,
        "cell_lanes": tuple(more for more in powers if any(fits(each, more) for each in lanes)),
    }


def refusal(config: AcceleratorConfig, device: Device | None, limits: Limits) -> str:
    """Say why hardware cannot be had: a device is too small, or a limit is exceeded; nothing where it can."""
    if device is not None and (short := exceeded(config, device)):
        return f"{device.name} is too small: it {', '.join(short)}"
    needs = estimate_resources(config)
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


def check_hardware(config: AcceleratorConfig, device: Device | None, limits: Limits) -> None:
    """Refuse hardware that is larger than a device, or than limits allow.

    Raises
    ------
    ConfigError
        It is; the text says by how much.
    """
    if problem := refusal(config, device, limits):
        raise ConfigError(
            f"{problem}; it has {config.lanes} lanes and holds every candidate: use fewer lanes, a smaller space or a "
            "larger device, or search the lanes"
        )


def _extremes(dense: FloatModel, space: SearchSpace) -> Iterator[CompressionSpec]:
    """Give what needs the most of some memory: every rank, unpruned and at the densest sparse storage.

    At full width for the words; in the narrowest weights, of which many are zero, for the column table.
    """

    def chosen(kind: str) -> set:
        return {value for name, values in space.choices.items() if name.endswith(kind) for value in values}

    stored_sparse = {each for each in chosen(".density") if POLICY.weights_sparse(1 - each)}
    densities = {1.0, max(stored_sparse, default=1.0)}
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
