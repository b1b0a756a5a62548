"""The folder of a study: plain files, and what was decided when it was made."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gatewright import __version__
from gatewright.cosim.search.settings import SearchSettings
from gatewright.errors import RunFolderError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import device
from gatewright.limits import whole
from gatewright.results import read_rows
from gatewright.run import StudyFiles
from gatewright.storage import locked, make_folder, remove_made, sweep, undone, write_json
from gatewright.sw.models import FloatModel
from gatewright.sw.search.settings import EntropySettings, SuperSettings
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.settings import CompressSettings
from gatewright.sw.tasks import DataSettings, Task, for_model, load_task, save_task
from gatewright.texts import read_object

_WHAT = "readable settings of a study"

TASK = "task.npz"
"""The source of data that were in memory when the study was made: a file in its folder."""

FORMAT = 1
"""Of the folder; a folder of another one is refused."""

_OWN = (
    "settings.json",
    "trials.json",
    "front.json",
    "discretisation.json",
    "rows.json",
    "rows.csv",
    "run.toml",
    "report.html",
    "float.pt",
    TASK,
    "journal.log",
    "supernet-*.pt",
    "trained/*.pt",
    "models/*.npz",
    "figures/*.svg",
    "figures/*.png",
)
"""What a study and the benchmarks beside it write into its folder."""


@dataclass(frozen=True)
class Plan:
    """What a study searches; settled when it is made.

    Parameters
    ----------
    data : DataSettings
        How any process loads the task; paths are absolute, but for `TASK`, which lies in the study's folder.
    space : SearchSpace
    search : SearchSettings
    sandwich : SuperSettings
        How the super network is trained before the first round.
    tune : CompressSettings
        How candidates are trained, but for the epochs.
    gradient : EntropySettings
        How each trial of the method ``entropy`` is trained, but for the seed.
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
    assumed : tuple of str
        Costs that nobody asked a target for, ``cycles`` and ``bits``: the search aims at one of its own, and no point
        misses that.
    """

    data: DataSettings
    space: SearchSpace
    search: SearchSettings
    sandwich: SuperSettings
    tune: CompressSettings
    gradient: EntropySettings = field(default_factory=EntropySettings)
    config: AcceleratorConfig | None = None
    device: str | None = None
    storage: str | None = None
    name: str = "gatewright"
    command: str = ""
    assumed: tuple[str, ...] = ()

    def __post_init__(self):
        if self.device is not None:
            device(self.device)

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
                "data": DataSettings.from_json(values["data"]),
                "space": SearchSpace.from_json(values["space"]),
                "search": SearchSettings.from_json(values["search"]),
                "sandwich": SuperSettings(**values["sandwich"]),
                "tune": CompressSettings(**values["tune"]),
                "gradient": EntropySettings(**values["gradient"]),
                "config": None if config is None else AcceleratorConfig.from_json(config),
                "assumed": tuple(values.get("assumed", ())),
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
    def create(cls, root: Path, plan: Plan, model: FloatModel, task: Task | None = None) -> "StudyFolder":
        """Make a folder with a plan and the trained model that is searched.

        Parameters
        ----------
        root : Path
        plan : Plan
        model : FloatModel
        task : Task, optional
            To be kept in the folder, where the data of the plan are `TASK`.

        Raises
        ------
        RunFolderError
            The folder holds something already.
        """
        folder = cls(Path(root))
        sweep(folder.root)
        # What a killed process left before the settings were written is no study.
        begun = {folder.float_model, folder.root / TASK}
        if folder.root.exists() and (not folder.root.is_dir() or {*folder.root.iterdir()} - begun):
            raise RunFolderError(
                f"{root} exists; a study needs a new folder: choose another name, or resume that study"
            )
        make_folder(folder.root)
        with undone(folder.root, (path.name for path in begun)):
            model.save(folder.float_model)
            if task is not None:
                save_task(task, folder.root / TASK)
            # Written last, so that it marks a whole study.
            folder.write(plan)
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
        values = read_object(self.settings, _WHAT, RunFolderError)
        with whole(self.settings, _WHAT, RunFolderError):
            release, found = values.pop("gatewright"), values.pop("format", FORMAT)
            if found != FORMAT:
                raise RunFolderError(
                    f"{self.root} is a study of format {found}, of Gatewright {release}, and this release reads "
                    f"{FORMAT}: --overwrite begins it again"
                )
            return Plan.from_json(values)

    def write(self, plan: Plan) -> None:
        """Note what the study does; the file appears whole or not at all."""
        write_json(self.settings, {"format": FORMAT, "gatewright": __version__, **plan.to_json()})

    def load_task(self, model: FloatModel) -> Task:
        """Load the task, with its splits; without targets of its own, the model to be searched is its teacher."""
        data = self.plan.data
        if data.source == TASK:
            data = dataclasses.replace(data, source=str(self.root / TASK))
        return for_model(load_task(data), model)

    def remove(self) -> None:
        """Delete what a study made, and the folder if nothing else is in it; the settings last, as they mark a study.

        Raises
        ------
        RunFolderError
            Another process runs the study.
        """
        with self.locked():
            sweep(self.root)
            made = {path.relative_to(self.root).as_posix() for each in _OWN for path in self.root.glob(each)}
            remove_made(self.root, made - {self.settings.name})
            remove_made(self.root, [self.settings.name, self._lock.name])

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

    def trained(self, candidate: Candidate) -> Path:
        """Give the network that a search by gradient trained for a candidate."""
        text = json.dumps(candidate, sort_keys=True)
        return self.root / "trained" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.pt"

    @property
    def models(self) -> Path:
        """Folder of the integer models of `front`."""
        return self.root / "models"

    def bundle(self, name: str) -> Path:
        """Give the integer model of a point of `front`, by its name."""
        return self.models / f"{name}.npz"

    def points(self) -> dict[str, Path]:
        """Give the integer models of the final front, and of what it is compared with, by their names.

        ``best`` is the recommended one, ``p0``, ``p1`` and so on are those that were found, ``uncompressed`` is the
        whole model in 8 bits, and ``uniform0`` and so on have one rank and width for all. Nothing before the front is
        finished.
        """
        if not self.front.exists():
            return {}
        rows = read_rows(self.front)
        names = [str(row.parameters["model"]) for row in rows if row.name == "point_stored_bits"]
        best = [("best", self.bundle(str(row.value))) for row in rows if row.name == "recommended"]
        return dict([*best, *((name, self.bundle(name)) for name in names)])

    def candidates(self) -> tuple[Candidate, ...]:
        """Give the candidates of the final front, the best score first: what another study may begin with."""
        rows = read_rows(self.front) if self.front.exists() else []
        found = (row for row in rows if row.name == "point_stored_bits" and row.parameters["kind"] == "found")
        return tuple(dict(row.parameters["candidate"]) for row in found)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from running the study; the system frees the lock when this one ends, however it ends.

        Raises
        ------
        RunFolderError
            Another process runs it.
        """
        with locked(self._lock, f"runs the study in {self.root}"):
            yield

    @property
    def _lock(self) -> Path:
        return self.root / "lock"
