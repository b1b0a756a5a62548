"""Trials on disk: Optuna's journal in one file, that outlives a process that is killed while it writes."""

import os
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import TrialState

from gatewright.errors import RunFolderError
from gatewright.limits import file_size, whole


def journal(path: Path) -> JournalStorage:
    """Open or begin a journal; undo what a killed process left of it: a lock, and half a line.

    One process at a time may have it open.

    Raises
    ------
    RunFolderError
        It is none.
    """
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if path.exists():
        file_size(path, RunFolderError)
        with path.open("rb+") as stream:
            stream.truncate(stream.read().rfind(b"\n") + 1)
    with whole(path, "a journal of trials", RunFolderError):
        return JournalStorage(_Journal(str(path)))


class _Journal(JournalFileBackend):
    """A journal that a failed write, as on a full disk, leaves as it was: what follows half a line would be lost."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        size = os.stat(self._file_path).st_size
        try:
            super().append_logs(logs)
        except OSError:
            os.truncate(self._file_path, size)
            raise


def fail_running(study: Study) -> None:
    """End the trials that run no more, without a result."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
