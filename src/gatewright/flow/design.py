"""An accelerator with its models: compiled, estimated, run bit-exactly, and written as files for FPGA tools."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.clock import Clock
from gatewright.custody import Delivery, Proof, Role
from gatewright.errors import ConfigError, DataError, GatewrightError, RunFolderError
from gatewright.flow.host_files import driver_files, host_files
from gatewright.flow.inputs import as_bundle
from gatewright.flow.kept import kept_rows
from gatewright.flow.settings import BuildSettings, Storage
from gatewright.flow.uncertainty import interval_rows
from gatewright.hw.boards.board import board as board_of
from gatewright.hw.boards.fit import board_config
from gatewright.hw.compiler import Compiled, Mode, compile_bundle
from gatewright.hw.compiler.choose import HardwareChoice, choose_config
from gatewright.hw.compiler.image import Results
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.estimate import Estimate, estimate
from gatewright.hw.fpga.devices import device as named_device
from gatewright.hw.fpga.flows import write_flows
from gatewright.hw.skipping import WHOLE
from gatewright.limits import whole
from gatewright.progress import Progress, silent
from gatewright.quantities import COUNTED
from gatewright.results import Row, write_rows
from gatewright.run import RunFolder
from gatewright.storage import make_folder, undone, write_bytes, write_json
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.behaviour import behaviour_rows
from gatewright.sw.compress.figures import score_rows, shape_rows
from gatewright.sw.mode import POLICY, ModePolicy, sparsity
from gatewright.texts import read_object

DEFAULT_NAME = "model"
"""Of a model that was given without a file."""


PRUNED = 0.25
"""Share of zeros from which a matrix counts as pruned: rounding to 4 bits makes fewer."""

STEPS = 50
"""Steps of the sequence that an estimate is for, unless told otherwise."""


@dataclass(frozen=True)
class DesignModel:
    """One model as the accelerator stores it.

    Parameters
    ----------
    name : str
    bundle : Bundle
    storage : "auto", "dense" or "sparse"
    compiled : Compiled
        What is delivered: it sends the results that a user wants.
    policy : ModePolicy
        Where the storage is "auto".
    """

    name: str
    bundle: Bundle
    storage: Storage
    compiled: Compiled
    policy: ModePolicy = POLICY

    @property
    def proof(self) -> Compiled:
        """The same model with a program that sends every output of the last layer too: what a proof compares."""
        return compile_bundle(
            self.bundle,
            self.compiled.config,
            mode=mode_of(self.storage, self.policy),
            hidden_results="all",
            logit_results=self.compiled.logit_results,
        )

    @property
    def every_step(self) -> bool:
        """Whether results come in every step."""
        return "all" in (self.compiled.logit_results, self.compiled.hidden_results)

    def outputs(self, results: np.ndarray, steps: int) -> np.ndarray:
        """Return the results of a sequence as real numbers, [steps or 1, outputs].

        Logits of a model with a head, else outputs of the last layer: integers times their LSB.
        """
        hidden, logits = self.compiled.split_results(results, steps)
        if self.bundle.head is not None:
            return logits * 2.0**-self.bundle.head.logit_frac
        return hidden * self.bundle.layers[-1].output_format.lsb


@dataclass(frozen=True)
class Design:
    """An accelerator and the models that it runs.

    Parameters
    ----------
    config : AcceleratorConfig
    models : tuple of DesignModel
        At least one; a model that is stored in several ways comes once for each.
    settings : BuildSettings
    chosen : str
        Which lanes were chosen for a board, and why no more; empty where they were settled.
    """

    config: AcceleratorConfig
    models: tuple[DesignModel, ...]
    settings: BuildSettings = field(default_factory=BuildSettings)
    chosen: str = ""

    def model(self, name: str | None = None, storage: Storage | None = None) -> DesignModel:
        """Return a model by name; without one, the first.

        Raises
        ------
        ConfigError
            There is none of that name, or none that is stored so.
        """
        for each in self.models:
            if name in (None, each.name) and storage in (None, each.storage):
                return each
        known = ", ".join(f"{each.name} ({each.storage})" for each in self.models)
        raise ConfigError(f"no model {name or ''} {storage or ''} in this design; there are {known}")

    @property
    def baked(self) -> Compiled | None:
        """The model that the accelerator has in its memories, if it is not to be loaded."""
        return None if self.settings.bake is None else self.model(self.settings.bake).compiled

    def board_folder(self, root: Path) -> Path | None:
        """Return the folder of the design's board in a build; None for no board."""
        return None if self.settings.board is None else root / Path(self.settings.board).stem

    def estimate(
        self,
        steps: int = STEPS,
        *,
        name: str | None = None,
        clock: Clock | None = None,
        device: str | None = None,
    ) -> Estimate:
        """Predict the cycles of every op and of a sequence, and the resources, as high-level synthesis reports do.

        Parameters
        ----------
        steps : int
            Steps of the sequence.
        name : str, optional
            Which model; the first if left out.
        clock : Clock, optional
            What cycles are turned into time with; the clock that the design asks for unless given.
        device : str, optional
            What utilisation is of; the smallest ECP5 that has room unless given.

        Raises
        ------
        ConfigError
            There is no such model or device.
        """
        return estimate(
            self.model(name).compiled,
            steps,
            clock=clock or Clock(self.settings.megahertz),
            device=named_device(device) if device else None,
        )

    def run(self, sequences: Any, *, name: str | None = None) -> Any:
        """Run raw sequences through the golden model, which equals the hardware bit for bit.

        Parameters
        ----------
        sequences : array [steps, features], or a list of such
            Raw features, as the float model takes them.
        name : str, optional
            Which model; the first if left out.

        Returns
        -------
        array [steps or 1, outputs], or a list of such
            Logits of a model with a head, else outputs of the last layer: integers times their LSB.
        """
        from gatewright.cosim.golden import Golden

        model = self.model(name)
        golden = Golden(model.compiled)
        if isinstance(sequences, np.ndarray) and sequences.ndim == 2:
            return _outputs(model, golden, sequences)
        return [_outputs(model, golden, each) for each in sequences]

    def verify(self, data: Any, settings: Any = None, **others: Any) -> "Any":
        """Prove the design on sequences: PyTorch = golden model = RTL, every integer.

        Takes what `flow.verify.verify` does; the files are written to a temporary folder, and the proof, which is about
        their contents, holds for `write`.
        """
        from gatewright.flow.verify import verify_design

        return verify_design(self, data, settings, **others)

    def write(
        self, folder: str | Path, *, proof: Proof | None = None, command: str = "", overwrite: bool = False
    ) -> RunFolder:
        """Write the folder of a build: models, images, Verilog, constraints and FPGA flows, with the hash of each file.

        Parameters
        ----------
        folder : path
        proof : Proof, optional
            What `verify` gave; it is kept beside the files.
        command : str
            What repeats the build.
        overwrite : bool
            Replace a build that is there.

        Raises
        ------
        RunFolderError
            The folder holds something already.
        """
        run = RunFolder.create(Path(folder), overwrite=overwrite, command=command)
        try:
            self.deliver(run)
            if proof is not None:
                proof.save(run.root)
        except BaseException:
            with suppress(GatewrightError, OSError):
                run.discard()
            raise
        return run

    def deliver(self, run: RunFolder) -> Delivery:
        """Write the design into a run folder; its list of files makes it whole, and the rows of the step come last.

        After an error there is nothing of it but models.
        """
        roles: dict[str, Role] = {}
        made: list[str] = []
        with undone(run.root, made):
            self._deliver(run, roles, made)
            delivery = Delivery.of(run.root, roles)
            delivery.save(run.root)
        if not run.rows("quantise").exists():
            write_rows(run.rows("quantise"), list(self._told()))
        write_rows(run.rows("build"), list(self.rows()))
        return delivery

    def _deliver(self, run: RunFolder, roles: dict[str, Role], made: list[str]) -> None:
        """Write the delivered files, note the role of each, and which are not models."""

        def wrote(path: Path, role: Role) -> Path:
            name = path.relative_to(run.root).as_posix()
            roles[name] = role
            if role != "model":
                made.append(name)
            return path

        make_folder(run.root / "images")
        for each in self.models:
            if run.model(each.name).relative_to(run.root).as_posix() not in roles:
                each.bundle.save(wrote(run.model(each.name), "model"))
            each.compiled.save(wrote(run.image(each.name, each.storage), "image"))
        for path, content in host_files(run, self):
            write_bytes(wrote(path, "image"), content)
        write_json(wrote(run.config, "config"), self.config.to_json())
        settings = self.settings
        if settings.mapped or settings.board is not None:
            for path, content in driver_files(run):
                make_folder(path.parent)
                write_bytes(wrote(path, "flow"), content)
        written = write_flows(
            run.root,
            self.config,
            self.baked,
            megahertz=settings.megahertz,
            mapped=settings.mapped,
            board=None if settings.board is None else board_of(settings.board),
        )
        for name in written:
            wrote(run.root / name, _role(name))
        write_json(wrote(run.build, "flow"), self._manifest())

    def rows(self) -> Iterator[Row]:
        """Yield what the compiler and the models of cycles and resources say of the design."""
        for each in self.models:
            at = {"model": each.name, "mode": each.storage}
            for memory, bits in each.compiled.image.stored_bits(self.config).items():
                yield Row("stored_bits", "bits", bits, {**at, "memory": memory})
            found = estimate(each.compiled, STEPS)
            yield Row("estimated_cycles_per_step", "cycles", found.cycles_per_step, at)
            for layer in found.layers:
                inside = {**at, "layer": layer.name or each.name}
                yield Row("layer_cycles", "cycles", layer.matrix, inside)
                yield Row("words_read", "words", layer.work.read, inside)
                yield Row("words_written", "words", layer.work.written, inside)
                yield Row("products", "products", layer.work.products, inside)
                yield Row("useful_products", "products", layer.work.useful, inside)
            modes = each.compiled.modes
            chosen = {**at, "policy": modes.policy, "skip": modes.skip.name.lower()}
            yield Row("input_threshold", "share", modes.input_threshold / WHOLE, chosen)
            for matrix, form in modes.forms.items():
                stored = {**at, "matrix": matrix, "form": "sparse" if form.sparse else "dense"}
                yield Row("zero_weights", "share", form.zeros, stored)
        for name, bundle in {each.name: each.bundle for each in self.models}.items():
            yield from kept_rows(bundle, name)
        for name in COUNTED:
            yield Row(name, "count", getattr(found.resources, name), {"source": "estimate"})
        for used in found.utilisation:
            yield Row(
                "utilisation", "percent", used.percent, {"device": found.device, "resource": used.resource}
            )
        yield Row("clock", "MHz", self.settings.megahertz)

    def _told(self) -> Iterator[Row]:
        """Yield what the models' own notes say of them, for a report."""
        for name, bundle in {each.name: each.bundle for each in self.models}.items():
            if "scores" in bundle.notes:
                yield from score_rows(bundle, name)
                yield from interval_rows(bundle, name)
                yield from shape_rows(bundle, name)
                yield from behaviour_rows(bundle, name)

    def _manifest(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "models": [
                {"name": each.name, "storage": each.storage, "every_step": each.every_step}
                for each in self.models
            ],
            "megahertz": settings.megahertz,
            "bake": settings.bake,
            "policy": asdict(settings.policy),
            "mapped": settings.mapped,
            "board": settings.board,
        }

    @classmethod
    def open(cls, folder: str | Path) -> "Design":
        """Read the design of a build folder.

        Raises
        ------
        RunFolderError
            There is no build, or its list of models is malformed.
        BundleError
            A model or an image is malformed.
        """
        run = RunFolder.open(Path(folder))
        Delivery.load(run.root)
        what = "the list of a build's models"
        values = read_object(run.build, what, RunFolderError)
        with whole(run.build, what, RunFolderError):
            settings = BuildSettings(
                tuple(each["storage"] for each in values["models"]),
                None,
                values["megahertz"],
                values["bake"],
                ModePolicy(**values["policy"]),
                values.get("mapped", False),
                values.get("board"),
            )
            listed = [(_checked(each["name"]), each["storage"]) for each in values["models"]]
        models = tuple(
            DesignModel(
                name,
                Bundle.load(run.model(name)),
                storage,
                Compiled.load(run.image(name, storage)),
                settings.policy,
            )
            for name, storage in listed
        )
        return cls(AcceleratorConfig.load(run.config), models, settings)


