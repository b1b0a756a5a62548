"""Write the diagrams into ``docs/images``."""

from pathlib import Path

from docs.diagrams.blocks import blocks, path
from docs.diagrams.pipeline import pipeline

IMAGES = Path(__file__).parents[1] / "images"
DRAWN = {"path.svg": path, "blocks.svg": blocks, "pipeline.svg": pipeline}
"""What draws each file."""

if __name__ == "__main__":
    for name, draw in DRAWN.items():
        (IMAGES / name).write_text(draw(), encoding="utf-8")
