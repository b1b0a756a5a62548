import pytest
import study_rows
from html_page import read

from gatewright.errors import RunFolderError
from gatewright.reports.comparing import read_comparison
from gatewright.reports.comparing_report import write_comparison
from gatewright.results import Row, read_rows, write_rows
from gatewright.run import RunFolder
from gatewright.storage import write_json


@pytest.fixture
def folders(make_run, tmp_path_factory):
    """A run, and a study."""
    study = study_rows.write_study(tmp_path_factory.mktemp("others") / "study", study_rows.all_rows())
    return [make_run(), study]


def test_models_and_points_have_the_same_words(folders):
    found = read_comparison(folders)
    assert found.names == [folders[0].name, "study"]
    sparse = next(each for each in found.models if (each.name, each.mode) == ("quarter", "sparse"))
    assert (sparse.score, sparse.cycles, sparse.measured, sparse.bits) == (97.25, 100, True, 13352)
    assert sparse.clock.microseconds(sparse.cycles) == 100 / 112.5
    assert sparse.verdict == "PASS"
    recommended = [each.name for each in found.models if "recommended" in each.name]
    assert recommended == ["p4 (recommended)"]
    assert found.metric.name == "accuracy"


def test_the_page_has_a_line_for_each_model(folders, tmp_path):
    path = write_comparison(folders, tmp_path / "comparison.html")
    page = read(path)
    assert f"{folders[0].name} PASS 112.5 MHz, met on ecp5-85k" in page.text
    assert "quarter sparse 97.25 % 100.0 0.89 13,352" in page.text
    assert page.tags.count("svg") == 1
    assert all(link.startswith("#") for link in page.links)


def test_scores_of_different_metrics_are_not_drawn_together(make_run, tmp_path_factory, tmp_path):
    rows = study_rows.all_rows("bits")
    study = study_rows.write_study(tmp_path_factory.mktemp("bits"), rows)
    page = read(write_comparison([make_run(), study], tmp_path / "comparison.html"))
    assert "judged by different metrics" in page.text
    assert "svg" not in page.tags


def test_only_settings_that_differ_are_listed(tmp_path):
    runs = [tmp_path / name for name in ("small", "large")]
    for root, lanes in zip(runs, (8, 32), strict=True):
        run = RunFolder(root)
        run.rows("build").parent.mkdir(parents=True)
        write_rows(run.rows("build"), [Row("clock", "MHz", 100.0)])
        write_json(run.summary, {"config": {"lanes": lanes, "cell_lanes": 1}})
    assert read_comparison(runs).settings == {"lanes": {"small": 8, "large": 32}}


def test_folders_of_one_name_are_told_apart(make_run, tmp_path_factory):
    one, other = (tmp_path_factory.mktemp(name, numbered=False) / "fpga" for name in ("left", "right"))
    for root in (one, other):
        (root / "rows").mkdir(parents=True)
        write_rows(root / "rows" / "build.json", read_rows(RunFolder(make_run()).rows("build")))
    assert read_comparison([one, other]).names == ["left/fpga", "right/fpga"]


def test_a_folder_is_not_compared_with_itself(folders):
    with pytest.raises(RunFolderError, match="comes twice"):
        read_comparison([folders[0], folders[0]])
