"""What was proven of a run's files, and whether that still holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatewright.custody import Claim, Claims, Proof

Verdict = Literal["PASS", "FAIL", "UNPROVEN", "NOT VERIFIED"]
"""As `custody.Verdict`; or nothing has been compared yet."""


@dataclass(frozen=True)
class Proven(Claims):
    """The proof of a run, held against its files as they are now.

    Parameters
    ----------
    verdict : Verdict
    claims : tuple of Claim
        What was compared, and how many integers differ.
    files : dict of str
        sha256 of every file that the claims are about.
    unproven : tuple of str
        Files that changed since, that are missing, or that were never proven.
    """

    verdict: Verdict
    claims: tuple[Claim, ...] = ()
    files: dict[str, str] | None = None
    unproven: tuple[str, ...] = ()

    @property
    def pairs(self) -> list[str]:
        """What was held against what, and in which simulator, each once."""
        return list(dict.fromkeys(claim.text for claim in self.claims))


def read_proof(root: Path) -> Proven:
    """Read the proof in a run folder, and look at the files that it is about.

    Raises
    ------
    RunFolderError
        The proof, or the list of what was delivered, is malformed or missing.
    """
    proof = Proof.load(root)
    if proof is None:
        return Proven("NOT VERIFIED")
    return Proven(proof.verdict(root), proof.claims, dict(proof.files), proof.unproven(root))
