"""Ctrl-C at the right moment: while something is waited for, not while a file is being written."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Holds Ctrl-C back, but where it is allowed; made for the main thread, others never get one."""

    def __init__(self) -> None:
        self._held = False
        self._allowed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold Ctrl-C back for a block; one that comes where it is never allowed again is dropped."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let Ctrl-C end a block inside of `held` as usual, also one that was held back before.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C came.
        """
        self._allowed = True
        try:
            if self._held:
                raise KeyboardInterrupt
            yield
        finally:
            self._allowed = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._held = True
        if self._allowed:
            raise KeyboardInterrupt
