"""Proving: what holds must hold, what is covered must happen, and the broken line must be refuted."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import util
from pathlib import Path

from gatewright.cosim import processes
from gatewright.cosim.proofs.formal import to_formula, to_rtlil
from gatewright.cosim.proofs.proof import Proof
from gatewright.errors import ToolError
from gatewright.results import Row

SECONDS = 900
"""Time limit of one process; what takes longer is not proved."""

_ERROR_LINES = 5


@dataclass(frozen=True)
class Verdict:
    """What the solver says of a design.

    Parameters
    ----------
    assertions, covers : int
        What the design has of them.
    failed : int, optional
        First cycle from reset in which an assertion fails; then nothing else is asked.
    unreached : tuple of int
        Covers that never happen.
    inductive : bool
        The step of the induction holds; True where there is none.
    """

    assertions: int
    covers: int
    failed: int | None
    unreached: tuple[int, ...] = ()
    inductive: bool = True

    @property
    def trouble(self) -> str:
        """Why the statement is not proved; empty if it is."""
        if self.failed is not None:
            return f"FAILS in cycle {self.failed}"
        if self.unreached:
            return f"VACUOUS: what it is about never happens (cover {', '.join(map(str, self.unreached))})"
        return "" if self.inductive else "NOT PROVED: the step of the induction does not hold"


@dataclass(frozen=True)
class Finding:
    """What came of a proof.

    Parameters
    ----------
    proof : Proof
    verdict : Verdict
    broken : Verdict
        The same with the broken line.
    seconds, broken_seconds : float
        Wall-clock time.
    """

    proof: Proof
    verdict: Verdict
    broken: Verdict
    seconds: float
    broken_seconds: float

    @property
    def proved(self) -> bool:
        """The statement holds, is about something, and does not hold with the broken line."""
        return not self.trouble

    @property
    def trouble(self) -> str:
        """Why it is not proved; empty if it is."""
        weak = "TOO WEAK: its broken line goes unnoticed" if self.broken.failed is None else ""
        return self.verdict.trouble or weak

    @property
    def text(self) -> str:
        """What came of it, in a line."""
        broken = "passes" if self.broken.failed is None else f"fails in cycle {self.broken.failed}"
        return (
            f"{self.trouble or 'proved'}: {self.proof.name}, {self.proof.mode}, {self.verdict.assertions} assertions, "
            f"{self.seconds:.1f} s; with `{self.proof.broken.instead}` in {self.proof.broken.module}.py it {broken}, "
            f"{self.broken_seconds:.1f} s"
        )

    def rows(self) -> list[Row]:
        """Return whether it is proved, the time of the proof, and that of its refutation with the broken line."""
        at = {"proof": self.proof.name, "mode": self.proof.mode}
        broken = self.proof.broken
        change = {"module": f"{broken.module}.py", "line": broken.line, "instead": broken.instead}
        return [
            Row("proved", "proofs", int(self.proved), at),
            Row("proof_seconds", "seconds", round(self.seconds, 1), at),
            Row("refutation_seconds", "seconds", round(self.broken_seconds, 1), at | change),
        ]

    def to_json(self) -> dict:
        """Give it as plain JSON values."""
        return {
            "name": self.proof.name,
            "says": self.proof.says,
            "proved": self.proved,
            "trouble": self.trouble,
            "induction": self.proof.induction,
            "depth": self.proof.depth,
            "assertions": self.verdict.assertions,
            "covers": self.verdict.covers,
            "seconds": self.seconds,
            "broken": asdict(self.proof.broken),
            "broken_failed": self.broken.failed,
            "broken_seconds": self.broken_seconds,
        }


def prove(proof: Proof) -> Finding:
    """Try a proof, and refute it with its broken line.

    Raises
    ------
    ToolError
        A tool is missing, failed, or ran out of time; or the design asserts or covers nothing. Nothing is proved then.
    """
    for package in ("bitwuzla", "pyosys"):
        if util.find_spec(package) is None:
            raise ToolError(f"the Python package `{package}` is missing: pip install 'gatewright[prove]'")
    start = time.perf_counter()
    verdict = examine(proof, to_rtlil(proof))
    middle = time.perf_counter()
    change = (proof.broken.module, proof.broken.line, proof.broken.instead)
    design = _child(proof, ["gatewright.cosim.proofs.broken", proof.name, *change], "", SECONDS)
    broken = examine(proof, design, refute=True)
    return Finding(proof, verdict, broken, middle - start, time.perf_counter() - middle)


def examine(proof: Proof, design: str, *, refute: bool = False, seconds: float = SECONDS) -> Verdict:
    """Ask the solver about a design.

    Parameters
    ----------
    proof : Proof
    design : str
        As `to_rtlil` gives it.
    refute : bool
        Only whether an assertion fails.
    seconds : float
        Time limit of the solver.

    Raises
    ------
    ToolError
        As `prove` does.
    """
    formula = to_formula(proof, design)
    induction, covers = (0, 0) if refute else (proof.induction, formula.covers)
    arguments = ["gatewright.cosim.proofs.unroll", str(proof.depth), str(induction), str(covers)]
    answers = [json.loads(line) for line in _child(proof, arguments, formula.text, seconds).splitlines()]
    expected = 1 + covers + bool(induction)
    if not answers or (answers[0]["failed"] is None and len(answers) != expected):
        raise ToolError(
            f"{proof.name}: the solver gave {len(answers)} of {expected} answers: nothing is proved"
        )
    happens = [answer["happens"] for answer in answers if "happens" in answer]
    return Verdict(
        formula.assertions,
        formula.covers,
        answers[0]["failed"],
        tuple(k for k, happened in enumerate(happens) if not happened),
        answers[-1].get("step", True),
    )


def _child(proof: Proof, arguments: Sequence[str], text: str, seconds: float) -> str:
    """Run a module of ours, which ends with this process, with a text and a time limit; returns what it prints."""
    end = time.monotonic() + seconds

    def watch() -> None:
        if time.monotonic() > end:
            raise ToolError(f"{proof.name}: stopped after {seconds:g} s: nothing is proved")

    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        given, out, errors = (Path(temporary, name) for name in ("given", "out", "errors"))
        given.write_text(text, encoding="utf-8")
        with out.open("w") as log, errors.open("w") as complaints:
            status = processes.run(
                [sys.executable, "-m", *arguments],
                cwd=Path.cwd(),
                env=os.environ,
                input=given,
                log=log,
                errors=complaints,
                watch=watch,
            )
        if status:
            tail = "\n".join(errors.read_text(errors="replace").splitlines()[-_ERROR_LINES:])
            raise ToolError(
                f"{proof.name}: {arguments[0]} ended with status {status}: nothing is proved\n{tail}"
            )
        return out.read_text(encoding="utf-8")
