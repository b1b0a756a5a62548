"""Tests of the run of mutants."""

import tomllib

import pytest
from mutation.operators import mutated, mutations
from mutation.runner import Copy
from mutation.survey import REASONS, ROOT, Fate, Mutant, draw, summary
from mutation.targets import GROUPS, Target, targets

HARDWARE = """
def elaborate(m, a: int | None, b):
    with m.If(a & b):
        m.d.sync += a.eq(Mux(b, 1, 2))
"""

TESTS = """
from code_of import total

def test_total():
    assert total(3) == 6
"""

CODE = """
def total(n):
    k = found = 0
    while k < n:
        k += 1
        found += k
    return found
"""


def texts_of(source, operator):
    """Return all texts that an operator makes of one."""
    found = [each for changes in mutations(source).values() for each in changes]
    return [mutated(source, each) for each in found if each.operator == operator]


def test_conditions_of_hardware_turn_round():
    turned = texts_of(HARDWARE, "NegateCondition")
    assert [line for text in turned for line in text.splitlines() if "~" in line] == [
        "    with m.If(~(a & b)):",
        "        m.d.sync += a.eq(Mux(~(b), 1, 2))",
    ]


def test_an_assignment_of_hardware_is_left_out():
    assert texts_of(HARDWARE, "DropAssignment") == [
        HARDWARE.replace("m.d.sync += a.eq(Mux(b, 1, 2))", "pass")
    ]


def test_type_hints_stay():
    assert all(changes[0].line != 2 for changes in mutations(HARDWARE).values())


def test_arguments_that_no_result_tells_stay():
    told = "b(2, reset_less=True)\nc(3, reset_less=False)\n"
    changed = [line for text in texts_of(told, "ReplaceFalseWithTrue") for line in text.splitlines()]
    assert "c(3, reset_less=True)" in changed
    assert not texts_of(told, "ReplaceTrueWithFalse")


@pytest.mark.parametrize("group", GROUPS)
def test_every_module_has_tests_of_its_own(group):
    assert all((ROOT / test).is_file() for target in targets(ROOT, group) for test in target.tests)


def test_a_draw_repeats_and_its_places_differ():
    one, other = (draw("software", 6, seed=3, only="sw/numbers") for _ in range(2))
    assert one == other
    assert len(set(map(str, one))) == 6
    assert draw("software", 6, seed=4, only="sw/numbers") != one


def test_reasons_are_about_lines_that_are_there():
    for each in tomllib.loads(REASONS.read_text()).get("equivalent", []):
        source = " ".join(line.strip() for line in (ROOT / each["module"]).read_text().splitlines())
        assert each["before"] in source, f"{each['module']} has no such line any more"
        assert each["reason"]


@pytest.fixture
def copy(tmp_path):
    """A copy of a project of one module and one test."""
    root, folder = tmp_path / "root", tmp_path / "copy"
    (root / "src").mkdir(parents=True)
    (root / "tests").mkdir()
    folder.mkdir()
    (root / "src" / "code_of.py").write_text(CODE)
    (root / "tests" / "test_code.py").write_text(TESTS)
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return Copy(root, folder, grace=1)


@pytest.mark.slow
def test_what_is_noticed_and_what_hangs_is_killed(copy):
    tests, module = ("tests/test_code.py",), "src/code_of.py"
    unchanged = copy.run(tests)
    assert unchanged.status == 0
    with copy.changed(module, CODE.replace("found += k", "found -= k")):
        assert copy.run(tests, unchanged).status == 1
    with copy.changed(module, CODE.replace("k += 1", "k += 0")):
        hanging = copy.run(tests, unchanged)
    assert hanging.status < 0
    assert hanging.seconds < 2 + 4 * unchanged.seconds + 2
    with copy.changed(module, "import nothing_of_that_name\n"):
        assert copy.run(tests, unchanged).status == 2
    assert copy.run(tests, unchanged).status == 0


def test_equivalent_and_stillborn_ones_do_not_count():
    mutant = Mutant(Target("a.py", ("t.py",)), None, "", "")
    verdicts = ["killed"] * 3 + ["survived", "equivalent", "stillborn"]
    found = summary([Fate(mutant, verdict, 1.0) for verdict in verdicts])
    assert (found["mutants"], found["killed_percent"]) == (6, 75.0)
