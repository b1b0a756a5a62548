from small_board import board_text, mapped_text, model

__all__ = ["board_text", "mapped_text", "model"]
