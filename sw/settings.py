"""How to train and how to compress: every choice with its legal range."""

import math
import operator
from dataclasses import dataclass, fields

from gatewright.errors import ConfigError


def _check(settings, ranges: dict[str, tuple[float, float]]) -> None:
    """Hold every field against its closed range; integer fields must be integers."""
    for entry in fields(settings):
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
    """How a float model is trained, and how its data are disturbed whenever it or its descendants are.

    Parameters
    ----------
    hidden : int
        LSTM units, 4 to 1024.
    epochs : int
        Passes over the train split, 1 to 1000.
    batch : int
        Sequences per update, 1 to 1024.
    learning_rate : float
        Peak of the one-cycle schedule, 1e-6 to 1.
    weight_decay : float
        Of AdamW, 0 to 1.
    dropout : float
        Share of the last hidden vector dropped in training, 0 to 0.9.
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
    epochs: int = 40
    batch: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    noise: float = 0.3
    offset: float = 0.2
    smoothing: float = 0.1
    seed: int = 0

    def __post_init__(self):
        _check(
            self,
            {
                "hidden": (4, 1024),
                "epochs": (1, 1000),
                "batch": (1, 1024),
                "learning_rate": (1e-6, 1.0),
                "weight_decay": (0.0, 1.0),
                "dropout": (0.0, 0.9),
                "noise": (0.0, 2.0),
                "offset": (0.0, 2.0),
                "smoothing": (0.0, 0.5),
                "seed": (0, 2**32 - 1),
            },
        )


@dataclass(frozen=True)
class CompressSettings:
    """How a float model becomes a bundle.

    Parameters
    ----------
    density : float
        Share of weights that W_ih and W_hh keep, above 0 to 1; 1 prunes nothing. The nearest density that the
        lanes allow is taken (`pattern.kept_per_lane`).
    lanes : int
        Lanes that the pattern is balanced for: a power of two from 4 to 512.
    activation_bits : int
        Width of inputs and hidden values, 8 or 16 bits.
    weight_bits : int
        Width of all weights, 2, 4 or 8 bits.
    prune_epochs : int
        Epochs of pruning and fine-tuning in float, 2 to 1000.
    quantise_epochs : int
        Epochs of quantisation-aware training, 1 to 1000.
    prune_rate, quantise_rate : float
        Peak learning rates of the two, 1e-6 to 1.
    distillation : float
        Weight of the dense model's soft targets in the loss, 0 to 1; the rest is cross-entropy.
    temperature : float
        At which soft targets are compared, 0.5 to 20.
    seed : int
        Of order of batches and disturbances, 0 to 2**32 - 1.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    density: float = 0.125
    lanes: int = 32
    activation_bits: int = 8
    weight_bits: int = 8
    prune_epochs: int = 40
    quantise_epochs: int = 10
    prune_rate: float = 4e-3
    quantise_rate: float = 1e-3
    distillation: float = 0.7
    temperature: float = 2.0
    seed: int = 0

    def __post_init__(self):
        _check(
            self,
            {
                "density": (1e-6, 1.0),
                "lanes": (4, 512),
                "activation_bits": (8, 16),
                "weight_bits": (2, 8),
                "prune_epochs": (2, 1000),
                "quantise_epochs": (1, 1000),
                "prune_rate": (1e-6, 1.0),
                "quantise_rate": (1e-6, 1.0),
                "distillation": (0.0, 1.0),
                "temperature": (0.5, 20.0),
                "seed": (0, 2**32 - 1),
            },
        )
        for name, legal in (("activation_bits", (8, 16)), ("weight_bits", (2, 4, 8))):
            if getattr(self, name) not in legal:
                raise ConfigError(
                    f"CompressSettings.{name} must be one of {legal}, not {getattr(self, name)}"
                )
        if self.lanes & (self.lanes - 1):
            raise ConfigError(
                f"CompressSettings.lanes must be a power of two from 4 to 512, not {self.lanes}"
            )
