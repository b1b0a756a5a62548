"""How long the driver waits for an answer."""

import pytest

from gatewright.host.serial_line import _Delay


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
