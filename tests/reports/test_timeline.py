from gatewright.reports.candidates import Point, Span
from gatewright.reports.timeline import timeline_figure


def point(spans):
    return Point("p0", "found", {}, 95.0, 94.0, 100.0, 100.0, 5000.0, 0, 10, {}, {}, {}, spans)


OWN = [
    Span(2, "CELL", "drain", 60, 99, 55, "layer0.cell"),
    Span(0, "MATVEC", "matrix", 5, 59, 0, "layer0.recurrent"),
    Span(3, "REDUCE", "drain", 99, 99, 98, "head.results"),
]
LATER = [
    Span(0, "MATVEC", "matrix", 70, 129, 64, "layer0.recurrent", True),
    Span(2, "CELL", "drain", 125, 160, 119, "layer0.cell", True),
]


def bars(axes):
    return {(bar.get_x(), bar.get_width(), bar.get_alpha()) for bar in axes.patches}


def test_the_axis_begins_with_the_step_and_the_next_step_lies_under_it():
    axes = timeline_figure(point(OWN + LATER)).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["matrix", "drain"]
    assert axes.get_xlim() == (0, 100)
    assert bars(axes) == {(60, 40, 1.0), (5, 55, 1.0), (99, 1, 1.0), (70, 30, 0.25)}
    assert [line.get_xdata()[0] for line in axes.get_lines()] == [64]
    assert "next step from 64" in [text.get_text() for text in axes.texts]


def test_every_op_is_named_however_short():
    axes = timeline_figure(point(OWN)).axes[0]
    assert sorted(text.get_text() for text in axes.texts) == [
        "head.results",
        "layer0.cell",
        "layer0.recurrent",
    ]


def test_rows_of_older_releases_have_opcodes_and_no_next_step():
    axes = timeline_figure(point([Span(0, "MATVEC", "matrix", 25, 60)])).axes[0]
    assert [text.get_text() for text in axes.texts] == ["MATVEC"]
    assert axes.get_xlim() == (0, 61)
    assert not axes.get_lines()
