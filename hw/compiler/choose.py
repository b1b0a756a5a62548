"""Choose the accelerator for some models: a given one, the smallest, or the fastest on a device."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.compiler.compile import compile_bundle, least_config, smallest_config
from gatewright.hw.compiler.image import Results
from gatewright.hw.compiler.pack import Mode
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.estimate import cycles_per_step
from gatewright.hw.fpga.devices import Device
from gatewright.hw.fpga.devices import device as device_of
from gatewright.hw.fpga.fit import exceeded, fitted
from gatewright.progress import Progress, silent
from gatewright.sw.bundle import Bundle
from gatewright.sw.mode import ModePolicy

Models = Sequence[tuple[Bundle, Mode | ModePolicy]]
"""Models, each with how its matrices are stored; the accelerator runs any of them."""

_MOST_LANES = 1024
"""That an accelerator can have."""


@dataclass(frozen=True)
class HardwareChoice:
    """Which accelerator is wanted.

    Parameters
    ----------
    config : AcceleratorConfig, optional
        This one, and no other choice beside it.
    device : str, optional
        The fastest one that fits the device of this name; without it, the smallest.
    lanes, groups, cell_lanes : int, optional
        Values of `AcceleratorConfig`, where they are settled. The smallest takes the lanes that the models were made
        for, one group, and as many cell lanes as are usual and possible.

    Raises
    ------
    ConfigError
        A configuration is given and something else too, or there is no such device.
    """

    config: AcceleratorConfig | None = None
    device: str | None = None
    lanes: int | None = None
    groups: int | None = None
    cell_lanes: int | None = None

    def __post_init__(self):
        others = {"a device": self.device, **self.settled}
        beside = [name for name, value in others.items() if value is not None]
        if self.config is not None and beside:
            raise ConfigError(
                f"a given configuration settles all of the accelerator: leave out {', '.join(beside)}"
            )
        if self.device is not None:
            device_of(self.device)

    @property
    def settled(self) -> dict[str, int]:
        """Values of the configuration that are settled."""
        values = {"lanes": self.lanes, "groups": self.groups, "cell_lanes": self.cell_lanes}
        return {name: value for name, value in values.items() if value is not None}


def choose_config(
    models: Models, choice: HardwareChoice, *, every_step: bool = False, progress: Progress = silent
) -> AcceleratorConfig:
    """Return the accelerator that a choice means for some models.

    Parameters
    ----------
    models : sequence of (Bundle, mode)
        What it must run, one at a time. Whether a given configuration holds them is for `compile_bundle` to say.
    choice : HardwareChoice
    every_step : bool
        Results are wanted in every step, not in the last alone; counts where the fastest is looked for.
    progress : Progress
        Told about the configurations that were tried.

    Raises
    ------
    ConfigError
        No legal configuration holds the models, or none that fits the device; the text says what is short.
    """
    if choice.config is not None:
        return choice.config
    if choice.device is not None:
        fixed = choice.settled
        return fastest_config(
            models, device_of(choice.device), every_step=every_step, progress=progress, **fixed
        )
    lanes = choice.lanes or made_for(models)
    cell_lanes = usual_cell_lanes(lanes // (choice.groups or 1))
    return smallest_config(models, **({"lanes": lanes, "cell_lanes": cell_lanes} | choice.settled))


def made_for(models: Models) -> int:
    """Return the lanes that models were made for: the most, where they differ; the default where none says."""
    lanes = [bundle.notes.get("spec", {}).get("lanes") for bundle, _ in models]
    return max((each for each in lanes if each), default=AcceleratorConfig.lanes)


def usual_cell_lanes(group_lanes: int) -> int:
    """Return the default number of cell lanes, or what a group of so many lanes can have at most."""
    return max(1, min(AcceleratorConfig.cell_lanes, group_lanes // 4))


def fastest_config(
    models: Models,
    device: Device,
    *,
    every_step: bool = False,
    progress: Progress = silent,
    **fixed: int,
) -> AcceleratorConfig:
    """Return the configuration with the fewest cycles per step of those that fit a device.

    Every number of lanes, groups and cell lanes is tried, each with the smallest memories that hold the models, and
    with its sums in look-up tables where block RAM is too short. Cycles are exact; what fits is an estimate. A pattern
    made for other lanes is padded, which costs cycles and memory.

    Parameters
    ----------
    models : sequence of (Bundle, mode)
        With several, their cycles per step are added.
    device : Device
    every_step : bool
        Results are wanted in every step.
    progress : Progress
        Told about the configurations that were tried.
    **fixed : int
        Values of `AcceleratorConfig` that are settled; before those that the device wants.

    Raises
    ------
    ConfigError
        None fits; the text says what is short.
    """
    fixed = device.values | fixed
    shapes = list(_shapes(fixed))
    fitting: list[tuple[float, AcceleratorConfig]] = []
    refused: list[str] = []
    for done, shape in enumerate(shapes):
        progress("choosing the accelerator", done, len(shapes), f"{shape['lanes']} lanes")
        values = fixed | shape
        try:
            # Most shapes are too large whatever their memories, and seen to be without compiling.
            _on_device(least_config(models, **values), device, fixed)
            config = _on_device(smallest_config(models, **values), device, fixed)
            cycles = sum(_cycles_per_step(bundle, config, mode, every_step) for bundle, mode in models)
        except (ConfigError, CapacityError) as error:
            refused.append(str(error))
        else:
            fitting.append((cycles, config))
    progress("choosing the accelerator", len(shapes), len(shapes), "")
    if not fitting:
        reason = refused[0] if refused else f"no legal one has {fixed}"
        raise ConfigError(
            f"no accelerator for this model fits {device.name}: {reason}; take a larger device or compress the "
            "model further"
        )
    # Shapes come with the small ones first, and of equals the first is taken.
    return min(fitting, key=lambda each: each[0])[1]


def _on_device(config: AcceleratorConfig, device: Device, fixed: dict[str, int]) -> AcceleratorConfig:
    """Give a configuration with its sums where it fits a device, unless that is settled; refuse one that does not."""
    config = fitted(config, lambda each: exceeded(each, device), fixed)
    if short := exceeded(config, device):
        raise ConfigError(
            f"with {config.lanes} lanes and {config.cell_lanes} cell lanes it {', '.join(short)}"
        )
    return config


def _cycles_per_step(
    bundle: Bundle, config: AcceleratorConfig, mode: Mode | ModePolicy, every_step: bool
) -> float:
    when: Results = "all" if every_step else "last"
    hidden: Results = "none" if bundle.head else when
    return cycles_per_step(
        compile_bundle(bundle, config, mode=mode, hidden_results=hidden, logit_results=when)
    )


def _shapes(fixed: dict[str, int]) -> Iterator[dict[str, int]]:
    """Yield the numbers of lanes, groups and cell lanes that are legal together and as settled, small ones first."""
    powers = [1 << k for k in range(_MOST_LANES.bit_length())]
    for lanes, groups, cell_lanes in product(powers[2:], powers, powers):
        shape = {"lanes": lanes, "groups": groups, "cell_lanes": cell_lanes}
        legal = groups * cell_lanes <= lanes // 4
        if legal and all(fixed.get(name, value) == value for name, value in shape.items()):
            yield shape
