import csv
import json
from dataclasses import replace

import pytest
from html_page import read

from gatewright.custody import Claim, sha256
from gatewright.errors import RunFolderError
from gatewright.reports.report import FIGURES, write_report
from gatewright.results import Row, read_rows
from gatewright.run import STEPS, RunFolder

HOSTILE = """<script>alert(1)</script>"'&{{ 7 * 7 }}"""


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
        "At quarter the sparse mode takes 0.250 of the cycles",
        "quarter 25 % 12.5 % 50.00 % 97.25 % –",
        "whole 100 % – 50.00 % 98.00 % -1.5 dB",
        "quarter layer0.recurrent whole 8 6.25 % 58 %",
        "quarter layer0.input 16 4 – –",
        "The requirement is not met: no round was good enough.",
        "golden = RTL quarter sparse 300 0 ✓ yes",
        sha256(folder / "rtl/accelerator.sv"),
        "quarter sparse layer0.input (75 %) auto 18.4 %",
        "250,000",
        "3,456",
        "gatewright demo --seed 7",
        "Six speakers only.",
        "0123456789ab",
        "1.2.3",
    ):
        assert shown in page.text, shown
    assert "FAIL" not in page.text
    assert "Not in this folder" not in page.text
    for name in FIGURES:
        assert (folder / "figures" / f"{name}.svg").read_text().startswith("<?xml")
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.rglob("*.partial"))


def test_page_is_self_contained(make_run):
    page = read(write_report(make_run()))
    assert all(link.startswith("#") for link in page.links)
    assert not {"img", "iframe", "link"} & set(page.tags)
    assert page.tags.count("script") == 1


def verify_rows(folder):
    return list(read_rows(RunFolder(folder).rows("verify")))


def test_counters_are_in_tables_of_cycles_and_of_events(make_run):
    place = {"model": "quarter", "mode": "sparse"}
    rows = [*verify_rows(make_run()), Row("counter", "cycles", 70, {"counter": "brand_new", **place})]
    text = read(write_report(make_run(verify=rows))).text
    cycles, _, events = text.partition("Events, per step:")
    assert (
        "model mode cycles per step matrix engine drain and cell unit matrix engine waits for a vector brand_new"
        in cycles
    )
    assert "quarter dense 400.0 80.0 55.0 12.3 –" in cycles
    assert "quarter sparse 100.0 80.0 55.0 12.3 7.0" in cycles
    assert "model mode elements of x" in events
    assert "quarter sparse 13.0" in events


def test_counters_may_be_missing(make_run):
    rows = [row for row in verify_rows(make_run()) if row.name != "counter"]
    folder = make_run(verify=rows)
    assert "No performance counters are recorded." in read(write_report(folder)).text
    assert not (folder / "figures" / "activity.png").exists()


def test_placements_are_called_estimates(make_run):
    text = read(write_report(make_run())).text
    assert "on ecp5-85k, CABGA381, speed 6: 112.5 MHz, the median of 3 seeds. An estimate" in text
    assert "used (estimate) available" in text
    assert "look-up tables, 4 inputs 5,010 83,640 6.0 %" in text


def test_time_is_at_the_clock_that_was_met(make_run):
    """400 and 100 cycles per step, 5 steps a recording, at 112.5 MHz."""
    text = read(write_report(make_run())).text
    assert "At 112.5 MHz, met on ecp5-85k, CABGA381, speed 6, placed and routed (an estimate)" in text
    assert "quarter sparse 100.0 0.89 1,125,000 4.4 225,000" in text


def test_time_is_at_the_clock_that_was_asked_for_where_nothing_was_placed(make_run):
    build = [*read_rows(RunFolder(make_run()).rows("build")), Row("clock", "MHz", 50.0)]
    text = read(write_report(make_run(build=build, synth=None))).text
    assert "At 50 MHz, asked for; cycles as measured on the RTL." in text
    assert "quarter dense 400.0 8.00 125,000 40.0 25,000" in text


def test_work_and_utilisation(make_run):
    at = {"model": "quarter", "mode": "sparse", "layer": "layer0"}
    work = (
        ("layer_cycles", "cycles", 80),
        ("words_read", "words", 9000),
        ("words_written", "words", 4000),
        ("products", "products", 2560),
        ("useful_products", "products", 2400),
    )
    rows = [Row(name, unit, value, at) for name, unit, value in work]
    rows.append(Row("utilisation", "percent", 31.44, {"device": "ecp5-25k", "resource": "luts"}))
    build = [*read_rows(RunFolder(make_run()).rows("build")), *rows]
    text = read(write_report(make_run(build=build))).text
    assert "quarter sparse layer0 80 0.71 9,000 4,000 2,560 2,400" in text
    assert "Of ecp5-25k, estimated: look-up tables, 4 inputs 31.4 %." in text


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
    folder = make_run(claims=None)
    write_report(folder)
    make_run(claims=None, quantise=None, simplify=None, build=None, verify=None, synth=None, summary=None)
    page = read(write_report(folder))
    assert "NOT VERIFIED" in page.text
    assert "PASS" not in page.text
    for step in ("quantise", "build", "verify", "synth"):
        assert RunFolder(folder).command(step) in page.words, step
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["training.png", "training.svg"]


def test_a_build_alone_has_no_table_of_models(make_run):
    # Of a model that says nothing of itself.
    build = [Row("luts", "count", 4321, {"source": "estimate"})]
    made = make_run(train=None, quantise=None, simplify=None, build=build, summary=None)
    page = read(write_report(made))
    assert (
        "Models Not in this folder yet: gatewright quantise model.pt --data DATA -o model.npz Training"
        in page.text
    )
    assert "✓ PASS" in page.text


