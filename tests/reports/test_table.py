import pytest

from gatewright.errors import RunFolderError
from gatewright.reports.table import Table
from gatewright.results import Row, write_rows


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "cosim.json"
    write_rows(
        path,
        [
            Row("steps", "steps", 10, {"mode": "dense", "density": 1}),
            Row("steps", "steps", 20, {"mode": "sparse"}),
            Row("speed", "cycles/s", 5.5),
            Row("mismatches", "integers", 1.5),
        ],
    )
    return Table(path)


def test_first_row_that_fits(table):
    assert table.figure("steps", mode="dense", density=1.0) == 10
    assert table.figure("steps", mode="sparse", density=0.5) == 20
    assert table.figure("speed", mode="sparse") == 5.5
    assert table.figure("steps", mode="other") is None
    assert table.figure("nothing") is None


def test_wanted_and_optional_parameters(table):
    assert list(table.figures("steps", "mode", optional=("density",))) == [
        (10, "dense", 1.0),
        (20, "sparse", None),
    ]
    assert list(table.figures("nothing", "mode")) == []


def test_errors_name_file_and_entry(table):
    with pytest.raises(
        RunFolderError, match=r"cosim\.json: entry 1 \('steps'\): parameter 'density' is missing"
    ):
        list(table.figures("steps", "density"))
    with pytest.raises(RunFolderError, match=r"entry 3 .*whole number, not 1\.5"):
        table.figure("mismatches")
