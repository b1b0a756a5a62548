"""Where work is done: in this process, in processes of this machine, or on a Dask cluster; one interface for all."""

import multiprocessing
import os
import reprlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

from gatewright.errors import ConfigError, ToolError
from gatewright.progress import Progress, silent

Result = TypeVar("Result")

DEATHS = 3
"""Worker processes that may die over one call; then the call is to blame."""

CONNECT_SECONDS = 60

_BRIEF = reprlib.Repr()
_BRIEF.maxdict, _BRIEF.maxother = 64, 40
"""How an error names the arguments of a call: candidates whole, data by how they begin."""


def processors() -> int:
    """Give how many processes this machine runs at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers(NamedTuple):
    """Who runs calls.

    Parameters
    ----------
    executor : Executor
    slots : callable
        Gives how many calls are worth having under way now, at least 1.
    """

    executor: Executor
    slots: Callable[[], int]


@contextmanager
def workers(count: int = 1, dask: str | None = None) -> Iterator[Workers]:
    """Give workers for a block; if it ends by an error, what still runs is stopped.

    Parameters
    ----------
    count : int
        Processes of this machine, 0 to 1024; with fewer than 2, calls run in this process, one after the other.
    dask : str, optional
        Address of a Dask scheduler, whose workers run the calls in place of them. They must have this package, and
        see the files that the calls name at the same paths.

    Raises
    ------
    ConfigError
        The count is out of range, Dask is not installed, or there is no scheduler at the address.
    """
    if not 0 <= count <= 1024:
        raise ConfigError(f"workers must be from 0 to 1024, not {count}")
    if dask is not None:
        with _dask(dask) as found:
            yield found
    elif count < 2:
        yield Workers(_Serial(), lambda: 1)
    else:
        pool = _LocalPool(count)
        try:
            yield Workers(pool, lambda: count)
        except BaseException:
            pool.kill()
            raise
        pool.shutdown()


def run_all(
    work: Callable[..., Result],
    given: Sequence[tuple],
    processes: int,
    what: str,
    progress: Progress,
) -> list[Result]:
    """Do independent pieces of work, in processes where there are several of both; gives the results in order.

    Parameters
    ----------
    work : callable
        Takes what it is given, and a `Progress` behind that.
    given : sequence of tuples
    processes : int
    what : str
        Name of the whole, for the progress of pieces that are done in processes, which tell nothing themselves.
    progress : Progress
    """
    count = min(processes, len(given))
    if count < 2:
        return [work(*each, progress) for each in given]
    with workers(count) as found:
        progress(what, 0, len(given), "")
        calls = [found.executor.submit(work, *each, silent) for each in given]
        for done, _ in enumerate(as_completed(calls), 1):
            progress(what, done, len(given), "")
        # In order, so that of several errors the same one is raised whichever process is faster.
        return [call.result() for call in calls]


class _Serial(Executor):
    """Runs each call when it is submitted."""

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _LocalPool(Executor):
    """A pool of processes that outlives the death of its processes: calls that were under way are made again."""

    def __init__(self, count: int):
        self._count = count
        self._lock = threading.Lock()
        self._stopped = False
        self._others = set(multiprocessing.active_children())
        self._pool = self._fresh()

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        self._submit(future, 1, fn, args, kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._stopped = True
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def kill(self) -> None:
        """End all processes at once."""
        self._stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - self._others:
            child.kill()
            child.join()

    def _fresh(self) -> ProcessPoolExecutor:
        # A fork would copy locks that threads of the parent hold.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._count, context, initializer=_begin_worker)

    def _submit(self, outer: Future, attempt: int, fn: Callable, args: tuple, kwargs: dict) -> None:
        def finish(inner: Future) -> None:
            error = None if inner.cancelled() else inner.exception()
            if inner.cancelled() or (self._stopped and isinstance(error, BrokenProcessPool)):
                outer.cancel()
            elif not isinstance(error, BrokenProcessPool):
                _copy(inner, outer)
            elif attempt < DEATHS:
                self._renew(pool)
                self._submit(outer, attempt + 1, fn, args, kwargs)
            else:
                outer.set_exception(
                    ToolError(
                        f"worker processes died {DEATHS} times over {_BRIEF.repr(args)}: see whether memory ran out, "
                        "or use fewer workers; a script of your own must make the call under "
                        '`if __name__ == "__main__":`, as each worker imports the script'
                    )
                )

        while True:
            pool = self._pool
            try:
                pool.submit(fn, *args, **kwargs).add_done_callback(finish)
                return
            except BrokenProcessPool:
                self._renew(pool)

    def _renew(self, broken: ProcessPoolExecutor) -> None:
        """Replace a pool that lost a process, once for all of its calls."""
        with self._lock:
            if self._pool is broken:
                self._pool = self._fresh()


@contextmanager
def _dask(address: str) -> Iterator[Workers]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(
            "Dask is not installed: `pip install gatewright[dask]`, or leave the address out"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no Dask scheduler answers at {address!r} ({error})") from error
    try:
        executor = client.get_executor(pure=False, retries=DEATHS)
        try:
            yield Workers(executor, lambda: max(1, sum(client.nthreads().values())))
        except BaseException:
            # Cancels what runs, but must not hide what went wrong.
            with suppress(Exception):
                executor.shutdown(wait=False)
            raise
        executor.shutdown()
    finally:
        client.close()


def _copy(inner: Future, outer: Future) -> None:
    if error := inner.exception():
        outer.set_exception(error)
    else:
        outer.set_result(inner.result())


def _begin_worker() -> None:
    """Leave Ctrl-C, which reaches all processes of a terminal, to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
