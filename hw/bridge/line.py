"""The lines over which a host reaches a board."""

import enum


class LineKind(enum.Enum):
    """A kind of line, by the names of its pins.

    Parameters
    ----------
    inputs, outputs : tuple of str
        Of the board; ports of the accelerator, ports of a board's top and keys of a board's file are named so.
    """

    UART = (("rx",), ("tx",))
    SPI = (("sck", "copi", "select_n"), ("cipo",))

    def __init__(self, inputs: tuple[str, ...], outputs: tuple[str, ...]):
        self.inputs = inputs
        self.outputs = outputs

    @property
    def pins(self) -> tuple[str, ...]:
        """Inputs, then outputs."""
        return self.inputs + self.outputs
