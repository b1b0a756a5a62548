import signal
import threading

import pytest

from gatewright.cosim.search.interrupts import Interrupts


@pytest.fixture(autouse=True)
def usual_handler():
    """Python's own handler, however the tests were started: a shell may have them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_held_until_it_is_allowed():
    interrupts, done = Interrupts(), []

    def work():
        with interrupts.held():
            interrupt()
            done.append("written")
            with interrupts.allowed():
                done.append("waited")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["written"]


def test_allowed_ends_at_once():
    interrupts, done = Interrupts(), []

    def work():
        with interrupts.held(), interrupts.allowed():
            interrupt()
            done.append("waited")

    with pytest.raises(KeyboardInterrupt):
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
