"""Simulated boards: a port for the driver of real ones, and registers for everything else that drives them."""

import os
import pty
import struct
import subprocess
import tty
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple

from gatewright.cosim.board.build import build
from gatewright.errors import DeviceError
from gatewright.host.transport import Outcome
from gatewright.hw.fpga.driven import BOARD_TOP, MAPPED_TOP
from gatewright.hw.rtl.axi_registers import Response
from gatewright.progress import Progress, silent

DIVISOR = 4
"""Cycles of a bit on the simulated line: as few as the UART takes."""

_MILLION = 1_000_000


class Line(NamedTuple):
    """What went over a simulated line: bytes in both directions, those changed and those lost, and clock cycles."""

    bytes: int
    changed: int
    lost: int
    cycles: int


class _Program:
    """A simulation in a child process, which ends with its standard input."""

    _process: subprocess.Popen

    def close(self) -> bytes:
        """End the simulation; return what it said last."""
        return self._process.communicate()[0]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SimulatedBoard(_Program):
    """A board whose serial port is a pseudo-terminal.

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

    Attributes
    ----------
    port : str
        Name of the port.

    Raises
    ------
    ToolError
        A tool is missing or the build failed.
    """

    def __init__(
        self,
        verilog: str,
        *,
        seed: int = 0,
        changed: float = 0.0,
        lost: float = 0.0,
        progress: Progress = silent,
    ):
        program = build(verilog, BOARD_TOP, "line.cc", progress)
        board, self._host = pty.openpty()
        tty.setraw(self._host)
        self.port = os.ttyname(self._host)
        self._said: bytes | None = None
        shares = (str(round(share * _MILLION)) for share in (changed, lost))
        try:
            self._process = subprocess.Popen(
                [program, str(board), str(DIVISOR), str(seed), *shares],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(board,),
                process_group=0,
            )
        finally:
            os.close(board)

    def __enter__(self) -> "SimulatedBoard":
        return self

    def close(self) -> bytes:
        """End the simulation; return what it said last."""
        if self._said is None:
            self._said = super().close()
            os.close(self._host)
        return self._said

    def line(self) -> Line:
        """End the simulation, and return what went over the line."""
        said = self.close().split()
        if len(said) != len(Line._fields):
            raise DeviceError("the simulated board died")
        return Line(*map(int, said))


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

    def __init__(self, verilog: str, progress: Progress = silent):
        program = build(verilog, MAPPED_TOP, "registers.cc", progress)
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )

    def __enter__(self) -> "SimulatedRegisters":
        return self

    def read(self, address: int, count: int = 1, *, increment: bool = False) -> Outcome:
        """Do as `Transport` says."""
        response, done = self._ask(2 * increment, address, count)
        return Outcome(done, list(self._take(done)), Response(response))

    def write(self, address: int, words: Sequence[int], *, increment: bool = False) -> Outcome:
        """Do as `Transport` says."""
        response, done = self._ask(1 | 2 * increment, address, len(words), words)
        return Outcome(done, [], Response(response))

    def _ask(self, what: int, address: int, count: int, words: Sequence[int] = ()) -> tuple[int, int]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(struct.pack(f"={3 + len(words)}I", what, address, count, *words))
            self._process.stdin.flush()
        except OSError as error:
            raise DeviceError(f"the simulated registers died ({error})") from error
        response, done = self._take(2)
        return response, done

    def _take(self, count: int) -> tuple[int, ...]:
        assert self._process.stdout is not None
        found = self._process.stdout.read(4 * count)
        if len(found) != 4 * count:
            raise DeviceError("the simulated registers died")
        return struct.unpack(f"={count}I", found)
