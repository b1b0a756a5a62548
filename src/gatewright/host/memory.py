"""Registers that are memory: of a processor beside the accelerator, as a Zynq's."""

from collections.abc import Sequence
from typing import Protocol

from gatewright.host.transport import Outcome
from gatewright.hw.rtl.axi_registers import REGISTERS, WORD_BYTES, Response

_WAITING = {
    REGISTERS["INPUT"].offset: REGISTERS["ROOM"].offset,
    REGISTERS["OUTPUT"].offset: REGISTERS["RESULTS"].offset,
}
"""Of each register that may refuse an access, the one that says how many it takes now."""


class Memory(Protocol):
    """What accesses 32 bits at an offset from the first register, as ``pynq.MMIO`` does."""

    def read(self, offset: int) -> int:
        """Return the word."""
        ...

    def write(self, offset: int, value: int) -> None:
        """Write the word."""
        ...


class MappedMemory:
    """A `Transport` to registers in memory.

    A processor takes a refused access for a fault. So none is made: before INPUT and OUTPUT are accessed, ROOM and
    RESULTS say how often they can be.

    Parameters
    ----------
    memory : Memory
    """

    def __init__(self, memory: Memory):
        self._memory = memory

    def read(self, address: int, count: int = 1, *, increment: bool = False) -> Outcome:
        """Do as `Transport` says."""
        done, response = self._possible(address, count)
        words = [self._memory.read(address + WORD_BYTES * k * increment) for k in range(done)]
        return Outcome(done, words, response)

    def write(self, address: int, words: Sequence[int], *, increment: bool = False) -> Outcome:
        """Do as `Transport` says."""
        done, response = self._possible(address, len(words))
        for k, word in enumerate(words[:done]):
            self._memory.write(address + WORD_BYTES * k * increment, word)
        return Outcome(done, [], response)

    def _possible(self, address: int, count: int) -> tuple[int, Response]:
        if address not in _WAITING:
            return count, Response.OKAY
        now = self._memory.read(_WAITING[address])
        return min(now, count), Response.OKAY if count <= now else Response.SLVERR
