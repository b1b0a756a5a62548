"""How to train and how to compress: every choice with its legal range."""

import math
import operator
from dataclasses import dataclass, fields
from typing import Literal, get_args

from gatewright.errors import ConfigError

Degree = Literal["weight", "response", "taylor"]
"""What a part contributes: its weights' magnitude, that of its activations, or the loss that it saves."""

Unit = Literal["hidden", "words"]
"""What is dropped at once: a hidden unit, or a word of every lane in one column of a matrix."""

Scheme = Literal["incremental", "descent"]
"""How widths fall: all at once with the largest weights frozen first, or one product after the other."""


def check_ranges(settings, ranges: dict[str, tuple[float, float]]) -> None:
    """Hold every field that has one against its closed range; integer fields must be integers."""
    for entry in fields(settings):
        if entry.name not in ranges:
            continue
        value, (low, high) = getattr(settings, entry.name), ranges[entry.name]
        name = f"{type(settings).__name__}.{entry.name}"
        try:
            value = operator.index(value) if entry.type is int else float(value)
        except (TypeError, ValueError):
            kind = "an integer" if entry.type is int else "a number"
            raise ConfigError(f"{name} must be {kind} from {low} to {high}, not {value!r}") from None
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{name} must be from {low} to {high}, not {value}")
        object.__setattr__(settings, entry.name, value)


@dataclass(frozen=True)
class TrainSettings:
    """How a float model is trained; what is said of updates and of disturbances holds for its descendants too.

    Parameters
    ----------
    hidden : int
        LSTM units of each layer, 4 to 1024.
    layers : int
        LSTM layers, 1 to 8.
    projection : int, optional
        Size of the recurrent projection of each layer, 1 to 1024; None for none.
    epochs : int
        Passes over the train split, 1 to 1000.
    batch : int
        Sequences per update, 1 to 1024.
    chunk : int
        Most steps that gradients go back, 16 to 65,536: longer sequences are learnt in chunks, with the state carried
        over.
    learning_rate : float
        Peak of the one-cycle schedule, 1e-6 to 1.
    weight_decay : float
        Of AdamW, 0 to 1.
    dropout : float
        Share of the last hidden vector dropped in training, 0 to 0.9.
    clip : float
        Largest norm of the gradients of an update, 1e-3 to 1e6: longer ones are scaled down to it.
    noise : float
        Deviation of the noise on every standardised feature in training, 0 to 2.
    offset : float
        Deviation of a sequence's constant offset in training, 0 to 2; it imitates other microphones.
    smoothing : float
        Share of the target that label smoothing spreads over all classes, 0 to 0.5.
    seed : int
        Of initialisation, order of batches and disturbances, 0 to 2**32 - 1.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    hidden: int = 128
    layers: int = 1
    projection: int | None = None
    epochs: int = 40
    batch: int = 64
    chunk: int = 512
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    clip: float = 1.0
    noise: float = 0.3
    offset: float = 0.2
    smoothing: float = 0.1
    seed: int = 0

    def __post_init__(self):
        check_ranges(
            self,
            {
                "hidden": (4, 1024),
                "layers": (1, 8),
                "epochs": (1, 1000),
                "batch": (1, 1024),
                "chunk": (16, 65536),
                "learning_rate": (1e-6, 1.0),
                "weight_decay": (0.0, 1.0),
                "dropout": (0.0, 0.9),
                "clip": (1e-3, 1e6),
                "noise": (0.0, 2.0),
                "offset": (0.0, 2.0),
                "smoothing": (0.0, 0.5),
                "seed": (0, 2**32 - 1),
            },
        )
        if self.projection is not None and self.projection not in range(1, 1025):
            raise ConfigError(
                f"TrainSettings.projection must be from 1 to 1024 or None, not {self.projection!r}"
            )


@dataclass(frozen=True)
class CompressSettings:
    """How a compressed model is trained; what it becomes is a `CompressionSpec`.

    Parameters
    ----------
    prune_epochs : int
        Epochs of pruning and fine-tuning in float, 2 to 1000.
    quantise_epochs : int
        Epochs of quantisation-aware training, 0 to 1000; 0 leaves what calibration gives.
    prune_rate, quantise_rate : float
        Peak learning rates of the two, 1e-6 to 1.
    prune_share : float
        Share of the updates of pruning in which the density falls, 0.05 to 1; the rest fine-tunes with frozen masks.
    prune_power : float
        How the density falls: as this power of what is left of those updates, 1 to 10. 1 is a straight line.
    distillation : float
        Weight of the dense model's outputs in the loss, 0 to 1; the rest is that of the data's targets. With 1, and
        where there are none, targets are not looked at.
    temperature : float
        At which soft targets are compared, 0.5 to 20.
    learn_scales : bool
        Whether the scales of quantised weights are trained with them, or stay as they were calibrated.
    seed : int
        Of order of batches and disturbances, 0 to 2**32 - 1.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    prune_epochs: int = 40
    quantise_epochs: int = 10
    prune_rate: float = 4e-3
    quantise_rate: float = 1e-3
    prune_share: float = 0.5
    prune_power: float = 3.0
    distillation: float = 0.7
    temperature: float = 2.0
    learn_scales: bool = True
    seed: int = 0

    def __post_init__(self):
        check_ranges(
            self,
            {
                "prune_epochs": (2, 1000),
                "quantise_epochs": (0, 1000),
                "prune_rate": (1e-6, 1.0),
                "quantise_rate": (1e-6, 1.0),
                "prune_share": (0.05, 1.0),
                "prune_power": (1.0, 10.0),
                "distillation": (0.0, 1.0),
                "temperature": (0.5, 20.0),
                "seed": (0, 2**32 - 1),
            },
        )
        if not isinstance(self.learn_scales, bool):
            raise ConfigError(
                f"CompressSettings.learn_scales must be True or False, not {self.learn_scales!r}"
            )


