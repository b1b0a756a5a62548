"""A folder of named models, whatever made them, with their build, its proof and the rows that were measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright import __version__
from gatewright.custody import DELIVERY, PROOF, Delivery
from gatewright.errors import GatewrightError, RunFolderError, shell_word
from gatewright.storage import make_folder, sweep, write_json, writing
from gatewright.texts import read_object

FORMAT = 2
"""Of the folder; a folder of another one is refused."""

_MARKER = "run.json"

STEPS = ("train", "quantise", "simplify", "build", "verify", "synth")
"""The commands that leave rows in a run folder."""

_OWN = (
    "*.toml",
    DELIVERY,
    PROOF,
    "summary.json",
    "report.html",
    "rows.json",
    "rows.csv",
    "mismatches.txt",
    "models/*.pt",
    "models/*.npz",
    "rows/*.json",
    "figures/*.svg",
    "figures/*.png",
)
"""What the package writes into a run folder, beside the files of a build, which its delivery lists."""


_COMMANDS = {
    "train": "gatewright train --data DATA -o model.pt",
    "quantise": "gatewright quantise model.pt --data DATA -o model.npz",
    "simplify": "gatewright simplify model.pt --data DATA -o model.npz",
    "build": "gatewright build model.npz -o {root}",
    "verify": "gatewright verify {root} --data DATA",
    "synth": "gatewright synth {root}",
    "search": "gatewright search model.pt --data DATA -o {root}",
    "point": "gatewright build {root} --point best -o fpga",
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
        """Return the command that a reader types for a step; ``point`` builds the recommended point of a study."""
        return _COMMANDS[step].format(root=shell_word(self.root))


def parallelism(candidate: Mapping[str, Any]) -> str:
    """Return the options of `build` for the lanes and cell lanes that a candidate of a search chose, if it did."""
    options = {"hardware.lanes": "--lanes", "hardware.cell_lanes": "--cell-lanes"}
    return "".join(f" {option} {candidate[name]}" for name, option in options.items() if name in candidate)


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
    """Names of the files of one run; nothing else in the package spells them.

    Parameters
    ----------
    root : Path
        The folder.
    """

    @classmethod
    def create(cls, root: Path, *, overwrite: bool = False, **notes: Any) -> "RunFolder":
        """Make a run folder.

        Parameters
        ----------
        root : Path
        overwrite : bool
            Remove what an earlier run left there, and nothing else.
        **notes
            What the report shows of the run; plain JSON values.

        Raises
        ------
        RunFolderError
            The folder holds a run already and `overwrite` is not set, or it holds something else. What a killed command
            left before any step was finished is no run.
        StorageError
            The folder cannot be written.
        """
        cls.check_free(root, overwrite=overwrite)
        run = cls(Path(root))
        if (run.root / _MARKER).is_file():
            run.clear()
        make_folder(run.root)
        # Before the folders, so that what is left of a killed command is known.
        write_json(run.root / _MARKER, {"format": FORMAT, "gatewright": __version__, **notes})
        for folder in ("models", "images", "rows"):
            make_folder(run.root / folder)
        return run

    @classmethod
    def check_free(cls, root: Path, *, overwrite: bool = False) -> None:
        """Refuse a folder in which `create` would make no run, before any work is done.

        Raises
        ------
        RunFolderError
            As for `create`.
        """
        root = Path(root)
        if root.is_symlink() or (root.exists() and not root.is_dir()):
            raise RunFolderError(f"{root} is a link or a file, not a folder; choose another name")
        sweep(root)
        if not root.exists() or not any(root.iterdir()):
            return
        if not (root / _MARKER).is_file():
            raise RunFolderError(f"{root} exists and holds no run of Gatewright; choose another name")
        if not overwrite and any((root / "rows").glob("*.json")):
            raise RunFolderError(
                f"{root} holds a run already; choose another name, or --overwrite replaces it"
            )

    @classmethod
    def open(cls, root: Path) -> "RunFolder":
        """Open an existing run folder.

        Raises
        ------
        RunFolderError
            There is no run in it, or one of another format.
        """
        run = cls(Path(root))
        if not (run.root / _MARKER).is_file():
            raise RunFolderError(
                f"{root} is no run folder; `gatewright build MODEL -o {shell_word(root)}` makes one"
            )
        found = run.notes.get("format")
        if found != FORMAT:
            raise RunFolderError(
                f"{root} is a run folder of format {found}, of Gatewright {run.notes.get('gatewright')}, and this "
                f"release reads {FORMAT}: --overwrite makes it again"
            )
        return run

    @property
    def notes(self) -> dict[str, Any]:
        """What `create` noted."""
        return read_object(self.root / _MARKER, "the notes of a run folder", RunFolderError)

    @property
    def models(self) -> dict[str, Path]:
        """The integer models by name."""
        return {path.stem: path for path in sorted((self.root / "models").glob("*.npz"))}

    def model(self, name: str) -> Path:
        """The integer model of a name."""
        return self.root / "models" / f"{name}.npz"

    def float_model(self, name: str = "float") -> Path:
        """The float model of a name."""
        return self.root / "models" / f"{name}.pt"

    def image(self, name: str, mode: str) -> Path:
        """The image and program of a model in a mode of storage."""
        return self.root / "images" / f"{name}.{mode}.npz"

    def load_files(self, name: str, mode: str) -> tuple[Path, Path]:
        """The words that load the image, as bytes and as text."""
        image = self.image(name, mode)
        return image.with_name(f"{name}.{mode}.bin"), image.with_name(f"{name}.{mode}.hex")

    @property
    def wire(self) -> Path:
        """Formats of the inputs and results of each model."""
        return self.root / "wire.json"

    @property
    def config(self) -> Path:
        """The accelerator's configuration."""
        return self.root / "config.json"

    @property
    def build(self) -> Path:
        """What the build was asked for: models, modes, clock, device."""
        return self.root / "build.json"

    @property
    def rtl(self) -> Path:
        """The folder of the Verilog."""
        return self.root / "rtl"

    @property
    def search(self) -> Path:
        """The folder of the study."""
        return self.root / "search"

    @property
    def mismatches(self) -> Path:
        """What the checkers said, if any integer differed."""
        return self.root / "mismatches.txt"

    @property
    def summary(self) -> Path:
        """Headline figures."""
        return self.root / "summary.json"

    def rows(self, step: str) -> Path:
        """The rows of a step; written last, so that they mark a finished step."""
        return self.root / "rows" / f"{step}.json"

    def need(self, step: str) -> None:
        """See that a step has finished.

        Raises
        ------
        RunFolderError
            It has not; the text names the command.
        """
        if not self.rows(step).is_file():
            raise RunFolderError(f"{self.rows(step)} is missing; run `gatewright {step}` first")

    def clear(self) -> None:
        """Remove what the package wrote there, but for the mark that it is a run; what is of others stays."""
        self.clear_build()
        sweep(self.root)
        for pattern in _OWN:
            for path in self.root.glob(pattern):
                with writing(path):
                    path.unlink()
        self._prune("models", "images", "rows", "figures")

    def discard(self) -> None:
        """Clear a run that came to nothing; its mark stays beside files of others, so that it can be made again."""
        self.clear()
        if [*self.root.iterdir()] == [self.root / _MARKER]:
            with writing(self.root):
                (self.root / _MARKER).unlink()

    def clear_build(self) -> None:
        """Remove a build and its proof; raises nothing where there is none."""
        if (self.root / DELIVERY).is_file():
            try:
                files = list(Delivery.load(self.root).files)
            except GatewrightError:
                files = []
            for name in files:
                path = self.root / name
                if path.resolve().is_relative_to(self.root.resolve()) and name.partition("/")[0] != "models":
                    with writing(path):
                        path.unlink(missing_ok=True)
            self._prune(*{name.partition("/")[0] for name in files if "/" in name} - {"models"})
        own = [self.root / DELIVERY, self.root / PROOF, self.build, self.config, self.mismatches]
        for path in (*own, *map(self.rows, ("build", "verify", "synth"))):
            with writing(path):
                path.unlink(missing_ok=True)

    def _prune(self, *folders: str) -> None:
        """Remove folders that are empty now."""
        for name in folders:
            folder = self.root / name
            if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
                folder.rmdir()
