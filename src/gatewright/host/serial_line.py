"""The registers at the end of a serial line: requests and answers, sent again until they arrive whole."""

import random
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from gatewright.errors import DeviceError
from gatewright.host import frames
from gatewright.host.frames import HELLO, Answer
from gatewright.host.transport import Outcome
from gatewright.hw.boards.board import BAUD
from gatewright.hw.bridge.protocol import END, GREETING, VERSION, WORDS, Status
from gatewright.hw.rtl.axi_registers import Response

_BITS = 10
"""Of a byte on the line."""

_SEQUENCES = 256
_LEAST_WORDS = 4
_STEADY = 16
"""Answers in a row without a repeat after which frames become longer again."""

_LEAST_WAIT = 0.02
"""Seconds that an answer may take at least, however fast the ones before came: what adapters and busy hosts add."""

_LOOK = 0.002
"""Seconds between two looks at the port and the clock."""

_MOST_DOUBLINGS = 16
"""Of the time that is waited for the answer to a request that was sent again: by then it is the whole patience."""


class _Delay:
    """How long to wait for an answer, from how long answers took: smoothed mean and deviation, as in RFC 6298.

    Parameters
    ----------
    most : float
        Seconds that are never exceeded, and waited until the first answer came.
    """

    def __init__(self, most: float):
        self.most = most
        self._mean: float | None = None
        self._deviation = 0.0

    def add(self, seconds: float) -> None:
        """Note how long the answer to a request took that was sent once."""
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += (abs(seconds - self._mean) - self._deviation) / 4
        self._mean += (seconds - self._mean) / 8

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after a request was sent for the first, second ... time: twice as long each."""
        if self._mean is None:
            return self.most
        likely = max(_LEAST_WAIT, self._mean + 4 * self._deviation)
        return min(self.most, likely * 2 ** min(attempt, _MOST_DOUBLINGS))


class SerialLine:
    """A `Transport` over a serial port.

    One request at a time. It is sent again until its answer comes whole, with the same number, so that the bridge does
    nothing twice. Where frames are damaged, they become shorter, and it waits no longer than answers seem to take.

    Parameters
    ----------
    port : str
        Name of the port, as ``/dev/ttyUSB0`` or ``COM3``.
    baud : int
        Bits per second.
    patience : float
        Most seconds to wait for an answer beyond the time that its bytes take on the line.
    attempts : int
        How often a request is sent before the board counts as gone.

    Raises
    ------
    DeviceError
        The port cannot be opened, nothing answers, or it speaks another protocol.
    """

    def __init__(self, port: str, *, baud: int = BAUD, patience: float = 0.1, attempts: int = 50):
        import serial

        self.port = port
        self.baud = baud
        self.attempts = attempts
        self.repeats = 0
        """Requests that were sent again."""
        self._words = self._longest = WORDS
        self._steady = 0
        self._delay = _Delay(patience)
        self._sequence = random.randrange(_SEQUENCES)
        self._received = bytearray()
        try:
            self._serial: Any = serial.Serial(port, baud, timeout=_LOOK)
        except (serial.SerialException, ValueError, OSError) as error:
            raise DeviceError(
                f"{port}: cannot be opened ({error}); `--port` names the board's port"
            ) from error
        try:
            self._open_session()
        except BaseException:
            self.close()
            raise

    def read(self, address: int, count: int = 1, *, increment: bool = False) -> Outcome:
        """Do as `Transport` says."""
        words: list[int] = []
        what = frames.operation(write=False, increment=increment)
        while len(words) < count:
            asked = min(count - len(words), self._words)
            place = address + 4 * len(words) * increment
            found = self._ask(what, place, asked)
            words += found.words
            if found.status != Status.OKAY:
                return Outcome(len(words), words, Response(found.status))
        return Outcome(count, words, Response.OKAY)

    def write(self, address: int, words: Sequence[int], *, increment: bool = False) -> Outcome:
        """Do as `Transport` says."""
        done = 0
        what = frames.operation(write=True, increment=increment)
        while done < len(words):
            given = words[done : done + self._words]
            found = self._ask(what, address + 4 * done * increment, len(given), given)
            done += found.count
            if found.status != Status.OKAY:
                return Outcome(done, [], Response(found.status))
        return Outcome(done, [], Response.OKAY)

    def close(self) -> None:
        """Close the port."""
        self._serial.close()

    def __enter__(self) -> "SerialLine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_session(self) -> None:
        self._guarded(self._serial.reset_input_buffer)
        greeting = GREETING.from_bits(self._ask(HELLO, 0, 0).words[0])
        if greeting.version != VERSION:
            raise DeviceError(
                f"{self.port}: the board speaks version {greeting.version} of the protocol, this driver {VERSION}; "
                "build the board's bitstream again with this release"
            )
        self._words = self._longest = min(WORDS, greeting.words)

    def _ask(self, what: int, address: int, count: int, words: Sequence[int] = ()) -> Answer:
        """Send a request until its answer comes."""
        self._sequence = (self._sequence + 1) % _SEQUENCES
        sent = frames.request(self._sequence, what, address, count, words)
        for attempt in range(self.attempts):
            self._guarded(self._serial.write, sent)
            begin = time.monotonic() + (len(sent) + 2 * 4 * count) * _BITS / self.baud
            # Nothing seems to get lost while frames are long: a late answer is then worth all patience.
            lossy = attempt > 0 or self._words < self._longest
            found = self._wait(what, begin + (self._delay.wait(attempt) if lossy else self._delay.most))
            if found is not None:
                if attempt == 0:
                    self._delay.add(max(0.0, time.monotonic() - begin))
                self._adapt(attempt == 0)
                self._check(found)
                return found
            self.repeats += 1
        raise DeviceError(
            f"{self.port}: no answer to {self.attempts} requests at {self.baud} baud; look at the cable, the port and "
            "the bitstream's baud rate, and press the board's reset"
        )

    def _wait(self, what: int, deadline: float) -> Answer | None:
        """Return the answer to the latest request; None if it does not come whole in time."""
        while time.monotonic() < deadline:
            self._received += self._guarded(self._read_some)
            while END in self._received:
                frame, _, rest = bytes(self._received).partition(bytes([END]))
                self._received[:] = rest
                found = frames.answer(frame)
                if found is not None and (found.sequence, found.operation) == (self._sequence, what):
                    return found
        self._received.clear()
        return None

    def _adapt(self, at_once: bool) -> None:
        """Make frames shorter where they are lost, and longer again where none is."""
        self._steady = self._steady + 1 if at_once else 0
        if not at_once:
            self._words = max(_LEAST_WORDS, self._words // 2)
        elif self._steady >= _STEADY:
            self._steady = 0
            self._words = min(self._longest, 2 * self._words)

    def _check(self, found: Answer) -> None:
        if found.status == Status.NO_SESSION:
            raise DeviceError(f"{self.port}: the board was reset meanwhile; open it and load the model again")
        if found.status == Status.MALFORMED:
            raise DeviceError(
                f"{self.port}: the board does not know the request; is its bitstream of this release?"
            )

    def _read_some(self) -> bytes:
        return self._serial.read(max(1, self._serial.in_waiting))

    def _guarded(self, action: Any, *arguments: Any) -> Any:
        """Access the port, with its errors as ours."""
        try:
            return action(*arguments)
        except OSError as error:
            raise DeviceError(f"{self.port}: the port failed ({error}); plug the board in again") from error
