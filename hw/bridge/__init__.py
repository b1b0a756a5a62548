"""The line to a host: UART or SPI, frames with a CRC, and the registers behind them."""
