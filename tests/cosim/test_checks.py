"""What the hardware never may do ends a co-simulation with an error that says what it was."""

import pytest

from gatewright.cosim.verify import verify
from gatewright.errors import ToolError
from gatewright.hw.fpga.verilog import TOP, emit_component
from gatewright.hw.rtl import matrix
from gatewright.hw.rtl.accelerator import Accelerator


@pytest.mark.slow
def test_fault_in_the_hardware_is_named(compiled, config, sequences, monkeypatch):
    # Columns that are counted out too early let drain ops begin before the sums are complete.
    monkeypatch.setattr(matrix, "RETIRE", 0)
    faulty = emit_component(Accelerator(config), TOP)
    with pytest.raises(
        ToolError, match=r"never may: a word added to a buffer that is drained \(in \S+\.matrix\)"
    ):
        verify(compiled["dense"], sequences, verilog=faulty)