@dataclass(frozen=True)
class SimplifySettings:
    """How a model is simplified round by round, and then quantised round by round.

    Parameters
    ----------
    degree : "weight", "response" or "taylor"
        Measure of contribution.
    units : tuple of "hidden" and "words"
        What is dropped, one kind after the other: hidden units, or words of single columns.
    share : float
        Share that the first rounds drop of what is there, 0.001 to 0.9; halved whenever a round fails.
    least_share : float
        Below it no round is tried, 0.001 to 0.9.
    round_epochs : int
        Epochs of retraining before a round is judged, 1 to 1000.
    scheme : "incremental" or "descent"
        How widths fall.
    lanes : int
        Lanes of one group that patterns are balanced for: a power of two from 4 to 512.
    pattern_bits : int
        Narrowest weights that patterns of words are balanced for: 2, 4 or 8 bits. They are balanced for wider ones
        too, but words of narrow weights are coarse units.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    degree: Degree = "weight"
    units: tuple[Unit, ...] = ("hidden", "words")
    share: float = 0.25
    least_share: float = 0.06
    round_epochs: int = 5
    scheme: Scheme = "descent"
    lanes: int = 32
    pattern_bits: int = 4

    def __post_init__(self):
        check_ranges(
            self,
            {
                "share": (0.001, 0.9),
                "least_share": (0.001, 0.9),
                "round_epochs": (1, 1000),
                "lanes": (4, 512),
                "pattern_bits": (2, 8),
            },
        )
        if self.lanes & (self.lanes - 1):
            raise ConfigError(
                f"SimplifySettings.lanes must be a power of two from 4 to 512, not {self.lanes}"
            )
        for name, legal in (
            ("degree", get_args(Degree)),
            ("scheme", get_args(Scheme)),
            ("pattern_bits", (2, 4, 8)),
        ):
            if getattr(self, name) not in legal:
                raise ConfigError(
                    f"SimplifySettings.{name} must be one of {legal}, not {getattr(self, name)!r}"
                )
        object.__setattr__(self, "units", tuple(self.units))
        if not set(self.units) <= set(get_args(Unit)):
            raise ConfigError(f"SimplifySettings.units must be of {get_args(Unit)}, not {self.units!r}")
