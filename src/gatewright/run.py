"""The run folder: plain files that the steps leave for one another."""

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from gatewright import __version__
from gatewright.errors import RunFolderError
from gatewright.storage import write_json

_MARKER = "run.json"

_OUTPUTS = {
    "train": ("rows/train.json", "float.pt"),
    "simplify": ("rows/simplify.json", "simplified.npz"),
    "quantise": ("rows/quantise.json", "models"),
    "patterns": ("rows/patterns.json",),
    "build": ("rows/build.json", "compiled", "config.json"),
    "verilog": ("verilog",),
    "synth": ("rows/synth.json",),
    "verify": ("rows/verify.json", "mismatches.txt"),
    "search": ("search",),
    "report": ("summary.json", "report.html", "figures", "rows.json", "rows.csv"),
}
"""What each step leaves. The first is written last, so that it marks a finished step."""

_NEXT = {
    "train": ("quantise", "patterns", "search", "simplify"),
    "patterns": ("report",),
    "search": (),
    "simplify": (),
    "quantise": ("build",),
    "build": ("verilog", "synth", "verify"),
    "verilog": (),
    "synth": ("report",),
    "verify": ("report",),
    "report": (),
}
"""Steps that read what a step leaves."""


_COMMANDS = {
    "train": "gatewright train DATA -o {root}",
    "quantise": "gatewright quantise MODEL.pt --data DATA -o {root}",
    "simplify": "gatewright simplify MODEL.pt --data DATA -o {root}",
    "build": "gatewright build MODEL.npz -o {root}",
    "verify": "gatewright verify {root} --data DATA",
    "synth": "gatewright synth {root}",
    "search": "gatewright search MODEL.pt --data DATA -o {root}",
    "point": "gatewright build {root} --point best -o fpga/",
}


@dataclass(frozen=True)
class ReportFolder:
    """Names of the files of a report.

    Parameters
    ----------
    root : Path
        The folder.
    """

    root: Path

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / "report.html"

    @property
    def figures(self) -> Path:
        """The folder of the report's figures."""
        return self.root / "figures"

    @property
    def all_rows(self) -> tuple[Path, Path]:
        """All rows together, as JSON and as CSV."""
        return self.root / "rows.json", self.root / "rows.csv"

    def command(self, step: str) -> str:
        """Return the command that makes what a step leaves here."""
        return _COMMANDS[step].format(root=shlex.quote(str(self.root)))


@dataclass(frozen=True)
class StudyFiles(ReportFolder):
    """Names of the files of a study that are read without running it."""

    @property
    def settings(self) -> Path:
        """What it searches, and how."""
        return self.root / "settings.json"

    @property
    def trials(self) -> Path:
        """Rows of all finished trials."""
        return self.root / "trials.json"

    @property
    def front(self) -> Path:
        """Rows of the final front and of what it is compared with."""
        return self.root / "front.json"

    def benchmark(self, name: str) -> Path:
        """Rows of a benchmark that a reader wants beside it."""
        return self.root / f"{name}.json"


@dataclass(frozen=True)
class RunFolder(ReportFolder):
    """Names of the files of one run; nothing else in the package spells them."""

    @classmethod
    def create(cls, root: Path, settings: dict, *, overwrite: bool) -> "RunFolder":
        """Make a new run folder and note its settings (task, seed, ...).

        Raises
        ------
        RunFolderError
            The folder exists and `overwrite` is not set, or it is something else than a run.
        """
        root = Path(root)
        if root.exists():
            if not root.is_dir() or (any(root.iterdir()) and not (root / _MARKER).is_file()):
                raise RunFolderError(f"{root} exists and is no run folder; choose another name")
            if not overwrite:
                raise RunFolderError(
                    f"the run folder {root} exists; choose another name, or --overwrite to replace it"
                )
            shutil.rmtree(root)
        (root / "rows").mkdir(parents=True)
        write_json(root / _MARKER, {"gatewright": __version__, **settings})
        return cls(root)

    @classmethod
    def open(cls, root: Path) -> "RunFolder":
        """Open an existing run folder.

        Raises
        ------
        RunFolderError
            There is no run in it.
        """
        run = cls(Path(root))
        if not (run.root / _MARKER).is_file():
            raise RunFolderError(f"{root} is no run folder; `gatewright train --run {root}` makes one")
        return run

    @property
    def settings(self) -> dict:
        """What `create` noted."""
        try:
            return json.loads((self.root / _MARKER).read_text())
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{self.root / _MARKER}: unreadable ({error})") from error

    @property
    def float_model(self) -> Path:
        """The trained float model."""
        return self.root / "float.pt"

    @property
    def simplified(self) -> Path:
        """The integer model that was compressed to a requirement."""
        return self.root / "simplified.npz"

    @property
    def search(self) -> Path:
        """The folder of the study, unless it has another place."""
        return self.root / "search"

    @property
    def config(self) -> Path:
        """The accelerator's configuration."""
        return self.root / "config.json"

    @property
    def flows(self) -> Path:
        """The folder with the Verilog, and a folder for each FPGA flow."""
        return self.root / "verilog"

    @property
    def mismatches(self) -> Path:
        """What the checkers said, if any integer differed."""
        return self.root / "mismatches.txt"

    @property
    def summary(self) -> Path:
        """Headline figures of the run."""
        return self.root / "summary.json"

    @property
    def models(self) -> dict[str, Path]:
        """The integer models by name, whatever made them."""
        return {path.stem: path for path in sorted((self.root / "models").glob("*.npz"))}

    def model(self, name: str) -> Path:
        """Return the place of an integer model."""
        return self.root / "models" / f"{name}.npz"

    def rows(self, step: str) -> Path:
        """Give the result rows of a step."""
        return self.root / _OUTPUTS[step][0]

    def bundle(self, density: float) -> Path:
        """Give the integer model of a density."""
        return self.model(f"density-{density:g}")

    def compiled(self, density: float, mode: str, results: str) -> Path:
        """Give the image and program of a density and mode; `results` is ``logits`` or ``hidden``."""
        return self.root / "compiled" / f"density-{density:g}-{mode}-{results}.npz"

    @property
    def densities(self) -> list[float]:
        """Densities that have a bundle, the densest first."""
        return sorted((float(name.removeprefix("density-")) for name in self.models), reverse=True)

    def need(self, *steps: str) -> None:
        """See that steps have finished.

        Raises
        ------
        RunFolderError
            One has not; the text names it.
        """
        for step in steps:
            marker = self.root / _OUTPUTS[step][0]
            if not marker.exists():
                raise RunFolderError(f"{marker} is missing; run `gatewright {step} --run {self.root}` first")

    def start(self, step: str, *, overwrite: bool) -> None:
        """Prepare for a step: refuse what it made before, or remove that and all that other steps made of it.

        Raises
        ------
        RunFolderError
            An output exists and `overwrite` is not set.
        """
        existing = [path for path in self._outputs(step) if path.exists()]
        if existing and not overwrite:
            raise RunFolderError(f"{existing[0]} exists; --overwrite replaces it")
        self._remove(step)
        for folder in ("models", "compiled", "verilog"):
            if folder in _OUTPUTS[step]:
                (self.root / folder).mkdir()

    def _outputs(self, step: str) -> list[Path]:
        return [self.root / name for name in _OUTPUTS[step]]

    def _remove(self, step: str) -> None:
        for path in self._outputs(step):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for following in _NEXT[step]:
            self._remove(following)