def test_mismatches_are_loud(make_run):
    page = read(write_report(make_run(claims=[Claim("golden = RTL", "quarter", "dense", 6300, 8)])))
    assert "✗ FAIL 8 of 6,300 integers differ" in page.text
    assert "golden = RTL quarter dense 6,300 8 ✗ no" in page.text
    assert "✓ PASS" not in page.text


def test_a_claim_that_compared_nothing_is_no_proof(make_run):
    page = read(write_report(make_run(claims=[Claim("golden = RTL", "quarter", "dense", 0, 0)])))
    assert "✗ FAIL Nothing was compared" in page.text


@pytest.mark.parametrize("change", ["overwritten", "missing"])
def test_files_that_changed_since_are_named(make_run, change):
    folder = make_run()
    verilog = folder / "rtl" / "accelerator.sv"
    if change == "missing":
        verilog.unlink()
    else:
        verilog.write_text("module accelerator; endmodule\n")
    report = write_report(folder)
    page = read(report)
    assert "UNPROVEN 6,300 integers were compared" in page.text
    assert "never proven: rtl/accelerator.sv" in page.text
    assert "changed or missing" in page.text
    assert "PASS" not in report.read_text().partition('<div class="tiles">')[0].partition("<h1>")[2]


def test_a_wrong_prediction_is_marked(make_run):
    rows = [
        replace(row, value=99) if row.name == "cycles_predicted_per_step" else row
        for row in verify_rows(make_run())
    ]
    report = write_report(make_run(verify=rows))
    assert report.read_text().count('<tr class="bad"><td>quarter</td>') == 2


def test_another_metric_has_its_unit_and_direction(make_run):
    about = {"metric": "mine:distance", "better": "less"}

    def told(row):
        return (
            replace(row, unit="mm", parameters=row.parameters | about) if "better" in row.parameters else row
        )

    folder = make_run()
    files = RunFolder(folder)
    changed = {
        step: [told(row) for row in read_rows(files.rows(step))] for step in ("train", "quantise", "simplify")
    }
    text = read(write_report(make_run(**changed))).text
    assert "Float model 98.5000 mm test distance; baseline without recurrence 93.2000 mm" in text
    assert "Less distance is better." in text
    assert "accuracy" not in text


def test_another_metric_has_its_stored_interval(make_run):
    about = {"model": "whole", "split": "test", "metric": "bits", "better": "less"}
    ends = [Row("score_low", "bits", 2.05, about), Row("score_high", "bits", 2.2, about)]
    float_ends = [
        Row(f"float_score_{end}", "bits", value, about | {"model": "float"})
        for end, value in (("low", 1.9), ("high", 2.0))
    ]
    made = make_run(
        train=[Row("float_score", "bits", 1.95, about | {"model": "float"}), *float_ends],
        quantise=[Row("score", "bits", 2.125, about), *ends],
        simplify=None,
    )
    page = read(write_report(made))
    assert "2.1250 bits (2.0500 to 2.2000)" in page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "test bits (1.9000 to 2.0000)" in page.text
    assert "Bars: 95 %" in page.text


def test_hostile_strings_stay_text(make_run):
    rows = verify_rows(make_run())
    rows += [
        Row(
            "steps",
            "steps",
            1,
            {"model": HOSTILE, "mode": HOSTILE},
            commit=HOSTILE,
            versions={HOSTILE: HOSTILE},
        ),
        Row("cycles_per_step", "cycles", 5, {"model": HOSTILE, "mode": HOSTILE}),
    ]
    summary = dict.fromkeys(("task", "seed", "command", "caveat"), HOSTILE) | {"config": {HOSTILE: HOSTILE}}
    folder = make_run(verify=rows, summary=summary, claims=[Claim(HOSTILE, HOSTILE, HOSTILE, 1, 0)])
    page = read(write_report(folder))
    assert page.tags.count("script") == 1
    assert page.text.count("<script>alert(1)</script>") >= 9
    with (folder / "rows.csv").open(newline="") as stream:
        assert any(line["commit"] == HOSTILE for line in csv.DictReader(stream))


def test_rows_of_uncommitted_code_are_told_apart(make_run):
    rows = verify_rows(make_run())
    folder = make_run(verify=[*rows, replace(rows[0], commit="c0ffee", dirty=True)])
    assert "0123456789ab, c0ffee with uncommitted changes" in read(write_report(folder)).text
    with (folder / "rows.csv").open(newline="") as stream:
        assert {line["dirty"] for line in csv.DictReader(stream)} == {"False", "True"}


def test_rows_leave_in_both_formats(make_run):
    folder = make_run()
    write_report(folder)
    rows = json.loads((folder / "rows.json").read_text())
    assert list(rows) == list(STEPS)
    assert rows["train"] == json.loads((folder / "rows" / "train.json").read_text())
    with (folder / "rows.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == sum(len(each["rows"]) for each in rows.values())
    assert lines[1]["name"] == "float_score"
    assert json.loads(lines[1]["parameters"])["split"] == "test"


def test_malformed_rows_leave_no_report(make_run):
    folder = make_run(train=[Row("float_score", "percent", "high", {"split": "test"})])
    with pytest.raises(RunFolderError, match=r"train\.json: float_score"):
        write_report(folder)
    assert not (folder / "report.html").exists()
