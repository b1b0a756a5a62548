"""How long the driver waits for an answer."""

import itertools
from types import SimpleNamespace

import pytest
import serial

from gatewright.host import frame_line, frames
from gatewright.host.frame_line import _Delay
from gatewright.host.frames import HELLO
from gatewright.host.serial_line import SerialLine
from gatewright.hw.bridge.protocol import END, GREETING, REQUEST_HEADER, VERSION, Status


def test_it_waits_for_all_its_patience_until_an_answer_came():
    assert [_Delay(0.1).wait(attempt) for attempt in (0, 5)] == [0.1, 0.1]


def test_it_waits_by_mean_and_deviation_and_twice_as_long_each_time():
    delay = _Delay(0.5)
    delay.add(0.016)  # A mean of 16 ms, a deviation of 8.
    assert delay.wait(0) == pytest.approx(0.048)
    assert delay.wait(2) == pytest.approx(0.192)
    assert delay.wait(7) == 0.5
    assert delay.wait(100_000) == 0.5
    delay.add(0.032)  # 8 + (16 - 8) / 4 ms around 16 + 16 / 8 ms.
    assert delay.wait(0) == pytest.approx(0.018 + 4 * 0.010)


def test_answers_at_once_leave_it_some_time():
    delay = _Delay(0.5)
    for _ in range(100):
        delay.add(0.0)
    assert delay.wait(0) == 0.02


class Port:
    """A serial port with a board that takes so many words at a time, and loses the requests of some numbers."""

    def __init__(self, words, lost):
        self.words, self.lost = words, lost
        self.requests, self._answers = 0, b""

    def write(self, sent):
        (body,) = [part for part in sent.split(bytes([END])) if part]
        whole = bytes(frames._unescape(body))
        sequence, what = whole[0], whole[1]
        greeting = GREETING.const({"version": VERSION, "words": self.words}).as_bits().to_bytes(4, "little")
        count = 1 if what == HELLO else whole[REQUEST_HEADER.size // 8 - 1]
        self.requests += 1
        if self.requests not in self.lost:
            head = bytes([sequence, what, Status.OKAY, count])
            self._answers += frames.frame(head + (greeting if what == HELLO else b""))

    def read(self, count):
        found, self._answers = self._answers, b""
        return found

    @property
    def in_waiting(self):
        return len(self._answers)

    def reset_input_buffer(self):
        pass

    def close(self):
        pass


@pytest.fixture
def opened(monkeypatch):
    """Open a line to a `Port`; gives the line, and the list that gets the seconds granted to each request."""

    def made(**port):
        monkeypatch.setattr(serial, "Serial", lambda *_, **__: Port(**port))
        clock = itertools.count(0, 0.001)  # A millisecond passes between two looks at it.
        monkeypatch.setattr(frame_line, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        granted = []
        wait = SerialLine._wait

        def noted(self, what, count, deadline):
            granted.append(deadline - next(clock))
            return wait(self, what, count, deadline)

        monkeypatch.setattr(SerialLine, "_wait", noted)
        return SerialLine("port", patience=0.3), granted

    return made


def test_a_line_that_loses_nothing_gets_all_patience(opened):
    line, granted = opened(words=32, lost=())
    line.write(0, [0] * 320)
    assert len(granted) == 11
    assert min(granted) > 0.29
    assert line.repeats == 0


def test_a_line_that_loses_requests_is_waited_for_as_long_as_answers_take(opened):
    line, granted = opened(words=8, lost=(3, 5, 6))
    line.write(0, [0] * 400)
    assert line.repeats == 3
    # All patience for the greeting, the first write, and the first that got lost; then twice as long with each repeat.
    assert [seconds > 0.29 for seconds in granted[:4]] == [True, True, True, False]
    assert granted[4] < granted[5] < granted[6] < 0.1
    # Frames are long again.
    assert granted[-1] > 0.29


def test_frames_grow_no_longer_than_the_board_takes(opened, monkeypatch):
    counts = []
    request = frames.request
    monkeypatch.setattr(frames, "request", lambda *given: counts.append(given[3]) or request(*given))
    line, _ = opened(words=8, lost=())
    line.write(0, [0] * 400)
    assert max(counts) == 8
