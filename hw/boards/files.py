"""What a board adds to the accelerator behind a line to the host: a top with a PLL, and constraints."""

from dataclasses import dataclass
from typing import NamedTuple

from gatewright.errors import ConfigError
from gatewright.hw.boards.board import Board
from gatewright.hw.boards.pll import Pll, ecp5_pll
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.bridge.spi import LEAST_CYCLES
from gatewright.hw.bridge.uart import DIVISOR_BITS, LEAST_DIVISOR
from gatewright.hw.fpga.driven import BOARD_TOP

_MOST_ERROR = 0.02
"""How far a line's rate may be from the one asked for; a byte bears 5 % in all, with the other side's error."""

_RESTING_HIGH = ("rx", "select_n")
"""Inputs that are high while no host drives them."""

_PLL = """\
    (* FREQUENCY_PIN_CLKI = "{source:g}" *)
    (* FREQUENCY_PIN_CLKOP = "{made:g}" *)
    (* ICP_CURRENT = "12" *)
    (* LPF_RESISTOR = "8" *)
    (* MFG_ENABLE_FILTEROPAMP = "1" *)
    (* MFG_GMCREF_SEL = "2" *)
    EHXPLLL #(
        .CLKI_DIV({CLKI_DIV}),
        .CLKFB_DIV({CLKFB_DIV}),
        .CLKOP_DIV({CLKOP_DIV}),
        .CLKOP_CPHASE({phase}),
        .CLKOP_FPHASE(0),
        .CLKOP_ENABLE("ENABLED"),
        .FEEDBK_PATH("CLKOP"),
        .OUTDIVIDER_MUXA("DIVA"),
        .PLLRST_ENA("DISABLED"),
        .INTFB_WAKE("DISABLED"),
        .STDBY_ENABLE("DISABLED"),
        .DPHASE_SOURCE("DISABLED")
    ) pll (
        .CLKI(clock),
        .CLKFB(clk),
        .CLKOP(clk),
        .LOCK(locked),
        .RST(1'b0),
        .STDBY(1'b0),
        .PHASESEL0(1'b0),
        .PHASESEL1(1'b0),
        .PHASEDIR(1'b0),
        .PHASESTEP(1'b0),
        .PHASELOADREG(1'b0),
        .PLLWAKESYNC(1'b0),
        .ENCLKOP(1'b0)
    );
"""

_TOP = """\
// {top}: the accelerator on {title}, written by Gatewright.
// {made:g} MHz from {source:g} MHz, and {rate}.

module {top} (
{ports}
);
    wire clk, locked, connected{wires};

{pll}
    // Reset for some cycles after the PLL has locked{button}.
    reg [1:0] good = 0;
    reg [3:0] held = 0;
    always @(posedge clk) begin
        good <= {{good[0], locked{released}}};
        if (!good[1]) held <= 0;
        else if (!(&held)) held <= held + 1;
    end

    {core} accelerator (
        .clk(clk),
        .rst(!(&held)),
{line}
        .connected(connected)
    );
{outputs}endmodule
"""


@dataclass(frozen=True)
class BoardFiles:
    """The files of a board in a build.

    Parameters
    ----------
    top : str
        Name of the top module.
    megahertz : float
        The clock that the PLL makes.
    baud : float, optional
        The rate of the serial line, as it divides that clock; None with SPI.
    verilog : str
        Text of the top, beside the accelerator's.
    constraints : str
        Pins, and the frequency of the board's clock.
    """

    top: str
    megahertz: float
    baud: float | None
    verilog: str
    constraints: str


