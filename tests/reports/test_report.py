import csv
import json

import pytest
from html_page import read

from gatewright.errors import RunFolderError
from gatewright.reports.report import FIGURES, write_report
from gatewright.reports.run import STEPS
from gatewright.results import Row

HOSTILE = """<script>alert(1)</script>"'&{{ 7 * 7 }}"""


@pytest.fixture
def cosim():
    """The co-simulation rows of a whole run, for a test to change."""

    def rows(make_run, **values):
        folder = make_run()
        entries = json.loads((folder / "cosim.json").read_text())
        return [Row(**entry | {"value": values.get(entry["name"], entry["value"])}) for entry in entries]

    return rows


def test_complete_report(make_run):
    folder = make_run()
    target = write_report(folder)
    assert target == folder / "report.html"
    page = read(target)
    assert page.tags.count("svg") == len(FIGURES)
    for shown in (
        "✓ PASS",
        "6,300 integers compared",
        "98.50",
        "93.20",
        "takes 0.250 of the cycles",
        "250,000",
        "3,456",
        "gatewright demo --seed 7",
        "Six speakers only.",
        "0123456789ab",
        "1.2.3",
    ):
        assert shown in page.text, shown
    assert "FAIL" not in page.text
    assert "Not run yet" not in page.text
    for name in FIGURES:
        assert (folder / "figures" / f"{name}.svg").read_text().startswith("<?xml")
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.rglob("*.partial"))


def test_page_is_self_contained(make_run):
    page = read(write_report(make_run()))
    assert all(link.startswith("#") for link in page.links)
    assert not {"script", "img", "iframe", "link"} & set(page.tags)


def test_counters_are_in_tables_of_cycles_and_of_events(make_run, cosim):
    place = {"density": 0.25, "mode": "sparse"}
    rows = [*cosim(make_run), Row("counter", "cycles", 70, {"counter": "brand_new", **place})]
    text = read(write_report(make_run(cosim=rows))).text
    cycles, _, events = text.partition("Events, per step:")
    assert (
        "density mode cycles per step matrix engine drain and cell unit waiting for a vector brand_new"
        in cycles
    )
    assert "25 % dense 400.0 80.0 55.0 12.3 –" in cycles
    assert "25 % sparse 100.0 80.0 55.0 12.3 7.0" in cycles
    assert "density mode elements of x" in events
    assert "25 % sparse 13.0" in events


def test_counters_may_be_missing(make_run, cosim):
    rows = [row for row in cosim(make_run) if row.name != "counter"]
    folder = make_run(cosim=rows)
    assert "No performance counters are recorded." in read(write_report(folder)).text
    assert not (folder / "figures" / "activity.png").exists()


def test_placements_are_called_estimates(make_run):
    text = read(write_report(make_run())).text
    assert "on ecp5-85k, CABGA381, speed 6: 112.5 MHz, the median of 3 seeds. An estimate" in text
    assert "used (estimate) available" in text
    assert "look-up tables, 4 inputs 5,010 83,640" in text


def test_placements_may_be_missing(make_run):
    page = read(write_report(make_run(synth=[Row("luts", "count", 3456)])))
    assert "3,456" in page.text
    assert "MHz" not in page.text


def test_same_rows_same_bytes(make_run):
    folder = make_run()
    write_report(folder)
    first = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write_report(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == first


def test_partial_run_names_the_missing_commands(make_run):
    folder = make_run()
    write_report(folder)
    make_run(compress=None, patterns=None, compile=None, cosim=None, synth=None, summary=None)
    page = read(write_report(folder))
    assert "NOT VERIFIED" in page.text
    assert "PASS" not in page.text
    for step in ("compress", "patterns", "compile", "cosim", "synth"):
        assert f"gatewright {step} --run {folder}" in page.words, step
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["training.png", "training.svg"]


def test_mismatches_are_loud(make_run, cosim):
    page = read(write_report(make_run(cosim=cosim(make_run, mismatches=2))))
    assert "✗ FAIL 8 of 6,300 integers differ" in page.text
    assert "✓ PASS" not in page.text
    assert "agree bit for bit" not in page.text


def test_missing_pair_is_not_a_pass(make_run, cosim):
    rows = [row for row in cosim(make_run) if row.parameters.get("pair") != "pytorch = golden"]
    page = read(write_report(make_run(cosim=rows)))
    assert "INCOMPLETE" in page.text
    assert "not compared" in page.text
    assert "agree bit for bit" not in page.text


def test_hostile_strings_stay_text(make_run, cosim):
    rows = cosim(make_run)
    place = {"pair": HOSTILE, "density": 0.25, "mode": HOSTILE}
    rows += [
        Row("integers_compared", "integers", 1, place, commit=HOSTILE, versions={HOSTILE: HOSTILE}),
        Row("mismatches", "integers", 0, place),
        Row("cycles_per_step", "cycles", 5, {"density": 0.5, "mode": HOSTILE}),
    ]
    summary = dict.fromkeys(("task", "seed", "command", "caveat"), HOSTILE) | {"config": {HOSTILE: HOSTILE}}
    folder = make_run(cosim=rows, summary=summary)
    page = read(write_report(folder))
    assert "script" not in page.tags
    assert page.text.count("<script>alert(1)</script>") >= 9
    with (folder / "rows.csv").open(newline="") as stream:
        assert any(line["commit"] == HOSTILE for line in csv.DictReader(stream))


def test_rows_leave_in_both_formats(make_run):
    folder = make_run()
    write_report(folder)
    rows = json.loads((folder / "rows.json").read_text())
    assert list(rows) == list(STEPS)
    assert rows["train"] == json.loads((folder / "train.json").read_text())
    with (folder / "rows.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == sum(map(len, rows.values()))
    assert lines[1]["name"] == "float_accuracy"
    assert json.loads(lines[1]["parameters"]) == {"split": "test"}


def test_malformed_rows_leave_no_report(make_run):
    folder = make_run(train=[Row("float_accuracy", "percent", "high", {"split": "test"})])
    with pytest.raises(RunFolderError, match=r"train\.json: entry 0"):
        write_report(folder)
    assert not (folder / "report.html").exists()
