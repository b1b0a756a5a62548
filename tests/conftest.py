import gc
import importlib
from pathlib import Path

import pytest
from hypothesis import settings
from stale_figures import print_recorded

from gatewright.hw.config import AcceleratorConfig
from gatewright.results import Rows

# The same examples on every run and machine; a busy machine is no failure.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


_TABLES = Path(__file__).parents[1] / "docs" / "tables"


def pytest_collection_finish():
    """Spare the collector what lives as long as the tests: a tenth of their time goes into looking at it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_terminal_summary(terminalreporter):
    print_recorded(terminalreporter)


@pytest.fixture(scope="session")
def config():
    """The one accelerator that tests simulate, so that it is built once.

    Its results have 16 bits: they show a wrong LSB of a pre-activation, which 8 bits mostly round away.
    """
    return AcceleratorConfig(
        lanes=8,
        cell_lanes=2,
        narrowest_weight=2,
        activation_bits=16,
        weight_depth=1024,
        index_depth=512,
        column_depth=64,
        accumulator_rows=16,
        activation_depth=64,
        bias_depth=16,
        state_depth=16,
    )


@pytest.fixture
def tables(monkeypatch):
    """Import a module of ``docs/tables`` that reads the rows that a test gives, by file or part."""
    monkeypatch.syspath_prepend(str(_TABLES))

    def made(found, name="opponents"):
        module = importlib.import_module(name)
        for way in ("rows", "rows_of_part"):
            monkeypatch.setattr(module, way, lambda name: Rows(found[name], name), raising=False)
        return module

    return made
