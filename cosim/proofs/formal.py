"""From a proof to its formula: Amaranth to RTLIL, Yosys to SMT-LIB."""

import re
from dataclasses import dataclass

from amaranth.back import rtlil

from gatewright.cosim.proofs.proof import Proof
from gatewright.errors import ToolError
from gatewright.hw.fpga.yosys import run_yosys
from gatewright.hw.rtl.checks import CHECKS

TOP = "top"

_SECONDS = 300


@dataclass(frozen=True)
class Formula:
    """A proof's design as a formula of SMT-LIB.

    Parameters
    ----------
    text : str
        The functions that Yosys defines over a state: initial, transition, assumptions, assertions, covers.
    assertions, assumptions, covers : int
        How many of each there are.
    """

    text: str
    assertions: int
    assumptions: int
    covers: int


def to_rtlil(proof: Proof) -> str:
    """Give the design of a proof as RTLIL."""
    return rtlil.convert(proof.module(), name=TOP, ports=[], emit_src=False)


def to_formula(proof: Proof, design: str) -> Formula:
    """Give the formula of a proof's design.

    Parameters
    ----------
    proof : Proof
    design : str
        As `to_rtlil` gives it.

    Raises
    ------
    ToolError
        Yosys is missing or failed; or the design asserts nothing, or covers nothing: then nothing is proved.
    """
    commands = [
        "read_rtlil source",
        f"hierarchy -check -top {TOP}",
        *([] if proof.checks else [f"chformal -remove *.{CHECKS}"]),
        "proc",
        "flatten",
        "memory -nomap",
        "memory_map",
        "chformal -lower",
        "async2sync",
        "opt_expr",
        "opt_clean",
        "dffunmap",
        "write_smt2 result",
    ]
    text = run_yosys(design, commands, seconds=_SECONDS)
    counts = {kind: len(re.findall(rf"^; yosys-smt2-{kind} ", text, re.MULTILINE)) for kind in _KINDS}
    for kind in ("assert", "cover"):
        if not counts[kind]:
            raise ToolError(f"{proof.name}: the design has no {kind}, so that nothing would be proved")
    return Formula(text, counts["assert"], counts["assume"], counts["cover"])


_KINDS = ("assert", "assume", "cover")
