"""The driver of real boards at the simulated one, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from small_board import run_all

from gatewright.cosim.board.simulated import SimulatedBoard, SimulatedRegisters, SimulatedSpiBoard
from gatewright.errors import DataError, DeviceError
from gatewright.host.accelerator import Accelerator
from gatewright.host.serial_line import SerialLine
from gatewright.hw.interface import ErrorCode
from gatewright.hw.rtl.axi_registers import REGISTERS

pytestmark = pytest.mark.slow


def test_mapped_top(model, mapped_text):
    """More results than the mailbox holds come in one sequence."""
    assert max(map(len, model.wanted)) > 512
    with SimulatedRegisters(mapped_text) as registers:
        accelerator = Accelerator(registers)
        run_all(accelerator, model)
        counters = accelerator.counters()
        x = model.sequences[-1]
        assert (counters["inputs"], counters["zero_inputs"]) == (x.size, np.count_nonzero(x == 0))
        assert counters["cycles"] > counters["matrix"] > 0


def test_state_is_carried_over(model, mapped_text):
    with SimulatedRegisters(mapped_text) as registers:
        accelerator = Accelerator(registers)
        accelerator.load(model.words)
        x = model.sequences[0]
        first = accelerator.run(x[:2], model.compiled.result_count(2))
        rest = accelerator.run(x[2:], model.compiled.result_count(3), fresh=False)
        np.testing.assert_array_equal(np.concatenate([first, rest]), model.wanted[0])


def test_errors_have_names_and_the_next_sequence_is_right(model, mapped_text):
    count = model.compiled.result_count(5)
    x = model.sequences[0]
    with SimulatedRegisters(mapped_text) as registers:
        accelerator = Accelerator(registers)
        with pytest.raises(DeviceError, match="LOAD_ADDRESS: the image is for another accelerator"):
            accelerator.load(np.array([[0x7000_0000, 1]], dtype=np.uint32))
        accelerator.reset()
        accelerator.load(model.words)
        with pytest.raises(DeviceError, match="reports the error LENGTH"):
            accelerator.run(x[:, :2], count)
        with pytest.raises(DeviceError, match="reports the error STEPS"):
            accelerator.run(x[:0].reshape(0, 3), 0)
        accelerator.reset()
        with pytest.raises(DeviceError, match=r"1 of \d+ results do not come"):
            accelerator.run(x, count + 1)
        assert accelerator.status().error is ErrorCode.NONE
        np.testing.assert_array_equal(accelerator.run(x, count), model.wanted[0])


@pytest.mark.parametrize("x", [np.zeros((2, 3)), np.zeros(6, dtype=int), np.full((2, 3), 128)])
def test_what_is_no_sequence_of_its_integers_is_refused(model, mapped_text, x):
    with SimulatedRegisters(mapped_text) as registers:
        accelerator = Accelerator(registers)
        with pytest.raises(DataError, match=r"integers from -128 to 127, .*, not \w+ of shape"):
            accelerator.run(x, 1)


def test_a_host_that_begins_anew_ends_what_another_left(model, mapped_text):
    """A job that waits for its input, elements that belong to it, and a sequence that is being dropped."""
    x = model.sequences[0]
    with SimulatedRegisters(mapped_text) as registers:
        Accelerator(registers).load(model.words)
        for name, value in (("STEPS", 5), ("CONTROL", 3), ("INPUT", 1), ("INPUT", 2)):
            assert registers.write(REGISTERS[name].offset, [value]).count == 1
        accelerator = Accelerator(registers)
        found = accelerator.run(x, model.compiled.result_count(len(x)))
        np.testing.assert_array_equal(found, model.wanted[0])
        accelerator.load(model.words)


def test_another_accelerator_is_refused(model, mapped_text):
    with SimulatedRegisters(mapped_text) as registers:
        accelerator = Accelerator(registers)
        assert accelerator.config == model.compiled.config
        with pytest.raises(DeviceError, match="weight_depth is 256, not 512"):
            accelerator.check(replace(accelerator.config, weight_depth=512))


def test_serial_board(model, board_text):
    with SimulatedBoard(board_text) as board:
        with SerialLine(board.port, attempts=1000) as line:
            run_all(Accelerator(line), model)
        # Another host finds the board as the one before left it, with its model.
        with SerialLine(board.port) as line:
            x = model.sequences[0]
            found = Accelerator(line).run(x, model.compiled.result_count(len(x)))
            np.testing.assert_array_equal(found, model.wanted[0])
        seen = board.line()
    assert (seen.changed, seen.lost) == (0, 0)
    assert seen.bytes > 4 * len(model.words)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("kind", "text"), [(SimulatedBoard, "board_text"), (SimulatedSpiBoard, "spi_text")])
def test_a_board_behind_a_bad_line(model, kind, text, seed, request):
    """Of a hundred bytes one is changed, and every 500th is lost: all is noticed and sent again."""
    with kind(request.getfixturevalue(text), seed=seed, changed=0.01, lost=0.002) as board:
        with board.connect(patience=0.05, attempts=1000) as line:
            run_all(Accelerator(line), model)
            repeats = line.repeats
        seen = board.line()
    assert seen.changed > 0.007 * seen.bytes
    assert seen.lost > 0
    assert repeats > 10


def test_a_dead_board_is_told(board_text):
    with SimulatedBoard(board_text, lost=1.0) as board:
        with pytest.raises(DeviceError, match="no answer to 3 requests at 1000000 baud; look at the cable"):
            SerialLine(board.port, patience=0.01, attempts=3)
        with pytest.raises(DeviceError, match="cannot be opened"):
            SerialLine(board.port + "-no")
