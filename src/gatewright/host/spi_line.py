"""An SPI bus with a board at it."""

from collections.abc import Callable, Iterable
from typing import Any

from gatewright.errors import DeviceError
from gatewright.host.frame_line import FrameLine
from gatewright.hw.boards.board import SCK_MEGAHERTZ
from gatewright.hw.bridge.protocol import END

_MORE = 16
"""Bytes that are clocked beyond those that an answer needs: the bridge begins it within 8 bytes, and escapes some."""

_MEGA = 1e6


class SpiLine(FrameLine):
    """A `Transport` over transfers on an SPI bus, as `FrameLine` describes it.

    A board sends nothing on its own: while an answer is waited for, END is clocked out. It answers at once, so that an
    answer of which nothing comes with the first of these bytes was lost. What comes while a request goes out is no
    answer to it, and is dropped.

    Parameters
    ----------
    transfer : callable
        Takes bytes, 532 at most, and returns as many: it selects the board, clocks the bytes in mode 0 with the most
        significant bit first, and deselects the board, as ``spidev.SpiDev.xfer3`` does.
    megahertz : float
        Clock of the bus, for the time that bytes take; whoever gives `transfer` sets it.
    port : str
        What errors call the bus.
    patience, attempts
        As for `FrameLine`.

    Raises
    ------
    DeviceError
        Nothing answers, or it speaks another protocol.
    """

    _prompt = True

    def __init__(
        self,
        transfer: Callable[[bytes], Iterable[int]],
        *,
        megahertz: float = SCK_MEGAHERTZ,
        port: str = "SPI",
        patience: float = 0.1,
        attempts: int = 50,
    ):
        self.megahertz = megahertz
        self._transfer = transfer
        super().__init__(port, byte_seconds=8 / (megahertz * _MEGA), patience=patience, attempts=attempts)

    @property
    def silence(self) -> str:
        """As `FrameLine` says."""
        return f"at {self.megahertz:g} MHz; look at the wires, the mode (0) and the clock of the bus"

    def _send(self, frame: bytes) -> None:
        self._transfer(frame)

    def _receive(self, missing: int) -> bytes:
        return bytes(self._transfer(bytes([END]) * (missing + _MORE)))

    def close(self) -> None:
        """Do nothing: whoever gave `transfer` closes what is behind it."""


class SpidevLine(SpiLine):
    """An `SpiLine` over a bus of Linux.

    Parameters
    ----------
    port : str
        Name of the device, as ``/dev/spidev0.0``.
    megahertz : float
        Clock of the bus; Linux makes as much or less.
    patience, attempts
        As for `FrameLine`.

    Raises
    ------
    DeviceError
        The package `spidev` is missing, the device cannot be opened, nothing answers, or it speaks another protocol.
    """

    def __init__(
        self,
        port: str,
        *,
        megahertz: float = SCK_MEGAHERTZ,
        patience: float = 0.1,
        attempts: int = 50,
    ):
        try:
            import spidev
        except ImportError as error:
            raise DeviceError(
                f"{port}: the Python package `spidev` is missing: pip install 'gatewright[spi]'"
            ) from error
        self._device: Any = spidev.SpiDev()
        try:
            self._device.open_path(port)
            self._device.mode = 0
            self._device.max_speed_hz = round(megahertz * _MEGA)
        except OSError as error:
            self._device.close()
            raise DeviceError(
                f"{port}: cannot be opened ({error}); `--port` names the board's SPI device, as /dev/spidev0.0"
            ) from error
        super().__init__(
            self._device.xfer3, megahertz=megahertz, port=port, patience=patience, attempts=attempts
        )

    def close(self) -> None:
        """Close the device."""
        self._device.close()
