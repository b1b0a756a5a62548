import pytest

from gatewright.errors import RunFolderError
from gatewright.results import Row, read_rows, versions, write_rows


def test_rows_round_trip(tmp_path):
    rows = [Row("cycles", "cycles", 12, {"mode": "dense"}, 3), Row("accuracy", "percent", 98.5)]
    write_rows(tmp_path / "rows.json", rows)
    assert read_rows(tmp_path / "rows.json") == rows
    assert rows[0].versions == versions()
    assert rows[0].versions["numpy"][0].isdigit()


@pytest.mark.parametrize("text", ["{", "[1]", '[{"name": "x"}]', '[{"name": "x", "colour": "red"}]'])
def test_malformed_rows_are_refused(tmp_path, text):
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(RunFolderError, match=r"rows\.json"):
        read_rows(path)
