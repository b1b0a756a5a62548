"""Take integer models, or a point of a study, to the folder of an accelerator."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gatewright.cosim import toolchain
from gatewright.errors import ToolError
from gatewright.flow.design import Design, compile_models
from gatewright.flow.settings import BuildSettings
from gatewright.flow.study import is_study, point_of
from gatewright.hw.boards.board import board as board_of
from gatewright.hw.boards.fit import check_fit
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.hw.fpga.driven import BOARD_TOP, MAPPED_TOP, emit_mapped, emit_on_board
from gatewright.hw.fpga.verilog import AXI_TOP, TOP, emit, emit_axi
from gatewright.progress import Progress, silent
from gatewright.run import RunFolder

BEST = "best"
"""The recommended point of a study."""


def build(
    models: Any,
    folder: str | Path,
    choice: HardwareChoice | None = None,
    settings: BuildSettings | None = None,
    *,
    point: str | None = None,
    command: str = "",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Design:
    """Build an accelerator for models: images, Verilog, FPGA folders and the hash of each file.

    Parameters
    ----------
    models : as `compile_models` takes them, or the folder of a study
    folder : path
        Made by this; holds the build.
    choice : HardwareChoice, optional
        Which accelerator; unless told otherwise the smallest, and for a board the one with the most lanes that fit it.
    settings : BuildSettings, optional
    point : str, optional
        Which point of the study; the recommended one unless told otherwise.
    command : str
        What repeats it.
    overwrite : bool
        Replace a build that is there.
    progress : Progress

    Raises
    ------
    RunFolderError
        The folder holds something already, or the study has no such point.
    ConfigError, CapacityError
        No accelerator of that kind holds the models, or it does not fit the board.
    ToolError
        Yosys failed, or Verilator's lint complains of the Verilog.
    """
    RunFolder.check_free(Path(folder), overwrite=overwrite)
    progress("build", 0, 3, "compile")
    design = compile_models(_chosen(models, point), choice, settings, progress)
    if design.settings.board is not None:
        check_fit(design.config, board_of(design.settings.board))
    _lint(design, progress)
    design.write(folder, command=command, overwrite=overwrite)
    progress("build", 3, 3, "")
    return design


def build_into(run: RunFolder, design: Design, progress: Progress = silent) -> None:
    """Write a design into a run folder that has its models, in place of a build that is there."""
    _lint(design, progress)
    run.clear_build()
    design.deliver(run)
    progress("build", 3, 3, "")


def _lint(design: Design, progress: Progress) -> None:
    """Hold the Verilog against Verilator's lint before anything is written."""
    progress("build", 1, 3, "lint")
    image = None if design.baked is None else design.baked.image
    tops: list[tuple[Callable[..., str], str]] = [(emit, TOP), (emit_axi, AXI_TOP)]
    tops += [(emit_mapped, MAPPED_TOP)] if design.settings.mapped else []
    if design.settings.board is not None:
        line = board_of(design.settings.board).line
        tops.append((partial(emit_on_board, line=line), BOARD_TOP))
    for emit_top, top in tops:
        if warnings := toolchain.lint(emit_top(design.config, image), top):
            raise ToolError(f"Verilator's lint complains of {top}:\n" + "\n".join(warnings))


def _chosen(models: Any, point: str | None) -> Any:
    """Return the point of a study by name, or models as they are."""
    given = models[0] if isinstance(models, list | tuple) and len(models) == 1 else models
    if isinstance(given, str | Path) and is_study(Path(given)):
        name = point or BEST
        return {name: point_of(Path(given), name)}
    return models
