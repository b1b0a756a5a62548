"""The driver on registers that are memory: no access is ever refused."""

import numpy as np
import pytest

from gatewright.cosim.board.simulated import SimulatedRegisters
from gatewright.host.accelerator import Accelerator
from gatewright.host.memory import MappedMemory
from gatewright.hw.rtl.axi_registers import Response


class Strict:
    """Simulated registers as memory, whose processor dies of a refused access."""

    def __init__(self, registers):
        self.registers = registers

    def read(self, offset):
        found = self.registers.read(offset)
        assert found.response == Response.OKAY
        return found.words[0]

    def write(self, offset, value):
        assert self.registers.write(offset, [value]).response == Response.OKAY


@pytest.mark.slow
def test_sequences_on_memory(model, mapped_text):
    with SimulatedRegisters(mapped_text) as registers:
        accelerator = Accelerator(MappedMemory(Strict(registers)))
        accelerator.load(model.words)
        for x, wanted in zip(model.sequences, model.wanted, strict=True):
            np.testing.assert_array_equal(accelerator.run(x, wanted.size), wanted)
