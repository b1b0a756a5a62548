"""Choices of the verbs: frozen, checked, and read from options, files and Python alike."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from gatewright.clock import MEGAHERTZ
from gatewright.custody import Engine
from gatewright.errors import ConfigError
from gatewright.sw.mode import POLICY, ModePolicy
from gatewright.sw.settings import CompressSettings, check_ranges
from gatewright.sw.spec import WEIGHT_BITS, Columns

if TYPE_CHECKING:
    from gatewright.sw.models import FloatModel

Storage = Literal["auto", "dense", "sparse"]
"""How a model's matrices are stored: each by its own sparsity, all dense, or all but the head sparse."""


@dataclass(frozen=True)
class TrainChoice:
    """How a float model is trained; what is None is the task's own choice.

    Parameters
    ----------
    hidden : int, optional
        LSTM units of each layer.
    layers : int, optional
        LSTM layers.
    projection : int, optional
        Size of the recurrent projection; none unless given.
    epochs : int, optional
        Passes over the train split.
    learning_rate : float, optional
        Peak of the one-cycle schedule.
    seed : int
        Of initialisation, batches and disturbances.
    weight_decay : float, optional
        Of AdamW.
    dropout : float, optional
        Share of the last hidden vector that is dropped in training.
    clip : float, optional
        Largest norm of the gradients of an update.
    """

    hidden: int | None = None
    layers: int | None = None
    projection: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    weight_decay: float | None = None
    dropout: float | None = None
    clip: float | None = None


@dataclass(frozen=True)
class Shape:
    """What a model is compressed to, the same for all its matrices.

    Parameters
    ----------
    density : float
        Share of weights to keep, above 0 to 1; the head keeps all.
    bits : int
        Width of the weights: 2, 4 or 8 bits.
    rank : int, optional
        Rank of the factors of W_ih and W_hh, where that saves weights; None keeps them whole.
    columns : "equal" or "contribution"
        Weights of each column.
    activation_bits : int
        Width of inputs and hidden values: 8 or 16 bits.
    lanes : int, optional
        Lanes that patterns are balanced for, a power of two from 4 to 512; None for the fewest from 32 up that hold
        the model.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    density: float = 1.0
    bits: int = 8
    rank: int | None = None
    columns: Columns = "equal"
    activation_bits: int = 8
    lanes: int | None = None

    def __post_init__(self):
        if self.lanes is not None and self.lanes not in {1 << k for k in range(2, 10)}:
            raise ConfigError(f"lanes must be a power of two from 4 to 512, not {self.lanes!r}")
        if not isinstance(self.density, int | float) or not 0 < self.density <= 1:
            raise ConfigError(f"density must be above 0 and at most 1, not {self.density!r}")
        if self.bits not in WEIGHT_BITS:
            raise ConfigError(f"bits must be one of {', '.join(map(str, WEIGHT_BITS))}, not {self.bits!r}")
        if self.rank is not None and self.rank < 1:
            raise ConfigError(
                f"rank must be at least 1, not {self.rank}; leave it out to keep matrices whole"
            )
        if self.activation_bits not in (8, 16):
            raise ConfigError(f"activation bits must be 8 or 16, not {self.activation_bits!r}")


@dataclass(frozen=True)
class CompressChoice:
    """How a compressed model is trained; what is None is the task's own choice, or the float model's.

    Parameters
    ----------
    prune_epochs : int, optional
        Epochs of pruning and fine-tuning in float.
    quantise_epochs : int, optional
        Epochs of training in integers; 0 only calibrates.
    scale : bool
        Bring raw features of very different size to one scale, folded into the first matrix.
    seed : int
        Of batches and disturbances.
    prune_rate, quantise_rate : float, optional
        Peak learning rates in float and in integers.
    prune_share, prune_power : float, optional
        Share of the updates of pruning in which the density falls, and by what power.
    weight_decay, dropout, clip : float, optional
        As `TrainChoice` has them, in place of those that the float model was trained with.
    """

    prune_epochs: int | None = None
    quantise_epochs: int | None = None
    scale: bool = True
    seed: int = 0
    prune_rate: float | None = None
    quantise_rate: float | None = None
    prune_share: float | None = None
    prune_power: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    clip: float | None = None

    def compression(self, base: CompressSettings) -> CompressSettings:
        """Return settings of compression with what is chosen put in."""
        names = {field.name for field in fields(base)}
        return replace(base, **{name: value for name, value in plain(self).items() if name in names})

    def taught(self, model: "FloatModel") -> "FloatModel":
        """Return a float model whose descendants are trained as is chosen."""
        names = ("weight_decay", "dropout", "clip")
        changes = {name: value for name, value in plain(self).items() if name in names}
        return model.trained_with(**changes) if changes else model


@dataclass(frozen=True)
class BuildSettings:
    """What a build delivers.

    Parameters
    ----------
    storage : tuple of "auto", "dense" and "sparse"
        How the models are stored, one image for each.
    every_step : bool, optional
        Whether results are sent in every step, or in the last one; None for what each model was made for.
    megahertz : float
        Clock frequency that the constraints ask for, 1 to 1000 MHz.
    bake : str, optional
        The model that is baked in, by name: hardware for this one model, with nothing to load. None for
        memories that are loaded at run time.
    policy : ModePolicy
        Of models that are stored "auto": the forms of their matrices, and when zero activations are skipped.
    mapped : bool
        Also the top behind AXI4-Lite alone, with a mailbox.
    board : str, optional
        Also what a bitstream for this board is made from: a board's name, or its own file.

    Raises
    ------
    ConfigError
        A value is outside its range, or there is no such board.
    """

    storage: tuple[Storage, ...] = ("auto",)
    every_step: bool | None = None
    megahertz: float = MEGAHERTZ
    bake: str | None = None
    policy: ModePolicy = POLICY
    mapped: bool = False
    board: str | None = None

    def __post_init__(self):
        check_ranges(self, {"megahertz": (1.0, 1000.0)})
        object.__setattr__(self, "storage", tuple(dict.fromkeys(self.storage)))
        storages_of(self.storage)
        if not self.storage:
            raise ConfigError("at least one way to store models is needed")


Skipping = Literal["as-built", "never", "always", "auto"]
"""Whether a proof skips zero activations."""


@dataclass(frozen=True)
class VerifySettings:
    """How a build is proven.

    Parameters
    ----------
    recordings : int
        Sequences to simulate at RTL level, if there are as many: 1 to 100,000.
    split : "train", "validation" or "test"
        Where they come from.
    skip : "as-built", "never", "always" or "auto"
        Whether zero activations are skipped: as each model's modes have it, or in all sequences alike. With "auto", and
        where that was built, the hardware decides from sequence to sequence.
    stalls : bool
        Add random gaps and stalls on the streams.
    axi : bool
        Also simulate the top with AXI ports.
    seed : int
        Of gaps and stalls, 0 to 2**32 - 1.
    engine : "verilator" or "cxxrtl"
        What simulates the plain top; the one with AXI ports is always Verilator's.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    recordings: int = 20
    split: Literal["train", "validation", "test"] = "test"
    skip: Skipping = "as-built"
    stalls: bool = False
    axi: bool = True
    seed: int = 0
    engine: Engine = "verilator"

    def __post_init__(self):
        check_ranges(self, {"recordings": (1, 100_000), "seed": (0, 2**32 - 1)})
        if self.engine not in get_args(Engine):
            raise ConfigError(f"engine must be {' or '.join(get_args(Engine))}, not {self.engine!r}")
        if self.split not in ("train", "validation", "test"):
            raise ConfigError(f"split must be train, validation or test, not {self.split!r}")
        if self.skip not in get_args(Skipping):
            raise ConfigError(f"skip must be {', '.join(get_args(Skipping))}, not {self.skip!r}")


