"""A serial port with a board's UART at its other end."""

from typing import Any

from gatewright.errors import DeviceError
from gatewright.host.frame_line import FrameLine
from gatewright.hw.boards.board import BAUD

_BITS = 10
"""Of a byte on the line."""

_LOOK = 0.002
"""Seconds between two looks at the port and the clock."""


class SerialLine(FrameLine):
    """A `Transport` over a serial port, as `FrameLine` describes it.

    Parameters
    ----------
    port : str
        Name of the port, as ``/dev/ttyUSB0`` or ``COM3``.
    baud : int
        Bits per second.
    patience, attempts
        As for `FrameLine`.

    Raises
    ------
    DeviceError
        The port cannot be opened, nothing answers, or it speaks another protocol.
    """

    def __init__(self, port: str, *, baud: int = BAUD, patience: float = 0.1, attempts: int = 50):
        import serial

        self.baud = baud
        try:
            self._serial: Any = serial.Serial(port, baud, timeout=_LOOK)
            self._serial.reset_input_buffer()
        except (serial.SerialException, ValueError, OSError) as error:
            raise DeviceError(
                f"{port}: cannot be opened ({error}); `--port` names the board's port"
            ) from error
        super().__init__(port, byte_seconds=_BITS / baud, patience=patience, attempts=attempts)

    @property
    def silence(self) -> str:
        """As `FrameLine` says."""
        return f"at {self.baud} baud; look at the cable, the port and the bitstream's baud rate"

    def _send(self, frame: bytes) -> None:
        self._serial.write(frame)

    def _receive(self, missing: int) -> bytes:
        return self._serial.read(max(1, self._serial.in_waiting))

    def close(self) -> None:
        """Close the port."""
        self._serial.close()
