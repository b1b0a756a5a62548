from gatewright.reports.confusion import read_confusion, table_of
from gatewright.results import Row, Rows


def test_a_line_for_each_class_numbers_in_order():
    rows = Rows(
        Row("confusion", "positions", count, {"target_class": target, "predicted_class": predicted})
        for target, predicted, count in (("2", "2", 3), ("10", "2", 1), ("10", "10", 4), ("no", "2", 2))
    )
    lines = table_of(read_confusion(rows))
    assert [line.name for line in lines] == ["2", "10", "no"]
    assert [line.counts for line in lines] == [[3, 0, 0], [1, 4, 0], [2, 0, 0]]
    assert (lines[1].shade(0), lines[1].shade(1)) == (20, 80)
