"""The serial line to a host: UART, frames with a CRC, and the registers behind them."""
