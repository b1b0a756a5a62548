"""How large a comparison is on each task: one place for all that decides how long it takes."""

from dataclasses import dataclass, field
from pathlib import Path

from gatewright.errors import ConfigError
from gatewright.sw.search.space import HIDDEN_SHARES
from gatewright.sw.settings import check_ranges
from gatewright.sw.tasks import Task


@dataclass(frozen=True)
class Scale:
    """How large a comparison on one task is.

    Parameters
    ----------
    trials : int
        Distinct candidates that each method may try, 4 to 10,000.
    points : int
        Points of each method's front that are trained in full, 1 to 100.
    prune_epochs, quantise_epochs : int
        Epochs of that training, and, together, those that the float model is trained on for; 2 to 1000, 0 to 1000.
    super_epochs : int
        Of the super network, 0 to 1000.
    gradient_epochs : int
        Of each search by gradient, 4 to 1000.
    aim : float
        Times fewer cycles and bits than the uncompressed 8-bit model takes that methods aim at: 1 to 1000. An aim that
        no candidate reaches favours the smallest, however bad.
    below : float
        How much worse than the float model a point of the hypervolume may be, in the metric's unit: 0 to 1e6.
    quick_below : float
        How much worse than the uncompressed model's a quick score may be for a point to be trained in full: as much as
        training brings back beyond `below`, 0 to 1e6.
    equal : float
        What two scores may differ by and be called equal, in the metric's unit: 0 to 1e6.
    training : dict
        Fields of `TrainSettings` that are not to be the task's own.
    scored : int
        Validation sequences, evenly over the split, that quick scores come from: 1 to 1,000,000.
    scored_steps : int
        Steps of each of them, from its beginning: 1 to 1,000,000.
    calibrated : int
        Train sequences that a candidate's formats are calibrated on, 1 to 4096.
    hidden : tuple of float
        Shares of its hidden units that a layer may keep; empty for all.
    characters : int, optional
        Of a text, from its beginning; None for all.
    lanes : int
        Of the accelerator, 4 to 512.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    trials: int
    points: int
    prune_epochs: int
    quantise_epochs: int
    super_epochs: int
    gradient_epochs: int
    aim: float
    below: float
    quick_below: float
    equal: float
    training: dict = field(default_factory=dict)
    scored: int = 1_000_000
    scored_steps: int = 1_000_000
    calibrated: int = 64
    hidden: tuple[float, ...] = HIDDEN_SHARES
    characters: int | None = None
    lanes: int = 32

    def __post_init__(self):
        check_ranges(
            self,
            {
                "trials": (4, 10_000),
                "points": (1, 100),
                "prune_epochs": (2, 1000),
                "quantise_epochs": (0, 1000),
                "super_epochs": (0, 1000),
                "gradient_epochs": (4, 1000),
                "aim": (1.0, 1000.0),
                "below": (0.0, 1e6),
                "quick_below": (0.0, 1e6),
                "equal": (0.0, 1e6),
                "scored": (1, 1_000_000),
                "scored_steps": (1, 1_000_000),
                "calibrated": (1, 4096),
                "lanes": (4, 512),
            },
        )


DIGITS = Scale(
    trials=100,
    points=4,
    prune_epochs=10,
    quantise_epochs=4,
    super_epochs=12,
    gradient_epochs=25,
    aim=12.0,
    below=10.0,
    quick_below=30.0,
    equal=0.3,
)
IMAGES = Scale(
    trials=100,
    points=4,
    prune_epochs=2,
    quantise_epochs=1,
    super_epochs=4,
    gradient_epochs=4,
    aim=12.0,
    below=10.0,
    quick_below=30.0,
    equal=0.3,
    training={"epochs": 15},
    scored=2000,
)
TEXT = Scale(
    trials=100,
    points=4,
    prune_epochs=2,
    quantise_epochs=1,
    super_epochs=3,
    gradient_epochs=4,
    aim=4.0,
    below=0.5,
    quick_below=1.0,
    equal=0.01,
    training={"hidden": 128},
    scored=8,
    scored_steps=2048,
    calibrated=16,
    characters=1_000_000,
)
"""The text of 256 units is `bench text`'s: here a model of 128, on the first quarter of the King James Bible, keeps the
whole comparison within hours."""


def scale_of(source: str, task: Task) -> Scale:
    """Return the scale of a comparison on a task.

    Raises
    ------
    ConfigError
        It is none of those that methods are compared on.
    """
    if Path(source).suffix == ".txt":
        return TEXT
    if task.name == "digits":
        return DIGITS
    if len(task.train) >= 10_000 and task.metric.name == "accuracy" and not task.every_step:
        return IMAGES
    raise ConfigError(
        f"methods are compared on digits, fashion-mnist, a folder of IDX files or a text (.txt), not on {source!r}"
    )