def compile_models(
    models: Any,
    choice: HardwareChoice | None = None,
    settings: BuildSettings | None = None,
    progress: Progress = silent,
) -> Design:
    """Compile integer models for one accelerator that runs each of them.

    Parameters
    ----------
    models : Bundle, a result that has one, a path, or a dict or sequence of these
        A dict names them; files are named by their stem.
    choice : HardwareChoice, optional
        Which accelerator: given, the smallest, or the fastest on a device; the smallest unless told otherwise, and with
        a board in the settings the one with the most lanes that fit it.
    settings : BuildSettings, optional
    progress : Progress

    Raises
    ------
    BundleError
        A model is malformed.
    ConfigError, CapacityError
        No such accelerator holds the models; the text says what is short.
    """
    choice, settings = choice or HardwareChoice(), settings or BuildSettings()
    named = _named(models)
    wanted = [
        (name, bundle, storage) for name, bundle in named.items() for storage in _storages(bundle, settings)
    ]
    stored = [(bundle, mode_of(storage, settings.policy)) for _, bundle, storage in wanted]
    if settings.board is not None and not (choice.config or choice.device):
        config, chosen = board_config(stored, board_of(settings.board), **choice.settled)
    else:
        every_step = any("all" in _results(bundle, settings.every_step) for bundle in named.values())
        config, chosen = choose_config(stored, choice, every_step=every_step, progress=progress), ""
    if settings.bake is not None and settings.bake not in named:
        raise ConfigError(f"no model named {settings.bake!r} to bake; there are {', '.join(named)}")
    if settings.bake is not None and len(wanted) > 1:
        raise ConfigError(
            f"an accelerator with a baked model runs nothing else: build {settings.bake!r} alone, stored in one way"
        )
    made = []
    for name, bundle, storage in wanted:
        hidden, logits = _results(bundle, settings.every_step)
        mode = mode_of(storage, settings.policy)
        compiled = compile_bundle(bundle, config, mode=mode, hidden_results=hidden, logit_results=logits)
        made.append(DesignModel(name, bundle, storage, compiled, settings.policy))
    return Design(
        config, tuple(made), replace(settings, storage=tuple(each.storage for each in made)), chosen
    )


