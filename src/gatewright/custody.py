"""Which files a build delivered, and which of them a proof holds for: all by hash.

A proof is about contents, not names: it lists the sha256 of each file that was simulated or compared. A file whose
contents are others now is unproven, whoever changed it and why.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from gatewright import __version__
from gatewright.errors import RunFolderError, shell_word
from gatewright.limits import MOST_BYTES, whole
from gatewright.storage import write_json
from gatewright.texts import read_object

DELIVERY, PROOF = "custody.json", "proof.json"
"""Names of the two files in the folder of a build."""

Role = Literal["config", "model", "image", "rtl", "flow"]
"""What a delivered file is. Those of ``flow`` (constraints, scripts, the top for timing runs) compute nothing."""

Verdict = Literal["PASS", "FAIL", "UNPROVEN"]
"""Every claim holds for the files as they are; a claim failed; or some file was never proven, or changed since."""


Engine = Literal["verilator", "cxxrtl"]
"""What simulates the delivered text: Verilator, or Yosys's CXXRTL, which share no code."""


def sha256(path: Path) -> str:
    """Return the sha256 of a file's contents, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Delivered:
    """One file of a build: its role and the sha256 of what was written."""

    role: Role
    sha256: str

    def __post_init__(self):
        if self.role not in get_args(Role) or not isinstance(self.sha256, str):
            raise RunFolderError(f"no role {self.role!r} with a hash {self.sha256!r}")


@dataclass(frozen=True)
class Delivery:
    """All files that a build wrote.

    Parameters
    ----------
    files : dict of Delivered
        By path relative to the build's folder, with ``/`` between names.
    """

    files: Mapping[str, Delivered]

    @classmethod
    def of(cls, root: Path, roles: Mapping[str, Role]) -> "Delivery":
        """Take the hashes of files as they are now."""
        return cls({name: Delivered(role, sha256(root / name)) for name, role in sorted(roles.items())})

    @property
    def to_prove(self) -> list[str]:
        """The files that decide what the accelerator computes."""
        return [name for name, file in self.files.items() if file.role != "flow"]

    def changed(self, root: Path) -> list[str]:
        """Return the files that are missing or have other contents than were delivered."""
        return [name for name, file in self.files.items() if _now(root / name) != file.sha256]

    def save(self, root: Path) -> None:
        """Write the list to the build's folder."""
        write_json(root / DELIVERY, {"gatewright": __version__, **asdict(self)})

    @classmethod
    def load(cls, root: Path) -> "Delivery":
        """Read the list of a build's files.

        Raises
        ------
        RunFolderError
            There is none, or it is malformed.
        """
        if not (root / DELIVERY).is_file():
            raise RunFolderError(
                f"{root} holds no build; `gatewright build MODEL -o {shell_word(root)}` makes one"
            )
        path, what = root / DELIVERY, "a list of delivered files"
        values = read_object(path, what, RunFolderError)
        with whole(path, what, RunFolderError):
            files = {name: Delivered(**entry) for name, entry in values["files"].items()}
            _check_names(path, files)
            return cls(files)


@dataclass(frozen=True)
class Claim:
    """Two implementations that were compared on every integer.

    Parameters
    ----------
    pair : str
        Which two, for example ``golden = RTL``.
    model, mode : str
        The model's name, and how it was stored; empty where the claim is about all.
    compared, mismatches : int
        Integers compared, and how many of them differ.
    engine : Engine
        The simulator; empty where none was needed.
    """

    pair: str
    model: str
    mode: str
    compared: int
    mismatches: int
    engine: Engine | Literal[""] = ""

    @property
    def text(self) -> str:
        """The pair, with the simulator behind it."""
        return f"{self.pair} ({self.engine})" if self.engine else self.pair

    def __post_init__(self):
        texts = all(isinstance(each, str) for each in (self.pair, self.model, self.mode))
        if not texts or any(type(each) is not int or each < 0 for each in (self.compared, self.mismatches)):
            raise RunFolderError(
                f"a claim names a pair, a model and a mode and has two counts, unlike {self!r}"
            )

    @property
    def holds(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return self.compared > 0 and self.mismatches == 0


class Claims:
    """What several claims add up to."""

    claims: tuple[Claim, ...]

    @property
    def compared(self) -> int:
        """Integers compared in all."""
        return sum(claim.compared for claim in self.claims)

    @property
    def mismatches(self) -> int:
        """Integers that differ in all."""
        return sum(claim.mismatches for claim in self.claims)


@dataclass(frozen=True)
class Proof(Claims):
    """What was proven, and for which contents.

    Parameters
    ----------
    files : dict of str
        sha256 of every file that the claims are about, by path relative to the build's folder.
    claims : tuple of Claim
    data : dict
        The sequences that were run: name, sequences, steps; plain JSON values.
    command : str
        What repeats it.
    """

    files: Mapping[str, str]
    claims: tuple[Claim, ...]
    data: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""

    def unproven(self, root: Path) -> tuple[str, ...]:
        """Return the delivered files that the claims do not hold for: never proven, changed since, or missing.

        Files of the role ``flow`` are named too where they are no longer those that were delivered.
        """
        delivery = Delivery.load(root)
        missing = [name for name in delivery.to_prove if self.files.get(name) != _now(root / name)]
        return tuple(sorted({*missing, *delivery.changed(root)}))

    def verdict(self, root: Path) -> Verdict:
        """Judge the folder as it is now."""
        if not all(claim.holds for claim in self.claims) or not self.claims:
            return "FAIL"
        return "UNPROVEN" if self.unproven(root) else "PASS"

    def save(self, root: Path) -> None:
        """Write the proof to the build's folder."""
        write_json(root / PROOF, {"gatewright": __version__, **asdict(self)})

    @classmethod
    def load(cls, root: Path) -> "Proof | None":
        """Read the proof of a build; None where it has not been verified.

        Raises
        ------
        RunFolderError
            The file is malformed.
        """
        if not (root / PROOF).is_file():
            return None
        values = read_object(root / PROOF, "a proof", RunFolderError)
        with whole(root / PROOF, "a proof", RunFolderError):
            claims = tuple(Claim(**claim) for claim in values["claims"])
            return cls(dict(values["files"]), claims, dict(values["data"]), str(values["command"]))


def _now(path: Path) -> str | None:
    """Return the sha256 of a file; None where there is none, or none of a size that a build writes."""
    return sha256(path) if path.is_file() and path.stat().st_size <= MOST_BYTES else None


def _check_names(path: Path, names: Iterable[str]) -> None:
    """Refuse a list of files that leads out of its folder."""
    for name in names:
        if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name:
            raise RunFolderError(f"{path}: {name!r}, in its list of files, is no path inside the folder")
