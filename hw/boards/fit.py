"""Whether a board's FPGA has room for an accelerator and what is between it and the host, and the widest that has."""

from collections.abc import Mapping

from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.boards.board import Board
from gatewright.hw.compiler.choose import Models, usual_cell_lanes
from gatewright.hw.compiler.compile import smallest_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.fit import fitted

LUTS, BLOCK_RAMS = 2_000, 3
"""What bridge, line and mailbox take beside the accelerator."""

FILLED = 0.9
"""Share of the look-up tables that a chosen accelerator fills at most: their estimate may be 5 % low, and routing needs
room. Block RAMs and multipliers are exact."""


def check_fit(config: AcceleratorConfig, board: Board) -> None:
    """Refuse an accelerator that the board has no room for.

    The estimate decides; the placer has the last word.

    Raises
    ------
    CapacityError
        It needs more of something; the text says what to type.
    """
    if short := _shortage(config, board):
        fewer = (
            f"build with fewer lanes than {config.lanes} (--lanes)"
            if config.lanes > 4
            else "take another board"
        )
        raise CapacityError(f"{board.name}: {short}; {fewer}, or compress the model further")


def board_config(models: Models, board: Board, **fixed: int) -> tuple[AcceleratorConfig, str]:
    """Return the smallest accelerator for a board, and why it has no more lanes or cell lanes.

    Lanes are the most that fit, powers of two, no more than the largest layer has rows; a tenth of the look-up tables
    is left free. Lanes that are settled may fill the board: whether they fit is for `check_fit` to say. Of one number
    of lanes, the most cell lanes that fit are taken, up to the usual number. Sums lie in look-up tables where block RAM
    is too short for them.

    Parameters
    ----------
    models : sequence of (Bundle, mode)
        What it must run, one at a time.
    board : Board
    **fixed : int
        Values of `AcceleratorConfig` that are settled.

    Returns
    -------
    config : AcceleratorConfig
    why : str
        Empty where lanes are settled and cell lanes the usual ones.

    Raises
    ------
    CapacityError
        None fits; the text says what the smallest needs too much of. Or none with settled lanes holds the models.
    ConfigError
        Settled values are not legal.
    """
    if "lanes" in fixed:
        tried = _by_cell_lanes(models, board, 1.0, fixed)
        (usual, short), (fewer, beyond) = tried[0], tried[-1]
        return (usual, "") if beyond or not short else (fewer, _most(fewer, board, short))
    rows = max(4 * layer.hidden_size for bundle, _ in models for layer in bundle.layers)
    reason, short = f"the largest layer has {rows} rows", ""
    for lanes in (1 << k for k in reversed(range(2, rows.bit_length()))):
        try:
            config, short = _by_cell_lanes(models, board, FILLED, fixed | {"lanes": lanes})[-1]
        except (CapacityError, ConfigError) as error:
            reason = f"with {lanes} lanes {error}"
        else:
            if not short:
                return config, _most(config, board, reason)
            reason = short
    raise CapacityError(
        f"{board.name} has no room: {short or reason}; take another board, or compress the model further"
    )


def _by_cell_lanes(
    models: Models, board: Board, filled: float, fixed: Mapping[str, int]
) -> list[tuple[AcceleratorConfig, str]]:
    """Try the usual cell lanes and fewer until they fit; gives each configuration and what a board lacks for it."""
    usual = usual_cell_lanes(fixed["lanes"] // fixed.get("groups", 1))
    fewer = [usual >> k for k in range(usual.bit_length())]
    tried = []
    for cell_lanes in [fixed["cell_lanes"]] if "cell_lanes" in fixed else fewer:
        values = {**fixed, "cell_lanes": cell_lanes}
        config = smallest_config(models, **values)
        config = fitted(config, lambda each: _shortage(each, board, filled), values)
        tried.append((config, _shortage(config, board, filled)))
        if not tried[-1][1]:
            break
    return tried


def _most(config: AcceleratorConfig, board: Board, reason: str) -> str:
    return f"{_size(config)}, the most for {board.name}: {reason}"


def _shortage(config: AcceleratorConfig, board: Board, filled: float = 1.0) -> str:
    """Say what a board has too little of, with a share of its look-up tables; nothing where the accelerator fits."""
    fpga, needs = board.fpga, estimate_resources(config)
    pairs = {
        "look-up tables": (needs.luts + LUTS, int(filled * fpga.luts), fpga.luts),
        "block RAMs": (needs.block_ram + BLOCK_RAMS, fpga.block_rams, fpga.block_rams),
        "multipliers": (needs.multipliers, fpga.multipliers, fpga.multipliers),
    }
    short = [
        f"needs {need} {name}, has {has}" + (f" and fills {most} at most" if most < has else "")
        for name, (need, most, has) in pairs.items()
        if need > most
    ]
    return f"with {_size(config)} it {', '.join(short)}" if short else ""


def _size(config: AcceleratorConfig) -> str:
    """Name what an accelerator is sized by."""
    return f"{config.lanes} lanes and {config.cell_lanes} cell lane{'s' if config.cell_lanes > 1 else ''}"
