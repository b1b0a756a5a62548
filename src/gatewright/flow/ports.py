"""The proof of the delivered tops that are driven through registers alone: by the driver of real boards."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from gatewright.cosim.board.prove import Driven, drive
from gatewright.cosim.board.simulated import SIMULATED, SimulatedRegisters
from gatewright.custody import Claim
from gatewright.flow.design import DesignModel
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.fpga.driven import BOARD_TOP, MAPPED_TOP
from gatewright.hw.skipping import Skip
from gatewright.progress import Progress, silent, within

MAPPED, BOARD = "golden = mapped", "golden = board"
"""What a proof compares."""


def prove_ports(
    rtl: Path,
    model: DesignModel,
    inputs: Sequence[np.ndarray],
    fresh: Sequence[bool],
    *,
    skip: Skip,
    baked: bool,
    line: LineKind | None = None,
    progress: Progress = silent,
) -> list[tuple[str, Claim, str]]:
    """Run sequences on the delivered tops with a mailbox, as far as there are any.

    Parameters
    ----------
    rtl : Path
        Folder of the delivered Verilog.
    model : DesignModel
    inputs : sequence of int array [steps, inputs]
    fresh : sequence of bool
        Whether each starts from a zero state.
    skip : Skip
    baked : bool
    line : LineKind, optional
        Of the board that the build is for.
    progress : Progress

    Returns
    -------
    list of (str, Claim, str)
        For each top: its name, what is claimed, and the complaint, if there is one.
    """
    tops: list[tuple[str, str, Callable]] = [(MAPPED_TOP, MAPPED, _on_registers)]
    tops += [(BOARD_TOP, BOARD, partial(_on_board, line))] if line else []
    found = []
    for top, pair, run in tops:
        path = rtl / f"{top}.sv"
        if path.exists():
            jobs = {"skip": skip, "baked": baked}
            driven = run(path.read_text(), within(progress, pair), model.compiled, inputs, fresh, **jobs)
            claim = Claim(pair, model.name, model.storage, driven.compared, driven.mismatches, "verilator")
            found.append((top, claim, f"{pair}: {driven.report}" if driven.report else ""))
    return found


def _on_registers(verilog: str, progress: Progress, *arguments, **more) -> Driven:
    with SimulatedRegisters(verilog, progress) as registers:
        return drive(registers, *arguments, **more)


def _on_board(line: LineKind, verilog: str, progress: Progress, *arguments, **more) -> Driven:
    with SIMULATED[line](verilog, progress=progress) as board, board.connect() as connected:
        return drive(connected, *arguments, **more)
