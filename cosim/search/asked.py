"""What a study is to be: asked for by a user, settled as a plan, and compared with a study that is there."""

import filecmp
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from gatewright.cosim.search.aims import aims, uncompressed, untrained
from gatewright.cosim.search.folder import TASK, Plan, StudyFolder
from gatewright.cosim.search.hardware import device_choices, shared_config, space_config
from gatewright.cosim.search.records import Records
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.weights import weight_of
from gatewright.errors import CapacityError, ConfigError, RunFolderError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import Device
from gatewright.hw.fpga.devices import device as device_of
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.parameters import HARDWARE, Choices
from gatewright.sw.search.settings import EntropySettings, SuperSettings
from gatewright.sw.search.space import HIDDEN_SHARES, Granularity, SearchSpace
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import Columns, CompressionSpec
from gatewright.sw.tasks import DataSettings, Task, for_model, load_task, save_task

_MOST_LANES = 512

_UPDATES = 360, 3600
"""Updates of the super network, and of each search by gradient: at least and at most, about."""

_LEAST_EPOCHS = 4
"""Of a search by gradient: the fewest that `EntropySettings` takes."""


@dataclass(frozen=True)
class Scope:
    """What a study searches, and for which hardware.

    Unless `choices` says otherwise, a layer may keep each of `HIDDEN_SHARES` of its hidden units. On a device the
    lanes and cell lanes are searched, as `device_choices` has them, unless `lanes` or `choices` say something of them.

    Parameters
    ----------
    granularity : "network" or "matrix"
        Of the parameters that `choices` leaves as they are.
    choices : dict of tuples
        Candidate values of the user's own, as `SearchSpace.changed` takes them; `choices.read_choices` reads them.
    lanes : int, optional
        Lanes of the accelerator, where they are not searched; None for the fewest from 32 up that hold the model, or as
        many as a small model has rows; on a device, the most that fit.
    activation_bits : int
        Width of inputs and hidden values, where it is not searched: 8 or 16 bits.
    columns : Columns
        Weights of each column, where that is not searched.
    device : str, optional
        The FPGA that the accelerator must fit.
    storage : str, optional
        Optuna's storage by URL; None for a journal in the study's folder.

    Raises
    ------
    ConfigError
        There is no such device.
    """

    granularity: Granularity = "network"
    choices: Choices = field(default_factory=dict)
    lanes: int | None = None
    activation_bits: int = CompressionSpec.activation_bits
    columns: Columns = CompressionSpec.columns
    device: str | None = None
    storage: str | None = None

    def __post_init__(self):
        if self.device is not None:
            device_of(self.device)

    @property
    def open_device(self) -> Device | None:
        """The device whose lanes and cell lanes are to be searched; None where the user settled them or named none."""
        named = {name.rpartition(".")[2] for name in self.choices}
        settled = self.lanes is not None or not named.isdisjoint(HARDWARE)
        return None if settled or self.device is None else device_of(self.device)

    def space(self, network: LstmNetwork, lanes: int, hardware: Choices | None = None) -> SearchSpace:
        """Give the space of a network, for an accelerator of so many lanes, or one that is chosen.

        Raises
        ------
        ConfigError
            A choice is not legal; the text names it.
        """
        space = SearchSpace.of(
            network,
            self.granularity,
            lanes=lanes,
            activation_bits=self.activation_bits,
            columns=self.columns,
            hidden=HIDDEN_SHARES,
            hardware=hardware,
        )
        return space.changed(self.choices)


