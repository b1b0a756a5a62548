"""The driver's line over SPI, against a board that answers at once, and the device of Linux."""

import sys
from types import SimpleNamespace

import pytest

from gatewright.errors import DeviceError
from gatewright.host import frames
from gatewright.host.frames import HELLO
from gatewright.host.spi_line import SpidevLine, SpiLine
from gatewright.hw.bridge.protocol import END, GREETING, REQUEST_HEADER, VERSION, WORDS, Status
from gatewright.hw.rtl.axi_registers import Response

IDLE = bytes([END])


class Board:
    """Transfers with a board that has a word in every register; it drops what comes while it answers.

    It never answers the requests of the given numbers.
    """

    def __init__(self, word=0, deaf=()):
        self.word, self.deaf = word, deaf
        self.lengths, self.requests = [], 0
        self._received, self._answer = b"", b""

    def transfer(self, sent):
        self.lengths.append(len(sent))
        found = self._answer[: len(sent)].ljust(len(sent), IDLE)
        self._answer = self._answer[len(sent) :]
        for body in filter(None, sent.split(IDLE)):
            self.requests += 1
            if self.requests not in self.deaf:
                self._answer = self._answered(bytes(frames._unescape(body)))
        return list(found)

    def _answered(self, whole):
        sequence, what, count = whole[0], whole[1], whole[REQUEST_HEADER.size // 8 - 1]
        words = [self.word] * count
        if what == HELLO:
            words = [GREETING.const({"version": VERSION, "words": WORDS}).as_bits()]
        reads = what != frames.operation(write=True, increment=False)
        payload = b"".join(word.to_bytes(4, "little") for word in words) if reads else b""
        return frames.frame(bytes([sequence, what, Status.OKAY, len(words)]) + payload)


def test_registers_are_read_and_written():
    board = Board(0x01020304)
    line = SpiLine(board.transfer)
    assert line.read(8, 3).words == [0x01020304] * 3
    assert line.write(8, [5] * 100).count == 100
    assert line.repeats == 0
    # A hello and its answer, a request and its answer, two writes and theirs: one transfer each way.
    assert len(board.lengths) == 8


def test_answers_whose_every_byte_is_escaped_come_whole():
    board = Board(END * 0x01010101)
    outcome = SpiLine(board.transfer).read(8, WORDS)
    assert outcome.words == [END * 0x01010101] * WORDS
    assert outcome.response == Response.OKAY


def test_no_transfer_is_longer_than_it_says():
    board = Board()
    line = SpiLine(board.transfer)
    line.write(0xC0C0, [0xC0DBC0DB] * WORDS)
    line.read(8, WORDS)
    assert 512 < max(board.lengths) <= 532


def test_what_is_not_answered_is_sent_again_at_once():
    board = Board(deaf=(2, 3))
    line = SpiLine(board.transfer, patience=1000)
    assert line.read(8).words == [0]
    assert (line.repeats, board.requests) == (2, 4)


@pytest.mark.parametrize("level", [0x00, 0xFF])
def test_a_wire_that_nobody_drives_is_told(level):
    with pytest.raises(DeviceError, match=r"^SPI: no answer to 2 requests at 3 MHz; look at the wires"):
        SpiLine(lambda sent: [level] * len(sent), megahertz=3, patience=0.01, attempts=2)


class Device(Board):
    """What the package `spidev` has."""

    def __init__(self):
        super().__init__()
        self.closed = False

    def open_path(self, path):
        if path != "/dev/spidev0.0":
            raise FileNotFoundError(path)

    def xfer3(self, sent):
        if self.closed:
            raise OSError("closed")
        return tuple(self.transfer(sent))

    def close(self):
        self.closed = True


@pytest.fixture
def device(monkeypatch):
    device = Device()
    monkeypatch.setitem(sys.modules, "spidev", SimpleNamespace(SpiDev=lambda: device))
    return device


def test_a_device_of_linux_has_the_mode_and_the_clock(device):
    with SpidevLine("/dev/spidev0.0", megahertz=2.5) as line:
        assert line.read(8).words == [0]
        assert (device.mode, device.max_speed_hz) == (0, 2_500_000)
    assert device.closed
    with pytest.raises(DeviceError, match=r"/dev/spidev0\.0: the port failed"):
        line.read(8)


def test_a_device_that_is_not_there_is_told(device):
    with pytest.raises(DeviceError, match=r"/dev/ttyUSB0: cannot be opened .* as /dev/spidev0\.0"):
        SpidevLine("/dev/ttyUSB0")
    assert device.closed


def test_without_the_package_it_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "spidev", None)
    with pytest.raises(DeviceError, match=r"`spidev` is missing: pip install 'gatewright\[spi\]'"):
        SpidevLine("/dev/spidev0.0")
