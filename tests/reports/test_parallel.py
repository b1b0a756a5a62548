import study_rows

from gatewright.reports.marks import marked
from gatewright.reports.parallel import chosen_parameters, parallel_figure
from gatewright.reports.study import read_study
from gatewright.reports.study_figures import fronts_figure
from gatewright.reports.study_marks import fronts_marks, parallel_marks
from gatewright.reports.style import style, to_svg


def study_of(tmp_path, metric="accuracy"):
    return read_study(study_rows.write_study(tmp_path, study_rows.all_rows(metric)))


def test_axes_are_what_candidates_chose_differently_and_what_came_of_it(tmp_path):
    study = study_of(tmp_path)
    assert chosen_parameters(study) == ["network.rank"]
    labels = [label.get_text() for label in parallel_figure(study).axes[0].get_xticklabels()]
    assert labels == ["network\nrank", "cycles\nper step", "stored\nbits", "validation\naccuracy"]


def test_better_is_higher_in_any_metric(tmp_path):
    """The best point of the study scores best on validation: its line ends at the top."""
    for metric in ("accuracy", "bits"):
        study = study_of(tmp_path / metric, metric)
        best = max(
            [(study.metric.quality(each.validation), f"point-{each.name}") for each in study.of_kind("found")]
            + [(study.metric.quality(each.score), f"trial-{each.number}") for each in study.trials]
        )
        ends = {line.get_gid(): line.get_ydata()[-1] for line in parallel_figure(study).axes[0].get_lines()}
        assert ends[best[1]] == 1
        assert max(ends.values()) == 1


def test_every_mark_finds_its_point(tmp_path):
    study = study_of(tmp_path)
    with style():
        for figure, marks in (
            (fronts_figure(study), fronts_marks(study)),
            (parallel_figure(study), parallel_marks(study)),
        ):
            found = marked(to_svg(figure), marks)
            assert found.count("<title>") == sum(map(len, marks.values()))
            assert "p4: accuracy" in found