@dataclass(frozen=True)
class Asked:
    """What a search is asked for; the parameters are those of `start.search`."""

    model: FloatModel
    given: Task | DataSettings
    settings: SearchSettings
    scope: Scope
    tune: CompressSettings | None
    gradient: EntropySettings | None

    @property
    def data(self) -> DataSettings:
        """How any process finds the data, wherever it runs."""
        given = self.given.source if isinstance(self.given, Task) else self.given
        if given is None:
            return DataSettings(TASK)
        path = Path(given.source)
        return replace(given, source=str(path.resolve())) if path.exists() else given

    @property
    def memory(self) -> Task | None:
        """The task, where nothing else than memory holds its data."""
        return self.given if isinstance(self.given, Task) and self.given.source is None else None

    def task(self) -> Task:
        task = self.given if isinstance(self.given, Task) else load_task(self.given)
        return for_model(task, self.model)

    def tuning(self, task: Task) -> CompressSettings:
        return self.tune or replace(task.compression, seed=self.settings.seed)

    def plan(self) -> Plan:
        """Give the plan of a new study.

        Raises
        ------
        ConfigError
            A setting is not legal, or the hardware is too large.
        """
        task = self.task()
        tune = self.tuning(task)
        space, config = self._sized(task)
        for candidate in self.settings.known:
            space.check(candidate)
        plan = Plan(
            data=self.data,
            space=space,
            search=self.settings,
            sandwich=replace(
                SuperSettings.of(tune),
                seed=self.settings.seed,
                epochs=epochs_of(task, self.model, SuperSettings.epochs),
            ),
            tune=tune,
            gradient=self.gradient or gradient_of(task, self.model, tune),
            device=self.scope.device,
            storage=self.scope.storage,
        )
        if config is not None:
            plan = replace(plan, config=shared_config(plan, config))
        bundle, costs = uncompressed(task, self.model, plan)
        wanted = self.settings.target_score
        weight = weight_of(task, evaluate(bundle, task.validation, task.metric))
        asked = {"cycles": self.settings.target_cycles, "bits": self.settings.target_bits}
        assumed = tuple(name for name, target in asked.items() if target is None)
        cycles, bits = aims(task, self.model, plan, costs) if assumed else (None, None)
        search = replace(
            self.settings,
            target_quality=None if wanted is None else task.metric.quality(wanted),
            target_cycles=_first(self.settings.target_cycles, cycles),
            target_bits=_first(self.settings.target_bits, bits),
            cycles_weight=_first(self.settings.cycles_weight, weight),
            bits_weight=_first(self.settings.bits_weight, weight),
        )
        return replace(plan, search=search, assumed=assumed)

    def go_on(self, study: StudyFolder) -> None:
        """Make sure that a study is the one that is asked for, and give it the trials that are missing.

        Raises
        ------
        RunFolderError
            It is another.
        """
        plan = study.plan
        have = plan.search
        search = replace(
            self.settings,
            trials=have.trials,
            target_quality=have.target_quality,
            target_cycles=self.settings.target_cycles or have.target_cycles,
            target_bits=self.settings.target_bits or have.target_bits,
            cycles_weight=_first(self.settings.cycles_weight, have.cycles_weight),
            bits_weight=_first(self.settings.bits_weight, have.bits_weight),
            extensions=have.extensions,
        )
        hardware = (
            {name: plan.space.choices.get(f"hardware.{name}", ()) for name in HARDWARE}
            if self.scope.open_device
            else {}
        )
        space = self.scope.space(
            self.model.network,
            self.scope.lanes or plan.space.lanes,
            {name: values for name, values in hardware.items() if values},
        )
        gradient = self.gradient or plan.gradient
        asked = (search, space, self.scope.device, self.scope.storage, gradient, self.data)
        if asked != (have, plan.space, plan.device, plan.storage, plan.gradient, plan.data):
            raise RunFolderError(
                f"{study.root} holds a study with other settings; choose another folder, or delete that one"
            )
        if not same_model(self.model, FloatModel.load(study.float_model)):
            raise RunFolderError(f"{study.root} holds a study of another model; choose another folder")
        if self.memory is not None and not _same_task(self.memory, study.root / TASK):
            raise RunFolderError(f"{study.root} holds a study of other data; choose another folder")
        if self.tuning(self.task()) != plan.tune:
            raise RunFolderError(
                f"{study.root} holds a study whose candidates are trained otherwise; choose another folder"
            )
        if self.settings.trials not in (have.trials, have.all_trials):
            with study.locked():
                finished = len(Records(study, plan).finished())
                study.write(replace(plan, search=have.extended(self.settings.trials, finished)))

    def _sized(self, task: Task) -> tuple[SearchSpace, AcceleratorConfig | None]:
        """Give the space, and the accelerator that all candidates share; None where each has its own."""
        network = self.model.network
        if (found := self.scope.open_device) is not None:
            space = self.scope.space(network, CompressionSpec.lanes)
            whole = untrained(task, self.model, network, space.uncompressed)
            hardware = device_choices(whole, found)
            return self.scope.space(network, max(hardware["lanes"]), hardware), None
        rows = min(layer.recurrent.rows for layer in network.layers)
        lanes = self.scope.lanes or min(CompressionSpec.lanes, 1 << (rows.bit_length() - 1))
        while True:
            space = self.scope.space(network, lanes)
            if not space.one_configuration:
                return space, None
            try:
                return space, space_config(task, self.model, space)
            except (ConfigError, CapacityError):
                if self.scope.lanes or lanes == _MOST_LANES:
                    raise
            lanes *= 2


def same_model(one: FloatModel, other: FloatModel) -> bool:
    """Tell whether two models compute the same from the same raw inputs, and are trained further alike."""
    parts, others = one.network.state_dict(), other.network.state_dict()
    return (
        parts.keys() == others.keys()
        and all(torch.equal(part, others[name]) for name, part in parts.items())
        and (one.mean == other.mean).all()
        and (one.deviation == other.deviation).all()
        and one.labels == other.labels
        and one.settings == other.settings
    )


def gradient_of(task: Task, model: FloatModel, tune: CompressSettings) -> EntropySettings:
    """Give how a search by gradient learns: at a rate that suits the data, in epochs that suit their number."""
    epochs = max(_LEAST_EPOCHS, epochs_of(task, model, EntropySettings.epochs))
    return replace(EntropySettings.of(tune), epochs=epochs)


def epochs_of(task: Task, model: FloatModel, usual: int) -> int:
    """Give the usual epochs; more for few sequences, fewer for many or long ones, as updates are what counts."""
    settings = model.settings
    steps = max(map(len, task.train.sequences))
    updates = -(-len(task.train) // settings.batch) * -(-steps // settings.chunk)
    least, most = (-(-count // updates) for count in _UPDATES)
    return min(max(usual, least), most)


def _first(asked: float | None, other: float | None) -> float | None:
    return other if asked is None else asked


def _same_task(task: Task, path: Path) -> bool:
    """Tell whether a file holds a task."""
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        save_task(task, Path(temporary) / TASK)
        return filecmp.cmp(Path(temporary) / TASK, path, shallow=False)
