"""What loads a task again, in any process: where its data are, and how they are split and judged."""

import dataclasses
from dataclasses import dataclass

from gatewright.errors import ConfigError
from gatewright.sw.settings import check_ranges


@dataclass(frozen=True)
class DataSettings:
    """Where data come from; plain values.

    Parameters
    ----------
    source : str
        ``digits``, ``fashion-mnist``, the path of an ``.npz``, of a folder or of a text, or ``module:name`` of a Python
        object.
    metric : str
        A name of `METRICS`, or ``module:name``; empty for what suits the data.
    seed : int
        Of the splits, where the data do not give them, 0 to 2**32 - 1.
    every_step : bool, optional
        Of data without targets: whether the results of every step matter, as they do unless told otherwise, or those of
        the last one only. Targets tell it themselves.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    source: str
    metric: str = ""
    seed: int = 0
    every_step: bool | None = None

    def __post_init__(self):
        if not isinstance(self.source, str) or not self.source:
            raise ConfigError(f"a source of data must be a name or a path, not {self.source!r}")
        if self.every_step not in (None, True, False):
            raise ConfigError(f"every_step must be True, False or None, not {self.every_step!r}")
        check_ranges(self, {"seed": (0, 2**32 - 1)})

    def to_json(self) -> dict:
        """Return the settings as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "DataSettings":
        """Read what `to_json` gave.

        Raises
        ------
        ConfigError
            It is something else.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"not a description of data ({error})") from error
