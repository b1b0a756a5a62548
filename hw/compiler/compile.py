"""Compile a bundle for a configuration, or find the configuration that a bundle needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.compiler.contents import Contents
from gatewright.hw.compiler.image import Compiled, Image, Results
from gatewright.hw.compiler.lower import lower
from gatewright.hw.compiler.modes import Form, Modes
from gatewright.hw.compiler.pack import Mode
from gatewright.hw.compiler.schedule import schedule
from gatewright.hw.compiler.solve import LARGEST, Cost, input_threshold, job_cycles, sparse_matrices
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import UNITS
from gatewright.hw.ops import Opcode
from gatewright.hw.skipping import WHOLE, Skip
from gatewright.sw.bundle import Bundle
from gatewright.sw.mode import POLICY, ModePolicy, sparsity

ANY_MODEL = {
    "alignment_bits": AcceleratorConfig.alignment_bits,
    "accumulator_bits": AcceleratorConfig.accumulator_bits,
    "private": 1,
}
"""What a model may need beside memory, for hardware whose models are not all known."""

_LEAST_BITS = {"alignment_bits": 0, "accumulator_bits": AcceleratorConfig.range_of("accumulator_bits")[0]}
"""Widths that models settle, and what they are without one."""


def compile_bundle(
    bundle: Bundle,
    config: AcceleratorConfig,
    *,
    mode: Mode | ModePolicy,
    hidden_results: Results = "none",
    logit_results: Results = "last",
) -> Compiled:
    """Turn a bundle into an image and a program.

    Parameters
    ----------
    bundle : Bundle
        The integer model.
    config : AcceleratorConfig
        The hardware.
    mode : "dense", "sparse" or ModePolicy
        How matrices are stored: all dense; all but the head sparse; or each as the policy has it. Whether zero
        activations are to be skipped, for `Compiled.modes`: never if all are dense, else by the policy, or by `POLICY`
        where none is given. Results do not depend on it.
    hidden_results : "none", "last" or "all"
        In which steps the last layer's output vector is sent.
    logit_results : "none", "last" or "all"
        In which steps the head runs and its logits are sent. A bundle without head has none.

    Raises
    ------
    ConfigError
        The configuration computes with another activation width or cannot store sparse matrices, or nothing is to be
        sent.
    CapacityError
        The model does not fit a memory; the text says by how much.
    """
    if bundle.input_format.bits != config.activation_bits:
        raise ConfigError(
            f"the bundle's activations have {bundle.input_format.bits} bits, the accelerator's "
            f"{config.activation_bits}; set activation_bits or quantise the model again"
        )
    if not isinstance(mode, ModePolicy) and mode not in ("dense", "sparse"):
        raise ConfigError(f"mode must be 'dense', 'sparse' or a ModePolicy, not {mode!r}")
    for name, results in (("hidden_results", hidden_results), ("logit_results", logit_results)):
        if results not in ("none", "last", "all"):
            raise ConfigError(f"{name} must be 'none', 'last' or 'all', not {results!r}")
    if bundle.head is None:
        logit_results = "none"
    if hidden_results == logit_results == "none":
        raise ConfigError(
            "nothing would be sent: set hidden_results, or logit_results where the bundle has a head"
        )
    modes = _modes(bundle, config, mode)
    built = _build(bundle, config, modes.sparse, hidden_results, logit_results)
    _check_capacity(built.demands, config)
    return replace(_compiled(bundle, config, built, hidden_results, logit_results), modes=modes)


def _compiled(
    bundle: Bundle,
    config: AcceleratorConfig,
    built: "_Built",
    hidden_results: Results,
    logit_results: Results,
) -> Compiled:
    return Compiled(
        config=config,
        image=built.image,
        input_size=bundle.input_size,
        output_size=bundle.layers[-1].output_size,
        classes=len(bundle.labels),
        input_format=bundle.input_format,
        hidden_results=hidden_results,
        logit_results=logit_results,
        macs=_macs(bundle),
    )


def _modes(bundle: Bundle, config: AcceleratorConfig, mode: Mode | ModePolicy) -> Modes:
    """Settle the modes of a model; they do not depend on the results that a program sends."""
    policy = mode if isinstance(mode, ModePolicy) else POLICY
    sparse = _sparse(bundle, config, mode)
    threshold = WHOLE
    if config.zero_skipping and mode != "dense":
        _, compiled = _plain(bundle, config, sparse)
        if compiled:
            threshold = input_threshold(compiled, policy.input_threshold)
    zeros = {name: sparsity(stage.matrix.values) for name, stage in bundle.matrices.items()}
    return Modes(
        policy.policy, {name: Form(share, name in sparse) for name, share in zeros.items()}, threshold
    )


def _sparse(bundle: Bundle, config: AcceleratorConfig, mode: Mode | ModePolicy) -> frozenset[str]:
    """Give the names of the matrices that are stored in sparse form."""
    if mode == "dense":
        return frozenset()
    if mode == "sparse":
        return frozenset(name for name in bundle.matrices if name.split(".")[0] != "head")

    def cost(sparse: frozenset[str], config: AcceleratorConfig) -> Cost:
        built, compiled = _plain(bundle, config, sparse)
        cycles = job_cycles(compiled) if compiled else 0
        return Cost(built.excess, cycles, sum(built.image.stored_bits(config).values()))

    return sparse_matrices(bundle, config, mode, cost)


def _plain(
    bundle: Bundle, config: AcceleratorConfig, sparse: frozenset[str]
) -> tuple["_Built", Compiled | None]:
    """Compile a model that sends a result in the last step; gives None where it does not fit."""
    results: tuple[Results, Results] = ("none", "last") if bundle.head else ("last", "none")
    built = _build(bundle, config, sparse, *results)
    return built, None if built.excess else _compiled(bundle, config, built, *results)


def smallest_config(models: Sequence[tuple[Bundle, Mode | ModePolicy]], **fixed: int) -> AcceleratorConfig:
    """Give the configuration with the smallest power-of-two memories that hold each of some models.

    Parameters
    ----------
    models : sequence of (Bundle, mode)
        What must fit, one at a time; all with the same activation width. Modes are those of `compile_bundle`.
    **fixed : int
        Values of `AcceleratorConfig` that are given: `lanes`, `cell_lanes`, ... Unless given, the narrowest weight is
        that of the models, and the hardware decides by itself whether to skip zeros where that can pay for one of them.

    Raises
    ------
    ConfigError
        No legal configuration holds the bundle.
    """
    given = _given(models, fixed)
    config = AcceleratorConfig(**(LARGEST | given))
    needs = _demands(models, config)
    # With more accumulators more products may be private, so that they are placed anew.
    while (
        "accumulator_rows" not in given
        and (rows := _most(needs, "accumulator_rows")) > config.accumulator_rows
    ):
        config = replace(config, accumulator_rows=_power(rows))
        needs = _demands(models, config)
    config = replace(config, **(_smallest(needs, config.lanes) | fixed))
    # On a smaller accelerator, matrices may have other forms and products other places.
    while grown := {
        name: need
        for name, need in _smallest(_demands(models, config), config.lanes).items()
        if name not in fixed and need > getattr(config, name)
    }:
        config = replace(config, **grown)
    if config.zero_skipping and "auto_skipping" not in fixed:
        decides = any(_modes(bundle, config, mode).skip == Skip.AUTO for bundle, mode in models)
        config = replace(config, auto_skipping=int(decides))
    return config


def _smallest(needs: Sequence[dict[str, int]], lanes: int) -> dict[str, int]:
    """Return the values of the smallest configuration that has all that is needed."""
    found = {}
    for name, least in _least(lanes).items():
        need = _most(needs, name)
        found[name] = _power(max(least or _LEAST_DEPTH, need)) if least or need else 0
    for name, least in _LEAST_BITS.items():
        found[name] = max(least, _most(needs, name))
    return found | {"private": _most(needs, "private")}


def _demands(
    models: Sequence[tuple[Bundle, Mode | ModePolicy]], config: AcceleratorConfig
) -> list[dict[str, int]]:
    """Return what each of some models needs of each memory, with all results that it can send."""
    needs = []
    for bundle, mode in models:
        results: tuple[Results, Results] = ("all", "all" if bundle.head else "none")
        needs.append(_build(bundle, config, _sparse(bundle, config, mode), *results).demands)
    return needs


def _most(needs: Sequence[dict[str, int]], name: str) -> int:
    return max(demands[name] for demands in needs)


def _power(least: int) -> int:
    """Return the smallest power of two that is not below a number."""
    return 1 << (least - 1).bit_length()


def least_config(models: Sequence[tuple[Bundle, Mode | ModePolicy]], **fixed: int) -> AcceleratorConfig:
    """Return what `smallest_config` would for models that take no memory: no configuration for them needs less.

    Raises
    ------
    ConfigError
        There is no legal configuration.
    """
    given = _given(models, fixed)
    least = _least(given.get("lanes", AcceleratorConfig.lanes)) | _LEAST_BITS | {"private": 0}
    return AcceleratorConfig(**(least | given))


_LEAST_DEPTH = 16


def _least(lanes: int) -> dict[str, int]:
    """Return the least depth of each memory; without sparse matrices there is no index memory and no column table."""
    least = dict.fromkeys(UNITS, _LEAST_DEPTH)
    return least | {
        "index_depth": 0,
        "column_depth": 0,
        "accumulator_rows": 4,
        "activation_depth": max(_LEAST_DEPTH, lanes),
    }


def _given(models: Sequence[tuple[Bundle, Mode | ModePolicy]], fixed: dict[str, int]) -> dict[str, int]:
    """Add the widths that the models settle to the values that are fixed."""
    widths = {bundle.input_format.bits for bundle, _ in models}
    if len(widths) != 1:
        raise ConfigError(f"the models must share one activation width, not {sorted(widths)}")
    narrowest = min(matrix.format.bits for bundle, _ in models for matrix, _ in bundle.matrices.values())
    return {"activation_bits": widths.pop(), "narrowest_weight": narrowest} | fixed


@dataclass(frozen=True)
class _Built:
    image: Image
    demands: dict[str, int]
    excess: int


def _build(
    bundle: Bundle,
    config: AcceleratorConfig,
    sparse: frozenset[str],
    hidden_results: Results,
    logit_results: Results,
) -> _Built:
    """Place and schedule one time step; also gives what it needs of each memory, and how much is missing."""
    contents = Contents(config)
    step = lower(bundle, contents, sparse, hidden_results, logit_results)
    try:
        program, rows = schedule(step)
    except ConfigError as error:
        raise CapacityError(
            f"the model is too large for any accelerator of {config.lanes} lanes: {error}"
        ) from error
    image = contents.image(program)
    demands = {
        "weight_depth": image.weights.shape[1],
        "index_depth": image.indices.shape[1],
        "column_depth": len(image.columns),
        "accumulator_rows": max(rows, contents.private_rows),
        "activation_depth": contents.vectors * config.lanes,
        "bias_depth": len(image.biases),
        "state_depth": contents.states,
        "program_depth": len(program),
        "alignment_bits": max(op.arguments["shift"] for op in program if op.opcode == Opcode.MATVEC),
        "accumulator_bits": bundle.accumulator_bits,
        "private": max(op.arguments["private"] for op in program if op.opcode == Opcode.MATVEC),
    }
    excess = sum(max(0, need - getattr(config, name)) for name, need in demands.items())
    return _Built(image, demands, excess)


def _macs(bundle: Bundle) -> dict[str, int]:
    """Count the non-zero weights of a bundle by when they are used."""
    macs = {"input": 0, "recurrent": 0, "head": 0}
    for name, (matrix, _) in bundle.matrices.items():
        use = next((use for use in ("head", "recurrent") if use in name.split(".")), "input")
        macs[use] += int(np.count_nonzero(matrix.values))
    return macs


def _check_capacity(demands: dict[str, int], config: AcceleratorConfig) -> None:
    short = [
        f"{name}: needs {need:,} {UNITS.get(name, 'bits')}, has {getattr(config, name):,} "
        f"({need - getattr(config, name):,} too few)"
        for name, need in demands.items()
        if need > getattr(config, name)
    ]
    if short:
        raise CapacityError(
            "the model does not fit the accelerator: " + "; ".join(short) + "; raise these values of the "
            "configuration, use more lanes, or compress the model further"
        )
