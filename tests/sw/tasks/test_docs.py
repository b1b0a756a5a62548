import re
from pathlib import Path

from gatewright.sw.metrics import METRICS

DATA = Path(__file__).parents[3] / "docs" / "data.md"


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DATA.read_text(), re.DOTALL)
    assert len(blocks) == 3
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert names["within_ten_percent"](names["np"].ones((2, 1)), names["np"].ones((2, 1))) == 100


def test_the_table_has_every_metric_with_its_unit_and_direction():
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \| (more|less) \|", DATA.read_text(), re.MULTILINE)
    assert rows == [(each.name, each.unit, each.labels["better"]) for each in METRICS.values()]