def mode_of(storage: Storage, policy: ModePolicy) -> Mode | ModePolicy:
    """Return how the compiler stores matrices for a choice of storage."""
    return policy if storage == "auto" else storage


def _storages(bundle: Bundle, settings: BuildSettings) -> Iterator[Storage]:
    """Yield the ways that a model is stored: of several, sparse only where there are zeros to leave out."""
    pruned = any(sparsity(matrix.values) >= PRUNED for matrix, _ in bundle.matrices.values())
    for storage in settings.storage:
        if storage != "sparse" or pruned or settings.storage == ("sparse",):
            yield storage


def _results(bundle: Bundle, every_step: bool | None) -> tuple[Results, Results]:
    """Return when outputs of the last layer, and logits, are sent."""
    wanted = bundle.notes.get("every_step", bundle.head is None) if every_step is None else every_step
    when: Results = "all" if wanted else "last"
    return ("none", when) if bundle.head is not None else (when, "none")


def _named(models: Any) -> dict[str, Bundle]:
    if isinstance(models, Mapping):
        named = {str(name): as_bundle(each) for name, each in models.items()}
    else:
        given: Sequence[Any] = models if isinstance(models, list | tuple) else [models]
        named = {}
        for number, each in enumerate(given):
            plain = DEFAULT_NAME if len(given) == 1 else f"{DEFAULT_NAME}{number}"
            name = Path(each).stem if isinstance(each, str | Path) else plain
            if name in named:
                raise ConfigError(f"two models are named {name!r}; rename one file, or give a dict of names")
            named[name] = as_bundle(each)
    if not named:
        raise ConfigError("at least one model is needed")
    for name in named:
        _checked(name)
    return named


def _checked(name: str) -> str:
    """Return a model's name, which is that of its files, if it is one."""
    if not re.fullmatch(r"[\w+][\w+.-]*", name):
        raise ConfigError(
            f"a model's name has letters, digits, '-', '_', '+' and '.' only, and begins with neither '-' nor '.', "
            f"unlike {name!r}; rename the file"
        )
    return name


def _role(name: str) -> Role:
    """Return what a file of the flows is: the top for timing runs computes nothing that is delivered."""
    return "rtl" if name.startswith("rtl/") and "serial" not in name else "flow"


def _outputs(model: DesignModel, golden: Any, raw: Any) -> np.ndarray:
    x = np.asarray(raw)
    if x.ndim != 2:
        raise DataError(f"a sequence must be [steps, {model.bundle.input_size}], not of shape {x.shape}")
    sent = golden.run(model.bundle.quantise_input(x))
    return model.outputs(np.asarray(sent), len(x))