@dataclass(frozen=True)
class DriveSettings:
    """What is run on a board.

    Parameters
    ----------
    model : str, optional
        Which model of the build, by name; the first unless given.
    split : "train", "validation" or "test"
        Where sequences come from.
    recordings : int
        Sequences, if there are as many: 1 to 100,000.
    baud : int, optional
        Of the serial line; None for what the board is built with.
    damage : float
        Share of bytes that the line of a simulated board changes, 0 to 0.05; a fifth as many are lost, or with SPI
        lack an edge of sck.
    seed : int
        Of that damage, 0 to 2**32 - 1.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    model: str | None = None
    split: Literal["train", "validation", "test"] = "test"
    recordings: int = 20
    baud: int | None = None
    damage: float = 0.0
    seed: int = 0

    def __post_init__(self):
        check_ranges(self, {"recordings": (1, 100_000), "damage": (0.0, 0.05), "seed": (0, 2**32 - 1)})


@dataclass(frozen=True)
class WorkerSettings:
    """Who does the work.

    Parameters
    ----------
    processes : int, optional
        Processes of this machine; None for one per processor.
    dask : str, optional
        Address of a Dask scheduler whose workers are used instead.
    """

    processes: int | None = None
    dask: str | None = None

    @property
    def count(self) -> int:
        """How many processes to use."""
        from gatewright.executors import processors

        return processors() if self.processes is None else self.processes


def plain(settings: Any) -> dict[str, Any]:
    """Return settings as plain values by name, those that are None left out."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {name: value for name, value in values.items() if value is not None}


def storages_of(names: Iterable[str]) -> tuple[Storage, ...]:
    """Return ways to store a model by their names.

    Raises
    ------
    ConfigError
        A name is another one.
    """
    known = {name: name for name in get_args(Storage)}
    try:
        return tuple(known[name] for name in names)
    except KeyError as error:
        raise ConfigError(f"storage must be {', '.join(known)}, not {error.args[0]!r}") from None