def board_files(board: Board, megahertz: float) -> BoardFiles:
    """Return what a board adds, for a clock.

    Parameters
    ----------
    board : Board
    megahertz : float
        What is asked for; the PLL makes as much or a little less.

    Raises
    ------
    ConfigError
        The PLL makes no such clock, or one that is wrong for the rate of the board's line.
    """
    pll = ecp5_pll(board.megahertz, megahertz)
    line = {LineKind.UART: _uart, LineKind.SPI: _spi}[board.line](board, pll)
    top = f"gatewright_{board.name.replace('-', '_')}"
    lines = ["    input wire clock"]
    lines += [f"    input wire {name}" for name in board.line.inputs]
    lines += [f"    output wire {name}" for name in board.line.outputs]
    outputs = line.outputs
    if board.led:
        lines.append("    output wire led")
        outputs += f"    assign led = {'!' if board.led_low else ''}connected;\n"
    if board.reset:
        lines.append("    input wire button")
    for number, _ in enumerate(board.high):
        lines.append(f"    output wire high{number}")
        outputs += f"    assign high{number} = 1'b1;\n"
    cell = _PLL.format(
        source=board.megahertz, made=pll.megahertz, phase=pll.values["CLKOP_DIV"] - 1, **pll.values
    )
    verilog = _TOP.format(
        top=top,
        title=board.title,
        source=board.megahertz,
        made=pll.megahertz,
        rate=line.rate,
        line=line.connections,
        wires=line.wires,
        ports=",\n".join(lines),
        pll=cell,
        core=BOARD_TOP,
        button=", and while the button is pressed" if board.reset else "",
        released=f" && {'' if board.reset_low else '!'}button" if board.reset else "",
        outputs=outputs,
    )
    return BoardFiles(top, pll.megahertz, line.baud, verilog, _lpf(board))


def highest_sck(megahertz: float) -> float:
    """Return the highest clock of sck in MHz that an accelerator's clock bears."""
    return megahertz / LEAST_CYCLES


class _Line(NamedTuple):
    """What is in a top for its line.

    Parameters
    ----------
    rate : str
        For people.
    connections : str
        Of the accelerator.
    wires, outputs : str
        How they reach the pins, where that takes more.
    baud : float, optional
        As `BoardFiles` has it.
    """

    rate: str
    connections: str
    wires: str = ""
    outputs: str = ""
    baud: float | None = None


def _uart(board: Board, pll: Pll) -> _Line:
    divisor = _divisor(board, pll)
    connections = f"        .rx(rx),\n        .tx(tx),\n        .divisor({DIVISOR_BITS}'d{divisor}),"
    rate = f"{board.baud} baud: {divisor} cycles of a bit"
    return _Line(rate, connections, baud=pll.megahertz * 1e6 / divisor)


def _spi(board: Board, pll: Pll) -> _Line:
    most = highest_sck(pll.megahertz)
    if board.sck_megahertz > most:
        raise ConfigError(
            f"{board.name}: {pll.megahertz:g} MHz bear {most:g} MHz of sck, a bit of {LEAST_CYCLES} cycles, and "
            f"sck_megahertz is {board.sck_megahertz:g}; ask for a higher --clock, or write a lower one in the board's "
            "file"
        )
    connections = "\n".join(f"        .{name}({name})," for name in board.line.inputs)
    # Other devices on the bus drive the wire while this one is not selected.
    return _Line(
        f"sck of {board.sck_megahertz:g} MHz: {most:g} MHz at most, {LEAST_CYCLES} cycles of a bit",
        f"{connections}\n        .cipo(answered),",
        ", answered",
        "    assign cipo = select_n ? 1'bz : answered;\n",
    )


def _divisor(board: Board, pll: Pll) -> int:
    exact = pll.megahertz * 1e6 / board.baud
    divisor = round(exact)
    if divisor < LEAST_DIVISOR or abs(exact / divisor - 1) > _MOST_ERROR or divisor >= 1 << DIVISOR_BITS:
        raise ConfigError(
            f"{board.name}: {pll.megahertz:g} MHz cannot be divided to {board.baud} baud within {_MOST_ERROR:.0%}; ask "
            "for another --clock, or write another baud in a copy of the board's file"
        )
    return divisor


def _pins(board: Board) -> dict[str, str]:
    pins = {"clock": board.clock, **board.line_pins, "led": board.led, "button": board.reset}
    pins |= {f"high{number}": pin for number, pin in enumerate(board.high)}
    return {port: pin for port, pin in pins.items() if pin}


def _lpf(board: Board) -> str:
    lines = []
    for port, pin in _pins(board).items():
        pull = ""
        if port == "button":
            pull = " PULLMODE=UP" if board.reset_low else " PULLMODE=DOWN"
        elif port in _RESTING_HIGH:
            pull = " PULLMODE=UP"
        lines += [f'LOCATE COMP "{port}" SITE "{pin}";', f'IOBUF PORT "{port}" IO_TYPE={board.io}{pull};']
    return "\n".join([*lines, f'FREQUENCY PORT "clock" {board.megahertz:g} MHZ;', ""])
