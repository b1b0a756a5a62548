"""The folder of a study: plain files, and what was decided when it was made."""

import dataclasses
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gatewright import __version__
from gatewright.cosim.search.settings import SearchSettings
from gatewright.errors import GatewrightError, RunFolderError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import device
from gatewright.run import StudyFiles
from gatewright.storage import write_json
from gatewright.sw.models import FloatModel
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import Task, load_task


@dataclass(frozen=True)
class Plan:
    """What a study searches; settled when it is made.

    Parameters
    ----------
    task : str
        As `load_task` takes it; an absolute path where it is one.
    task_seed : int
        Decides the splits.
    space : SearchSpace
    search : SearchSettings
    sandwich : SuperSettings
        How the super network is trained before the first round.
    tune : CompressSettings
        How candidates are trained, but for the epochs.
    config : AcceleratorConfig, optional
        The hardware of all candidates; None where it is searched.
    device : str, optional
        The FPGA that the hardware must fit.
    storage : str, optional
        Optuna's storage by URL; None for a journal in the folder.
    name : str
        Of the study in the storage.
    command : str
        What a reader of the report repeats it with.
    """

    task: str
    task_seed: int
    space: SearchSpace
    search: SearchSettings
    sandwich: SuperSettings
    tune: CompressSettings
    config: AcceleratorConfig | None = None
    device: str | None = None
    storage: str | None = None
    name: str = "gatewright"
    command: str = ""

    def __post_init__(self):
        if self.device is not None:
            device(self.device)

    def load_task(self) -> Task:
        """Load the task, with its splits."""
        return load_task(self.task, seed=self.task_seed)

    def to_json(self) -> dict:
        """Give the plan as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "Plan":
        """Read what `to_json` gave; raises KeyError, TypeError or a `GatewrightError` where it is something else."""
        config = values["config"]
        return cls(
            **values
            | {
                "space": SearchSpace.from_json(values["space"]),
                "search": SearchSettings(**values["search"]),
                "sandwich": SuperSettings(**values["sandwich"]),
                "tune": CompressSettings(**values["tune"]),
                "config": None if config is None else AcceleratorConfig.from_json(config),
            }
        )


@dataclass(frozen=True)
class StudyFolder(StudyFiles):
    """Names of the files of one study.

    Parameters
    ----------
    root : Path
        The folder.
    """

    @classmethod
    def create(cls, root: Path, plan: Plan, model: FloatModel) -> "StudyFolder":
        """Make a folder with a plan and the trained model that is searched.

        Raises
        ------
        RunFolderError
            The folder holds something already.
        """
        folder = cls(Path(root))
        if folder.root.exists() and (not folder.root.is_dir() or any(folder.root.iterdir())):
            raise RunFolderError(
                f"{root} exists; a study needs a new folder: choose another name, or resume that study"
            )
        folder.root.mkdir(parents=True, exist_ok=True)
        model.save(folder.float_model)
        # Written last, so that it marks a whole study.
        write_json(folder.settings, {"gatewright": __version__, **plan.to_json()})
        return folder

    @classmethod
    def open(cls, root: Path) -> "StudyFolder":
        """Open the folder of a study.

        Raises
        ------
        RunFolderError
            There is no study in it.
        """
        folder = cls(Path(root))
        if not folder.settings.is_file():
            raise RunFolderError(f"{root} is no folder of a study; `gatewright search` makes one")
        return folder

    @property
    def plan(self) -> Plan:
        """What `create` noted."""
        try:
            values = json.loads(self.settings.read_text())
            del values["gatewright"]
            return Plan.from_json(values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = error if isinstance(error, GatewrightError) else repr(error)
            raise RunFolderError(f"{self.settings}: no readable settings of a study ({reason})") from error

    @property
    def float_model(self) -> Path:
        """The trained model."""
        return self.root / "float.pt"

    @property
    def journal(self) -> Path:
        """Optuna's journal."""
        return self.root / "journal.log"

    def supernet(self, round: int) -> Path:
        """Give the super network that a round's candidates are cut out of."""
        return self.root / f"supernet-{round}.pt"

    def bundle(self, point: int) -> Path:
        """Give the integer model of a point of `front`."""
        return self.root / "front" / f"{point}.npz"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from running the study; the system frees the lock when this one ends, however it ends.

        Raises
        ------
        RunFolderError
            Another process runs it.
        """
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunFolderError(
                    f"another process runs the study in {self.root}; wait for its end or stop it"
                ) from error
            yield
