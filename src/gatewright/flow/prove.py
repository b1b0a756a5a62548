"""Prove what is said of the RTL."""

from collections.abc import Sequence

from gatewright.cosim.proofs.catalogue import PROOFS, proof
from gatewright.cosim.proofs.prove import Finding
from gatewright.cosim.proofs.prove import prove as prove_one
from gatewright.progress import Progress, silent


def prove(only: Sequence[str] = (), *, progress: Progress = silent) -> list[Finding]:
    """Try proofs, and refute each with its broken line.

    Parameters
    ----------
    only : sequence of str
        Names of proofs; empty for all.
    progress : Progress

    Raises
    ------
    ConfigError
        There is no proof of such a name.
    ToolError
        A tool is missing, failed or ran out of time: then nothing is said of the proof that it names.
    """
    chosen = [proof(name) for name in only] or list(PROOFS.values())
    findings = []
    for done, each in enumerate(chosen):
        progress("proofs", done, len(chosen), each.name)
        findings.append(prove_one(each))
    return findings
