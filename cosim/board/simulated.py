"""Simulated boards: lines for the driver of real ones, and registers for everything else that drives them."""

import os
import pty
import struct
import subprocess
import tty
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

from gatewright.cosim.board.build import build
from gatewright.errors import DeviceError
from gatewright.host.frame_line import FrameLine
from gatewright.host.serial_line import SerialLine
from gatewright.host.spi_line import SpiLine
from gatewright.host.transport import Outcome
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.bridge.spi import LEAST_CYCLES
from gatewright.hw.bridge.uart import LEAST_DIVISOR
from gatewright.hw.fpga.driven import BOARD_TOP, MAPPED_TOP
from gatewright.hw.rtl.axi_registers import Response
from gatewright.progress import Progress, silent

_MILLION = 1_000_000


class Line(NamedTuple):
    """What went over a simulated line: bytes in both directions, those changed and those lost, and clock cycles."""

    bytes: int
    changed: int
    lost: int
    cycles: int


class _Program(ABC):
    """A simulation in a child process, which ends with its standard input."""

    _process: subprocess.Popen
    _name: str

    def close(self) -> bytes:
        """End the simulation; return what it said last."""
        return self._process.communicate()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError as error:
            raise DeviceError(f"{self._name} died ({error})") from error

    def _take(self, count: int) -> bytes:
        assert self._process.stdout is not None
        found = self._process.stdout.read(count)
        if len(found) != count:
            raise DeviceError(f"{self._name} died")
        return found


class BoardSimulation(_Program):
    """A board whose simulation says last what went over its line.

    A bit on the line has as few cycles as the board takes.

    Parameters
    ----------
    verilog : str
        Text of `BOARD_TOP`, as it was delivered.
    seed : int
        Of what the line does to bytes.
    changed, lost : float
        Share of bytes, in both directions, that the line changes and loses.
    progress : Progress
        Told about the build.

    Raises
    ------
    ToolError
        A tool is missing or the build failed.
    """

    _name = "the simulated board"
    _main: ClassVar[str]
    _said: bytes | None = None

    def __init__(
        self,
        verilog: str,
        *,
        seed: int = 0,
        changed: float = 0.0,
        lost: float = 0.0,
        progress: Progress = silent,
    ):
        program = build(verilog, BOARD_TOP, self._main, progress)
        shares = [str(round(share * _MILLION)) for share in (changed, lost)]
        self._process = self._start(program, [str(seed), *shares])

    @abstractmethod
    def _start(self, program: Path, noise: list[str]) -> subprocess.Popen:
        """Start the simulation with what its line does."""

    @abstractmethod
    def connect(self, *, patience: float = 0.1, attempts: int = 50) -> FrameLine:
        """Return the driver's line to the board; takes and raises what `FrameLine` does."""

    def close(self) -> bytes:
        """End the simulation; return what it said last."""
        if self._said is None:
            self._said = super().close()
        return self._said

    def line(self) -> Line:
        """End the simulation, and return what went over the line."""
        said = self.close().split()
        if len(said) != len(Line._fields):
            raise DeviceError(f"{self._name} died")
        return Line(*map(int, said))


class SimulatedBoard(BoardSimulation):
    """A board behind a UART, whose serial port is a pseudo-terminal.

    Attributes
    ----------
    port : str
        Name of the port.
    """

    _main = "uart.cc"

    def _start(self, program: Path, noise: list[str]) -> subprocess.Popen:
        board, self._host = pty.openpty()
        tty.setraw(self._host)
        self.port = os.ttyname(self._host)
        try:
            return subprocess.Popen(
                [program, str(board), str(LEAST_DIVISOR), *noise],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(board,),
                process_group=0,
            )
        finally:
            os.close(board)

    def connect(self, *, patience: float = 0.1, attempts: int = 50) -> FrameLine:
        """Do as `BoardSimulation` says."""
        return SerialLine(self.port, patience=patience, attempts=attempts)

    def close(self) -> bytes:
        """End the simulation; return what it said last."""
        runs = self._said is None
        said = super().close()
        if runs:
            os.close(self._host)
        return said


class SimulatedSpiBoard(BoardSimulation):
    """A board with an SPI controller at its pins; time passes in transfers alone.

    A byte that is lost is one in which the board misses an edge of sck: the rest of the transfer is then out of step.
    """

    _main = "spi.cc"

    def _start(self, program: Path, noise: list[str]) -> subprocess.Popen:
        return subprocess.Popen(
            [program, str(LEAST_CYCLES), *noise],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )

    def transfer(self, data: bytes) -> bytes:
        """Select the board, exchange bytes, and deselect it.

        Raises
        ------
        DeviceError
            The simulation died.
        """
        self._tell(struct.pack("=I", len(data)) + data)
        return self._take(len(data))

    def connect(self, *, patience: float = 0.1, attempts: int = 50) -> FrameLine:
        """Do as `BoardSimulation` says."""
        return SpiLine(self.transfer, port=self._name, patience=patience, attempts=attempts)


SIMULATED: dict[LineKind, type[BoardSimulation]] = {
    LineKind.UART: SimulatedBoard,
    LineKind.SPI: SimulatedSpiBoard,
}
"""The simulated board of each line."""


class SimulatedRegisters(_Program):
    """A `Transport` to the registers of a simulated mapped top; time passes in accesses alone.

    Parameters
    ----------
    verilog : str
        Text of `MAPPED_TOP`, as it was delivered.
    progress : Progress
        Told about the build.

    Raises
    ------
    ToolError
        A tool is missing or the build failed.
    """

    _name = "the simulated registers"

    def __init__(self, verilog: str, progress: Progress = silent):
        program = build(verilog, MAPPED_TOP, "registers.cc", progress)
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )

    def read(self, address: int, count: int = 1, *, increment: bool = False) -> Outcome:
        """Do as `Transport` says."""
        response, done = self._ask(2 * increment, address, count)
        return Outcome(done, list(self._words(done)), Response(response))

    def write(self, address: int, words: Sequence[int], *, increment: bool = False) -> Outcome:
        """Do as `Transport` says."""
        response, done = self._ask(1 | 2 * increment, address, len(words), words)
        return Outcome(done, [], Response(response))

    def _ask(self, what: int, address: int, count: int, words: Sequence[int] = ()) -> tuple[int, int]:
        self._tell(struct.pack(f"={3 + len(words)}I", what, address, count, *words))
        response, done = self._words(2)
        return response, done

    def _words(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"={count}I", self._take(4 * count))
