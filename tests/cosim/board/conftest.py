from small_board import board_text, mapped_text, model, spi_text

__all__ = ["board_text", "mapped_text", "model", "spi_text"]
