import signal
import threading

import pytest

from gatewright.cosim.search.interrupts import Interrupts
from gatewright.errors import Terminated

SIGNALS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


@pytest.fixture(autouse=True)
def usual_handler():
    """Python's own handler, however the tests were started: a shell may have them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt(number=signal.SIGINT):
    signal.raise_signal(number)


@pytest.mark.parametrize("number", SIGNALS)
def test_held_until_it_is_allowed(number):
    interrupts, done = Interrupts(), []

    def work():
        with interrupts.held():
            interrupt(number)
            done.append("written")
            with interrupts.allowed():
                done.append("waited")

    with pytest.raises(SIGNALS[number]):
        work()
    assert done == ["written"]


@pytest.mark.parametrize("number", SIGNALS)
def test_allowed_ends_at_once(number):
    interrupts, done = Interrupts(), []

    def work():
        with interrupts.held(), interrupts.allowed():
            interrupt(number)
            done.append("waited")

    with pytest.raises(SIGNALS[number]):
        work()
    assert not done


def test_held_again_behind_what_is_allowed():
    interrupts = Interrupts()
    with interrupts.held():
        with interrupts.allowed():
            pass
        interrupt()
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_other_threads_leave_the_handler_alone():
    handlers = []

    def work():
        with Interrupts().held():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]
