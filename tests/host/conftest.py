from small_board import mapped_text, model

__all__ = ["mapped_text", "model"]
