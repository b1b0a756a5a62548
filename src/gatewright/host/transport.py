"""What a driver needs of whatever leads to the registers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gatewright.hw.rtl.axi_registers import Response


@dataclass(frozen=True)
class Outcome:
    """What became of accesses that were asked for together.

    Parameters
    ----------
    count : int
        Accesses that were carried out; the next one, if there is one, was answered with `response`.
    words : list of int
        What was read, unsigned.
    response : Response
    """

    count: int
    words: list[int]
    response: Response


class Transport(Protocol):
    """Leads to the registers of one accelerator; each access is carried out once, and in order.

    Both methods stop at the first access that is refused. They raise `DeviceError` where the accelerator cannot be
    reached.
    """

    def read(self, address: int, count: int = 1, *, increment: bool = False) -> Outcome:
        """Read a register `count` times, or with `increment` as many registers in a row."""
        ...

    def write(self, address: int, words: Sequence[int], *, increment: bool = False) -> Outcome:
        """Write words to a register one after another, or with `increment` to as many registers in a row."""
        ...
