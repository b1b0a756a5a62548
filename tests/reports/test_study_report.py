import csv
import json
import re

import pytest
import study_rows
from html_page import read
from study_rows import row

from gatewright.errors import RunFolderError
from gatewright.reports.study_report import FIGURES, write_study_report
from gatewright.results import Row

HOSTILE = """<script>alert(1)</script>"'&{{ 7 * 7 }}$x^2"""


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A folder with all files and its report."""
    folder = study_rows.write_study(tmp_path_factory.mktemp("study"), study_rows.all_rows())
    write_study_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(complete):
    return read(complete / "report.html")


def written(folder, settings=study_rows.SETTINGS, **files):
    return read(write_study_report(study_rows.write_study(folder, files, settings)))


def test_complete_report(complete, page):
    assert page.tags.count("svg") == len(FIGURES)
    for shown in (
        "✓ PASS Every finished point was simulated on the RTL: 14,000 integers compared, 0 mismatches",
        "Point p4 is recommended. It is 4.5 times smaller and 5.6 times faster than the uncompressed 8-bit model. "
        f"This builds it: gatewright build {complete} --point best -o fpga",
        "Target: at most 500 cycles per step. Limit: at most 250,000 stored bits.",
        "Gatewright report of a search by linear bandit, seed 7",
        "Largest difference of 44 measurements: 0 cycles.",
        "Stopped: all 60 trials are done. 1 candidate without training, not feasible: ecp5-25k: too few multipliers.",
        "gatewright search --study runs/study --seed 7",
        "search.method linear",
        "space.choices.network.rank [4, 8, 16, null]",
        "0123456789ab",
    ):
        assert shown in page.text, shown
    assert "Not run yet" not in page.text
    assert "FAIL" not in page.text
    for name in FIGURES:
        assert (complete / "figures" / f"{name}.svg").read_text().startswith("<?xml")
        assert (complete / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert not list(complete.rglob("*.partial"))


def test_tables_hold_the_numbers(page):
    for shown in (
        "found p4 (best) 98.96 98.56 483.53 483.53 167,979 1,000 0",
        "uncompressed 98.65 98.25 2,711.50 2,711.50 750,000 1,000 0",
        "found p3 layer0.recurrent 16 4 – 50 %",
        "found p7 layer0.input whole 4 – 50 %",
        "found p4 (best) 483.5 386.8 169.2 48.4 24.2",
        "matrix rank bits density asked for weights kept "
        "layer0.input 16 4 – 6.25 % layer0.recurrent 16 8 – 6.25 % head whole 2 – 100 %",
        "hidden units: layer0 128: matrix rank bits",
        "Chosen in the search: network.rank 16.",
    ):
        assert shown in page.text, shown


def test_a_table_names_two_of_the_points_that_beat_one_and_counts_the_others(tmp_path):
    rows = study_rows.point_rows()
    for number, cost in ((6, 1e6), (5, 2e6), (4, 3e6), (3, 4e6)):
        for name in ("point_cycles_predicted", "point_cycles_measured", "point_stored_bits"):
            rows = study_rows.changed(rows, name, cost, number)
    page = written(tmp_path, front=rows)
    assert "p5, beaten by p7, p6 " in page.text
    assert "p3, beaten by p7, p6 and 2 more " in page.text


def test_page_is_self_contained(page):
    assert all(link.startswith("#") for link in page.links)
    assert not {"img", "iframe", "link"} & set(page.tags)
    assert page.tags.count("script") == 1


def test_same_rows_same_bytes(tmp_path):
    files = {"trials": study_rows.trial_rows(count=6), "discretisation": study_rows.discretisation_rows()}
    written(tmp_path, **files)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_study_report(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first


@pytest.mark.parametrize("count", [1, 2, 7])
def test_half_finished_study(tmp_path, count):
    rows = [
        each for each in study_rows.trial_rows(count=count) if each.name not in ("stopped", "round_target")
    ]
    page = written(tmp_path, trials=rows, settings=None)
    assert "INCOMPLETE" in page.text
    assert "not stopped yet" in page.text
    assert f"Not run yet: gatewright search model.pt --data DATA -o {tmp_path}" in page.text
    assert "discretisation" not in page.text
    drawn = sorted(path.stem for path in (tmp_path / "figures").glob("*.png"))
    assert drawn == ["agreement", "fronts", "progress"]


def test_trials_that_were_not_measured(tmp_path):
    rows = [each for each in study_rows.trial_rows() if each.name != "trial_cycles_measured"]
    assert "Nothing was measured yet" in written(tmp_path, trials=rows).text
    assert not (tmp_path / "figures" / "agreement.png").exists()


def test_only_a_comparison(tmp_path):
    page = written(tmp_path, discretisation=study_rows.discretisation_rows())
    assert page.tags.count("svg") == 2
    assert "Not run yet: gatewright search" in page.text


def test_bits_are_shown_with_four_digits(tmp_path):
    page = written(tmp_path, front=study_rows.point_rows("bits"))
    assert "found p4 (best) 1.2207 1.2287" in page.text
    assert "Validation bits 1.2207 bits decides; uncompressed 1.2270" in page.text


def test_a_figure_that_is_no_longer_drawn_goes(tmp_path):
    written(tmp_path, trials=study_rows.trial_rows(count=4))
    (tmp_path / "trials.json").unlink()
    written(tmp_path, discretisation=study_rows.discretisation_rows())
    assert [path.name for path in sorted((tmp_path / "figures").iterdir())] == [
        "entropies.png",
        "entropies.svg",
        "losses.png",
        "losses.svg",
    ]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("point_mismatches", 3, "✗ FAIL 3 of 14,000 integers of the finished points differ"),
        (
            "point_cycles_measured",
            71.5,
            "✗ Predicted and measured cycles differ by up to 1.5 cycles per step",
        ),
    ],
)
def test_differences_are_loud(tmp_path, name, value, text):
    rows = study_rows.changed(study_rows.point_rows(), name, value)
    report = write_study_report(study_rows.write_study(tmp_path, {"front": rows}))
    page = read(report)
    assert text in page.text
    assert "✓ PASS" not in page.text
    assert re.search(r'<tr class="mark bad"[^>]*><td>found p0</td>', report.read_text())
    assert ('<p class="bad">' in report.read_text()) == (name == "point_cycles_measured")


def test_differences_of_counters_are_listed(tmp_path):
    text = "point 3, drain: 5 cycles, 6 predicted"
    page = written(tmp_path, front=[*study_rows.point_rows(), row("point_difference", "text", text)])
    assert f"✗ {text}" in page.text
    assert "✗ FAIL" in page.text


def test_a_missed_target_is_told(tmp_path):
    missed = row("target_missed", "text", "483.5 cycles per step, 400 asked for", model="p4")
    page = written(tmp_path, front=[*study_rows.point_rows(), missed])
    assert "It misses a target: 483.5 cycles per step, 400 asked for." in page.text


def test_an_aim_of_the_search_is_no_target(tmp_path):
    asked = written(tmp_path / "asked", front=study_rows.point_rows())
    assert "Target: at most 500 cycles per step. Limit: at most 250,000 stored bits." in asked.text
    settings = study_rows.SETTINGS | {"assumed": ["cycles"]}
    page = written(tmp_path / "assumed", settings, front=study_rows.point_rows())
    assert (
        "The search's own aim: at most 500 cycles per step. Limit: at most 250,000 stored bits." in page.text
    )
    assert "Target" not in page.text


def test_no_point_is_recommended(tmp_path):
    rows = [each for each in study_rows.point_rows() if each.name != "recommended"]
    page = written(tmp_path, front=rows)
    assert "The search recommends no point." in page.text
    assert "--point" not in page.text


def test_a_loss_above_the_limit_is_marked(tmp_path):
    report = tmp_path / "report.html"
    rows = [
        row("discretisation_loss", "points", 1.2, entropy=entropy, kept=2, components=8)
        for entropy in (True, False)
    ]
    page = written(tmp_path, discretisation=rows)
    assert report.read_text().count('<td class="n bad">') == 1
    assert "2 of 8 on – – 1.20 (1.20 to 1.20)" in page.text
    written(
        tmp_path,
        discretisation=[row("discretisation_loss", "points", 0.9, entropy=True, kept=2, components=8)],
    )
    assert '<td class="n bad">' not in report.read_text()


def test_hostile_strings_stay_text(tmp_path):
    files = {"front": study_rows.point_rows()}
    files["discretisation"] = [
        row(name, "points", 1.0, kept=2, components=8, entropy=True, **about)
        for name, about in (("discretisation_loss", {}), ("baseline_loss", {"how": HOSTILE}))
    ]
    files["front"] = [
        Row(
            **vars(each)
            | {"parameters": each.parameters | ({"product": HOSTILE} if "product" in each.parameters else {})}
        )
        for each in files["front"]
        if each.parameters.get("product", "head") == "head"
    ]
    page = written(
        tmp_path,
        {"data": {"source": HOSTILE}, "command": HOSTILE, "search": {"seed": HOSTILE}, HOSTILE: HOSTILE},
        **files,
    )
    assert page.tags.count("script") == 1
    assert page.text.count("<script>alert(1)</script>") >= 9


def test_rows_leave_in_both_formats(complete):
    rows = json.loads((complete / "rows.json").read_text())
    assert rows["discretisation"] == json.loads((complete / "discretisation.json").read_text())
    with (complete / "rows.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == sum(len(each["rows"]) for each in rows.values())
    assert json.loads(lines[0]["parameters"])["candidate"]["layer0.bits"] == 4


def test_malformed_rows_leave_no_report(tmp_path):
    with pytest.raises(RunFolderError, match=r"trials\.json"):
        written(tmp_path, trials=[row("trial_reward", "points", "high", trial=0, round=0)])
    assert not (tmp_path / "report.html").exists()


def test_points_have_times_where_the_study_knows_its_clock(tmp_path):
    """Point p0 takes 70 cycles per step."""
    search = study_rows.SETTINGS["search"] | {"megahertz": 50.0}
    page = written(tmp_path, study_rows.SETTINGS | {"search": search}, front=study_rows.point_rows())
    assert "times are at 50 MHz, asked for" in page.text
    assert re.search(r"found p0 .*? 70\.00 70\.00 1\.40 ", page.text)


def test_older_studies_have_no_times(tmp_path):
    assert "µs" not in written(tmp_path, front=study_rows.point_rows()).text


def test_points_can_be_filtered_by_what_their_lines_say(complete):
    text = (complete / "report.html").read_text()
    page = read(complete / "report.html")
    assert page.tags.count("form") == 1
    line = re.search(
        r'<tr class="mark" tabindex="0" data-kind="found" data-score="([\d.]+)"[^>]*><td>found p0', text
    )
    assert float(line.group(1)) == pytest.approx(96.2)
    assert text.count('data-kind="found"') == 4 * 8
    for kind in ("trial", "found", "uniform", "uncompressed"):
        assert f'name="kind" value="{kind}" checked' in text
