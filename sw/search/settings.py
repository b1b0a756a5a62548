"""How the searches that train do so: every choice with its legal range."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from gatewright.errors import ConfigError
from gatewright.sw.search.entropy import CONTROLS
from gatewright.sw.settings import CompressSettings, check_ranges

Number = int | float

TuneMethod = Literal["ucb", "softmax", "greedy", "linear"]
"""How values are sampled: by a rule of `worth.Rule`, or by a linear bandit over all of them."""

_GRADIENT_SHARE = 0.5
"""Rate of a search by gradient, as a share of the one that pruned models learn at."""


@dataclass(frozen=True)
class SuperSettings:
    """How the shared weights of a super network are trained.

    Parameters
    ----------
    epochs : int
        Passes over the train split, 0 to 1000.
    sampled : int
        Random sub-networks of every update, beside the largest and the smallest one: 0 to 16.
    learning_rate : float
        Peak of the one-cycle schedule, 1e-6 to 1.
    calibrated : int
        Sequences that the formats of a sub-network are calibrated on in each update, 1 to 4096.
    distillation : float
        Weight of the dense model's soft targets in the loss, 0 to 1; the rest is cross-entropy.
    temperature : float
        At which soft targets are compared, 0.5 to 20.
    seed : int
        Of sub-networks, order of batches and disturbances, 0 to 2**32 - 1.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    epochs: int = 12
    sampled: int = 2
    learning_rate: float = CompressSettings.prune_rate
    calibrated: int = 32
    distillation: float = CompressSettings.distillation
    temperature: float = CompressSettings.temperature
    seed: int = 0

    def __post_init__(self):
        check_ranges(
            self,
            {
                "epochs": (0, 1000),
                "sampled": (0, 16),
                "learning_rate": (1e-6, 1.0),
                "calibrated": (1, 4096),
                "distillation": (0.0, 1.0),
                "temperature": (0.5, 20.0),
                "seed": (0, 2**32 - 1),
            },
        )

    @classmethod
    def of(cls, tune: CompressSettings) -> "SuperSettings":
        """Give settings by which sub-networks learn as compressed models do: at their rate, and as much from data."""
        return cls(
            learning_rate=tune.prune_rate, distillation=tune.distillation, temperature=tune.temperature
        )


@dataclass(frozen=True)
class EntropySettings:
    """How a differentiable search is trained; the source's own values are the defaults where it states any.

    Parameters
    ----------
    epochs : int
        Passes over the train split, 4 to 1000. Stated: 50.
    learning_rate : float
        Peak of the one-cycle schedule, 1e-6 to 1.
    alpha_rate, beta_rate : float
        Learning rates of the scores of widths and densities and of the weights of components, 1e-6 to 1. The authors'
        code: 3e-4 for both; here the updates are far fewer.
    entropy : bool
        Whether there are entropy losses.
    weight : float
        Of the entropy losses, 0 to 100. Stated: 0.1; here the choices are far more, and the updates far fewer.
    delay : float
        Share of the epochs in which widths and densities do not learn, 0 to 0.5. Stated: 8 of 50 epochs.
    control, operations_control : str
        How the weight of both losses grows, and after the delay that of the operations': a name of `entropy.CONTROLS`.
        Stated: linear and log.
    cycles_weight : float
        Of the expected cycles, as a share of those of the candidate that the search begins with: 0 to 100.
    seed : int
        Of order of batches and disturbances, 0 to 2**32 - 1.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    epochs: int = 24
    learning_rate: float = _GRADIENT_SHARE * CompressSettings.prune_rate
    alpha_rate: float = 1e-2
    beta_rate: float = 2e-2
    entropy: bool = True
    weight: float = 0.5
    delay: float = 0.16
    control: str = "linear"
    operations_control: str = "log"
    cycles_weight: float = 1.0
    seed: int = 0

    def __post_init__(self):
        check_ranges(
            self,
            {
                "epochs": (4, 1000),
                "learning_rate": (1e-6, 1.0),
                "alpha_rate": (1e-6, 1.0),
                "beta_rate": (1e-6, 1.0),
                "weight": (0.0, 100.0),
                "delay": (0.0, 0.5),
                "cycles_weight": (0.0, 100.0),
                "seed": (0, 2**32 - 1),
            },
        )
        for name in ("control", "operations_control"):
            if getattr(self, name) not in CONTROLS:
                raise ConfigError(
                    f"EntropySettings.{name} must be one of {', '.join(CONTROLS)}, not {getattr(self, name)!r}"
                )
        if not isinstance(self.entropy, bool):
            raise ConfigError(f"EntropySettings.entropy must be True or False, not {self.entropy!r}")

    @classmethod
    def of(cls, tune: CompressSettings) -> "EntropySettings":
        """Give settings whose rate suits data on which compressed models are trained so."""
        return cls(learning_rate=_GRADIENT_SHARE * tune.prune_rate)

    @property
    def first_epoch(self) -> int:
        """The epoch, counted from 1, from which widths and densities learn."""
        return max(1, round(self.delay * self.epochs))


@dataclass(frozen=True)
class Range:
    """A range of numbers that candidates are drawn from.

    Parameters
    ----------
    low, high : float
        Its ends; `low` is the smaller.
    logarithmic : bool
        Draw log-uniformly, as suits scales; `low` is above 0 then.
    whole : bool
        Integers only.

    Raises
    ------
    ConfigError
        The ends are in another order, or a logarithmic range has some that are not above 0.
    """

    low: float
    high: float
    logarithmic: bool = False
    whole: bool = False

    def __post_init__(self):
        if not self.low < self.high:
            raise ConfigError(f"a range must go from small to large, not from {self.low:g} to {self.high:g}")
        if self.logarithmic and self.low <= 0:
            raise ConfigError(f"a range on a logarithmic scale must be above 0, not from {self.low:g}")


Candidates = Mapping[str, Range | tuple[Number, ...]]
"""What each hyper-parameter may be: a range, or the values themselves."""


@dataclass(frozen=True)
class TuneSettings:
    """How hyper-parameters are adjusted.

    Parameters
    ----------
    method : TuneMethod
    trials : int
        Trainings, 1 to 100,000.
    samples : int
        Candidates that are drawn from each range, 1 to 1000.
    seed : int
        Of the candidates and of the proposals, 0 to 2**32 - 1.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    method: TuneMethod = "ucb"
    trials: int = 30
    samples: int = 5
    seed: int = 0

    def __post_init__(self):
        check_ranges(self, {"trials": (1, 100_000), "samples": (1, 1000), "seed": (0, 2**32 - 1)})
        if self.method not in get_args(TuneMethod):
            raise ConfigError(
                f"TuneSettings.method must be one of {', '.join(get_args(TuneMethod))}, not {self.method!r}"
            )
