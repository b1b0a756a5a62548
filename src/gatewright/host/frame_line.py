"""The registers at the end of a line: requests and answers, sent again until they arrive whole."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any, ClassVar, Self

from gatewright.errors import DeviceError
from gatewright.host import frames
from gatewright.host.frames import HELLO, Answer
from gatewright.host.transport import Outcome
from gatewright.hw.bridge.protocol import END, GREETING, VERSION, WORDS, Status
from gatewright.hw.rtl.axi_registers import Response

_SEQUENCES = 256
_LEAST_WORDS = 4
_STEADY = 16
"""Answers in a row without a repeat after which frames become longer again."""

_LEAST_WAIT = 0.02
"""Seconds that an answer may take at least, however fast the ones before came: what adapters and busy hosts add."""

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


class FrameLine(ABC):
    """A `Transport` over a line of bytes with a bridge at its end.

    One request at a time. It is sent again until its answer comes whole, with the same number, so that the bridge does
    nothing twice. Where frames are damaged, they become shorter, and it waits no longer than answers seem to take.

    Parameters
    ----------
    port : str
        What errors call the line.
    byte_seconds : float
        Seconds that a byte takes on the line.
    patience : float
        Most seconds to wait for an answer beyond the time that its bytes take on the line.
    attempts : int
        How often a request is sent before the board counts as gone.

    Raises
    ------
    DeviceError
        Nothing answers, or it speaks another protocol.
    """

    _prompt: ClassVar[bool] = False
    """Whether an answer that has not begun after one `_receive` never comes."""

    def __init__(self, port: str, *, byte_seconds: float, patience: float, attempts: int):
        self.port = port
        self.attempts = attempts
        self.repeats = 0
        """Requests that were sent again."""
        self._byte_seconds = byte_seconds
        self._words = self._longest = WORDS
        self._steady = 0
        self._delay = _Delay(patience)
        self._sequence = random.randrange(_SEQUENCES)
        self._received = bytearray()
        try:
            self._open_session()
        except BaseException:
            self.close()
            raise

    @property
    @abstractmethod
    def silence(self) -> str:
        """How the line was driven when nothing answered, and what to look at then."""

    @abstractmethod
    def _send(self, frame: bytes) -> None:
        """Send a request; raise OSError where the port fails."""

    @abstractmethod
    def _receive(self, missing: int) -> bytes:
        """Return what came, after a short while if nothing did; raise OSError where the port fails.

        An answer to all that was asked for needs so many bytes more, not counting those that are escaped.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the port."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_session(self) -> None:
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
            self._guarded(self._send, sent)
            begin = time.monotonic() + (len(sent) + 2 * 4 * count) * self._byte_seconds
            # Nothing seems to get lost while frames are long: a late answer is then worth all patience.
            lossy = attempt > 0 or self._words < self._longest
            found = self._wait(
                what, count, begin + (self._delay.wait(attempt) if lossy else self._delay.most)
            )
            if found is not None:
                if attempt == 0:
                    self._delay.add(max(0.0, time.monotonic() - begin))
                self._adapt(attempt == 0)
                self._check(found)
                return found
            self.repeats += 1
        raise DeviceError(
            f"{self.port}: no answer to {self.attempts} requests {self.silence}, and press the board's reset"
        )

    def _wait(self, what: int, count: int, deadline: float) -> Answer | None:
        """Return the answer to the latest request; None if it does not come whole in time."""
        most = frames.answer_bytes(what, count)
        while time.monotonic() < deadline:
            came = self._guarded(self._receive, max(0, most - len(self._received)))
            if self._prompt and not self._received and not came.strip(bytes([END])):
                break
            self._received += came
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

    def _guarded(self, action: Any, *arguments: Any) -> Any:
        """Access the port, with its errors as ours."""
        try:
            return action(*arguments)
        except OSError as error:
            raise DeviceError(f"{self.port}: the port failed ({error}); plug the board in again") from error
