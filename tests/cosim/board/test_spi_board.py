"""The driver of real boards at a simulated one behind SPI, bit for bit."""

import numpy as np
import pytest
from small_board import run_all

from gatewright.cosim.board.simulated import SimulatedSpiBoard
from gatewright.errors import DeviceError
from gatewright.host import frames
from gatewright.host.accelerator import Accelerator
from gatewright.host.frames import HELLO, Answer
from gatewright.hw.bridge.protocol import END, VERSION, WORDS, Status

pytestmark = pytest.mark.slow


def test_spi_board(model, spi_text):
    with SimulatedSpiBoard(spi_text) as board:
        with board.connect() as line:
            run_all(Accelerator(line), model)
            assert line.repeats == 0
        # Another host finds the board as the one before left it, with its model.
        with board.connect() as line:
            x = model.sequences[0]
            found = Accelerator(line).run(x, model.compiled.result_count(len(x)))
            np.testing.assert_array_equal(found, model.wanted[0])
        seen = board.line()
    assert (seen.changed, seen.lost) == (0, 0)
    # Full duplex: each byte that is sent brings one back.
    assert seen.bytes > 2 * 4 * len(model.words)
    assert seen.cycles > 8 * 8 * seen.bytes / 2


def test_the_bytes_of_a_transfer(spi_text):
    """Nothing but ENDs comes back before a request was there, and its answer begins within 8 bytes."""
    hello = frames.request(7, HELLO, 0, 0)
    with SimulatedSpiBoard(spi_text) as board:
        found = board.transfer(hello + bytes([END] * 32))
        assert found[: len(hello)] == bytes([END] * len(hello))
        (answer,) = [frames.answer(part) for part in found.split(bytes([END])) if part]
        assert answer == Answer(7, HELLO, Status.OKAY, 1, [VERSION | WORDS << 8])
        longest = frames.request(8, frames.operation(write=False, increment=False), 0, WORDS)
        found = board.transfer(longest + bytes([END] * 8))
        assert found[: len(longest)] == bytes([END] * len(longest))
        assert found[-1] != END
        assert board.transfer(b"") == b""


def test_a_dead_spi_board_is_told(spi_text):
    with SimulatedSpiBoard(spi_text, lost=1.0) as board:
        with pytest.raises(
            DeviceError,
            match=r"the simulated board: no answer to 3 requests at 1 MHz; look at the wires, the mode \(0\)",
        ):
            board.connect(patience=0.01, attempts=3)
        board.close()
        with pytest.raises((DeviceError, ValueError), match=r"died|closed"):
            board.transfer(b"\xc0")
