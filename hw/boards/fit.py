"""Whether a board's FPGA has room for an accelerator and what is between it and the host."""

from gatewright.errors import CapacityError
from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.boards.board import Board
from gatewright.hw.config import AcceleratorConfig

LUTS, BLOCK_RAMS = 2_000, 3
"""What bridge, UART and mailbox take beside the accelerator."""


def check_fit(config: AcceleratorConfig, board: Board) -> None:
    """Refuse an accelerator that the board has no room for.

    The estimate decides; the placer has the last word.

    Raises
    ------
    CapacityError
        It needs more of something; the text says what to type.
    """
    fpga, needs = board.fpga, estimate_resources(config)
    pairs = {
        "look-up tables": (needs.luts + LUTS, fpga.luts),
        "block RAMs": (needs.block_ram + BLOCK_RAMS, fpga.block_rams),
        "multipliers": (needs.multipliers, fpga.multipliers),
    }
    short = [f"needs {need} {name}, has {has}" for name, (need, has) in pairs.items() if need > has]
    if short:
        fewer = (
            f"build with fewer lanes than {config.lanes} (--lanes)"
            if config.lanes > 4
            else "take another board"
        )
        raise CapacityError(
            f"{board.name}: with {config.lanes} lanes it {', '.join(short)}; {fewer}, or compress the model further"
        )
