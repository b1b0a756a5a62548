"""Ctrl-C and SIGTERM at the right moment: while something is waited for, not while a file is being written."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gatewright.errors import Terminated

_RAISED = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


class Interrupts:
    """Holds Ctrl-C and SIGTERM back, but where they are allowed; made for the main thread, others never get one."""

    def __init__(self) -> None:
        self._held: type[KeyboardInterrupt] | None = None
        self._allowed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold both back for a block; one that comes where it is never allowed again is dropped."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in _RAISED}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let both end a block inside of `held` as usual, also one that was held back before.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C came.
        Terminated
            SIGTERM came.
        """
        self._allowed = True
        try:
            if self._held:
                raise self._held
            yield
        finally:
            self._allowed = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._held = _RAISED[signal.Signals(number)]
        if self._allowed:
            raise self._held
