"""The diagrams are those of the code."""

import importlib
import re
from pathlib import Path

import pytest
from amaranth.hdl import Fragment

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl import stages
from gatewright.hw.rtl.accelerator import Accelerator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def diagrams(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("docs.diagrams.__main__")


def test_files_are_what_the_code_draws(diagrams):
    for name, draw in diagrams.DRAWN.items():
        assert (diagrams.IMAGES / name).read_text() == draw(), (
            f"{name}: python -m docs.diagrams writes it anew"
        )


def test_each_unit_of_the_accelerator_is_drawn(diagrams):
    blocks = importlib.import_module("docs.diagrams.blocks")
    config = AcceleratorConfig(lanes=4, cell_lanes=1, activation_depth=16, auto_skipping=1)
    units = {name for _, name, _ in Fragment.get(Accelerator(config), None).subfragments}
    assert set(blocks.UNITS) <= units
    for title, purpose in blocks.UNITS.values():
        assert f">{title}<" in blocks.blocks()
        assert f">{purpose}<" in blocks.blocks()


def test_the_pipeline_has_the_cycles_of_the_stages(diagrams):
    pipeline = importlib.import_module("docs.diagrams.pipeline")
    text = pipeline.pipeline()
    assert len(re.findall(r'class="box"', text)) == stages.WRITE + 1
    assert f">read, {stages.SUM_READ} cycles<" in text
    for name in pipeline.MARKS:
        assert f">{name}</text>" in text
