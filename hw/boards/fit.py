"""Whether a board's FPGA has room for an accelerator and what is between it and the host, and the widest that has."""

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


def widest_config(models: Models, board: Board, **fixed: int) -> tuple[AcceleratorConfig, str]:
    """Return the smallest accelerator with the most lanes that fit a board, and why it has no more.

    Lanes are powers of two, no more than the largest layer has rows. Of one number of lanes, the most cell lanes that
    fit are taken, up to the usual number. Sums lie in look-up tables where block RAM is too short for them. A tenth of
    the look-up tables is left free.

    Parameters
    ----------
    models : sequence of (Bundle, mode)
        What it must run, one at a time.
    board : Board
    **fixed : int
        Values of `AcceleratorConfig` that are settled; not the lanes.

    Raises
    ------
    CapacityError
        None fits; the text says what the smallest needs too much of.
    """
    rows = max(4 * layer.hidden_size for bundle, _ in models for layer in bundle.layers)
    reason = f"the largest layer has {rows} rows"
    held: AcceleratorConfig | None = None
    for lanes in (1 << k for k in reversed(range(2, rows.bit_length()))):
        usual = usual_cell_lanes(lanes // fixed.get("groups", 1))
        fewer = [usual >> k for k in range(usual.bit_length())]
        for cell_lanes in [fixed["cell_lanes"]] if "cell_lanes" in fixed else fewer:
            values = fixed | {"lanes": lanes, "cell_lanes": cell_lanes}
            try:
                config = smallest_config(models, **values)
            except (CapacityError, ConfigError) as error:
                short = f"with {lanes} lanes {error}"
            else:
                held = config = fitted(config, lambda each: _shortage(each, board, FILLED), values)
                short = _shortage(config, board, FILLED)
                if not short:
                    return config, f"{_size(config)}, the most for {board.name}: {reason}"
        reason = short
    if held is not None:
        reason = _shortage(held, board, FILLED)
    raise CapacityError(
        f"{board.name} has no room: {reason}; take another board, or compress the model further"
    )


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
