"""Commands in process groups of their own, which end with whoever runs them, however that ends."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from gatewright.errors import ToolError

POLL_SECONDS = 0.1
"""Between two looks at a command that runs."""

SILENT_SECONDS = 900
"""How long a simulation may give no sign of life; cycles are limited in the bench, so this is for what has none."""

# The shell's standard input is a pipe that nothing is written to. It ends with the process that holds its other end,
# also where that is killed, and then the whole group is killed.
_GUARD = """
exec 3<&0
(read -r _ <&3; kill -KILL 0) &
input=$1
shift
"$@" 3<&- <"$input"
status=$?
kill -KILL $!
exit $status
"""


def run(
    command: Sequence[str | os.PathLike],
    *,
    cwd: str | os.PathLike,
    env: Mapping[str, str],
    input: str | os.PathLike = os.devnull,
    log: IO | None = None,
    errors: IO | None = None,
    watch: Callable[[], None] | None = None,
) -> int:
    """Run a command to its end; return its exit status.

    The command and all that it starts are killed if the wait for it ends by an error (Ctrl-C, one that `watch` raises)
    and if this process is killed.

    Parameters
    ----------
    command : sequence of str or path
    cwd : path
    env : mapping of str
    input : path
        File that the command has as its standard input.
    log : file, optional
        Takes what the command prints.
    errors : file, optional
        Takes what it prints on the standard error; `log` unless given.
    watch : callable, optional
        Called several times a second.

    Raises
    ------
    OSError
        The command cannot be run.
    """
    read, write = os.pipe()
    try:
        try:
            child = subprocess.Popen(
                ["sh", "-c", _GUARD, "sh", os.path.abspath(input), *map(str, command)],
                cwd=cwd,
                env=env,
                stdin=read,
                stdout=log,
                stderr=errors or (log and subprocess.STDOUT),
                start_new_session=True,
            )
        finally:
            os.close(read)
        try:
            while True:
                try:
                    return child.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    if watch is not None:
                        watch()
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
    finally:
        os.close(write)


class Patience:
    """Watches files that grow while a command gets on.

    Counts its own looks, not the clock's seconds: a busy or suspended machine, or another time of day, is no hang.

    Parameters
    ----------
    files : sequence of path
        Need not exist.
    what : callable
        Says what stands still, for the error's text.
    looks : int
        How many times in a row the files may be as they were.
    """

    def __init__(
        self,
        files: Sequence[Path],
        what: Callable[[], str],
        looks: int = int(SILENT_SECONDS / POLL_SECONDS),
    ):
        self._files, self._what, self._looks = files, what, looks
        self._seen: list[int] = []
        self._same = 0

    def look(self) -> None:
        """Look at the files.

        Raises
        ------
        ToolError
            They are the same for too long.
        """
        seen = [path.stat().st_size if path.exists() else 0 for path in self._files]
        self._same = self._same + 1 if seen == self._seen else 0
        self._seen = seen
        if self._same >= self._looks:
            raise ToolError(
                f"{self._what()} gave no sign of life for {self._looks * POLL_SECONDS:.0f} seconds and was ended"
            )
