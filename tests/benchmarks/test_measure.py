"""`make results` with parts that take no time, in a small repository."""

import json
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from checkouts import commit, new_checkout, write
from typer.main import get_command

from gatewright.benchmarks import __main__ as command
from gatewright.benchmarks.measure import measure, publish_all, select
from gatewright.benchmarks.parts import PARTS, Part, Work
from gatewright.cli import app
from gatewright.errors import ConfigError, ToolError
from gatewright.origin import HERE
from gatewright.results import Row, read_rows, write_rows

SOURCE = "src/gatewright/benchmarks/lanes.py"
PICTURE = "docs/images/lanes.png"
TIMES = ("seconds", "MAC/s", "cycles/s", "ms")


@pytest.fixture
def checkout(tmp_path):
    return new_checkout(
        tmp_path / "tree", {SOURCE: "", ".gitignore": "runs/\n", "docs/results/b.json": "old"}
    )


@pytest.fixture
def work(checkout):
    return Work(checkout.root)


@pytest.fixture
def parts(checkout):
    """Three parts; `b` fails until a file `mended` is there, `c` needs a text. `measured` holds what ran."""
    measured = []

    def rows(name, work):
        measured.append(name)
        if name == "b" and not (checkout.root / "runs/mended").exists():
            raise ToolError("the tool is missing")
        origin = {"commit": checkout.commit(), "dirty": False}
        work.rows(name).write_text(json.dumps({**origin, "rows": [{"name": name}]}))
        if name == "a":
            work.aside(PICTURE).write_text("drawn")

    def made(name, need="", pictures=()):
        return Part(name, (name,), (SOURCE,), lambda work: rows(name, work), need, pictures)

    found = {"a": made("a", pictures=(PICTURE,)), "b": made("b"), "c": made("c", "text")}
    return found, measured


def told(outcomes):
    return {outcome.part.name: outcome.text for outcome in outcomes}


def run(checkout, work, parts, said=lambda line: None):
    return measure(list(parts.values()), work, checkout, said)


def test_a_part_that_fails_is_named_and_loses_no_other(checkout, work, parts):
    lines = []
    outcomes = run(checkout, work, parts[0], lines.append)
    assert told(outcomes) == {
        "a": "measured",
        "b": "failed: the tool is missing",
        "c": "left out: it needs TEXT=",
    }
    assert lines[:2] == ["[1/3] a", "  a measured"]
    assert not (checkout.root / "docs/results/a.json").exists()  # All go there at the end.
    assert checkout.state()[1] is False
    publish_all(outcomes, work)
    assert json.loads((checkout.root / "docs/results/a.json").read_text())["rows"] == [{"name": "a"}]
    assert (checkout.root / PICTURE).read_text() == "drawn"
    assert (checkout.root / "docs/results/b.json").read_text() == "old"


def test_a_run_that_was_stopped_goes_on(checkout, work, parts):
    found, measured = parts
    run(checkout, work, found)
    (checkout.root / "runs/mended").touch()
    assert told(run(checkout, work, found)) | {"c": ""} == {"a": "kept", "b": "measured", "c": ""}
    assert measured == ["a", "b", "b"]
    write(checkout.root, {SOURCE: "x = 1\n"})
    commit(checkout.root)
    assert told(run(checkout, work, found))["a"] == "measured"


def test_parts_are_measured_side_by_side_and_the_timed_ones_alone_at_the_end(checkout, work):
    at_once, most, order = [], {}, []
    both = threading.Barrier(2, timeout=30)

    def part(name, alone=False):
        def measured(work):
            at_once.append(name)
            order.append(name)
            if not alone:
                both.wait()
            most[name] = len(at_once)
            if not alone:
                both.wait()
            at_once.remove(name)
            told = {"commit": checkout.commit(), "dirty": False, "rows": [{"name": name}]}
            work.rows(name).write_text(json.dumps(told))

        return Part(name, (name,), (SOURCE,), measured, alone=alone)

    found = [part("timed", alone=True), part("a"), part("b"), part("c"), part("d")]
    outcomes = measure(found, work, checkout, lambda line: None, jobs=2)
    assert [(outcome.part.name, outcome.what) for outcome in outcomes] == [
        (each.name, "measured") for each in found
    ]
    assert most == {"a": 2, "b": 2, "c": 2, "d": 2, "timed": 1}
    assert order[-1] == "timed"
    with pytest.raises(ConfigError, match="1 to 64 at once, not 0"):
        measure(found, work, checkout, lambda line: None, jobs=0)


def test_an_error_ends_the_commands_that_run_beside_it_and_begins_no_other(checkout, work):
    begun, running = [], threading.Event()

    def lasting(work):
        begun.append("lasting")
        running.set()
        work.python("-c", "import time; time.sleep(600)")

    def broken(work):
        running.wait(30)
        while not work._running:
            time.sleep(0.01)
        raise KeyboardInterrupt

    found = [
        Part("lasting", ("a",), (SOURCE,), lasting),
        Part("broken", ("b",), (SOURCE,), broken),
        Part("never", ("c",), (SOURCE,), lambda work: begun.append("never"), alone=True),
    ]
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        measure(found, work, checkout, lambda line: None, jobs=2)
    assert time.monotonic() - begin < 300
    assert begun == ["lasting"]
    assert not work._running
    with pytest.raises(ToolError, match="ended with -15"):
        work.python("-c", "import time; time.sleep(600)")


def test_no_figure_that_is_time_is_measured_beside_others():
    for part in PARTS.values():
        files = [HERE.root / f"docs/results/{name}.json" for name in part.files if not part.alone]
        rows = [row for path in files if path.is_file() for row in read_rows(path)]
        # `method_seconds` are the processor's own.
        assert not [row.name for row in rows if row.unit in TIMES and row.name != "method_seconds"], part.name


def test_a_published_part_is_measured_anew_when_asked_for(checkout, work, parts):
    for _ in range(2):
        outcomes = run(checkout, work, {"a": parts[0]["a"]})
        publish_all(outcomes, work)
        assert told(outcomes) == {"a": "measured"}


def test_uncommitted_code_is_not_measured(checkout, work, parts):
    write(checkout.root, {SOURCE: "x = 1\n"})
    with pytest.raises(ConfigError, match=r"not committed: src/gatewright/benchmarks/lanes\.py"):
        run(checkout, work, parts[0])
    assert not parts[1]


def test_code_that_changes_while_it_is_measured_fails(checkout, work, parts):
    plain = parts[0]["a"]

    def change(work):
        plain.measure(work)
        write(checkout.root, {SOURCE: "x = 1\n"})

    changing = Part("a", plain.files, plain.sources, change, pictures=plain.pictures)
    (outcome,) = measure([changing], work, checkout, lambda line: None)
    assert outcome.text == f"failed: a: {SOURCE} changed since {checkout.commit()}"


def test_a_part_that_makes_too_little_fails(checkout, work, parts):
    lazy = Part("a", ("a",), (SOURCE,), lambda work: None, pictures=(PICTURE,))
    (outcome,) = measure([lazy], work, checkout, lambda line: None)
    assert outcome.text == f"failed: docs/results/a.json was not made; {PICTURE} was not made"


def test_parts_are_chosen_by_name_or_because_they_are_stale(checkout, work, parts):
    found, _ = parts

    def chosen(*only):
        return [part.name for part in select(only, checkout, found)]

    assert chosen() == ["a", "b", "c"]
    assert chosen("c", "a") == ["a", "c"]
    (checkout.root / "docs/results/b.json").unlink()
    publish_all(run(checkout, work, {"a": found["a"]}), work)
    assert chosen("stale") == ["b", "c"]
    assert chosen("stale", "a") == ["a", "b", "c"]
    with pytest.raises(ConfigError, match="there is no part d; there are a, b, c, and stale"):
        chosen("d")


def test_parts_are_chosen_by_what_their_names_begin_with(checkout):
    found = [part.name for part in select(["opponents-text"], checkout)]
    assert found == [f"opponents-text-{seed}" for seed in (1, 2, 3, 4, 5)]
    # What is the name of a part is that part alone.
    assert [part.name for part in select(["hw", "opponents-text-2"], checkout)] == ["hw", "opponents-text-2"]


class Rehearsal(Work):
    """Work whose commands are parsed, and write empty files where the real ones write theirs."""

    def python(self, *words, folder=None, modules=None):
        folder, words = Path(folder or self.root), [str(word) for word in words]
        after = dict(pairwise(words))
        if words[:2] == ["-m", "gatewright"]:
            get_command(app).commands[words[2]].make_context(words[2], words[3:])
        verb = "bench" if "bench" in words else words[2 if words[0] == "-m" else 0]
        row = Row("steps", "steps", 1, commit="c0ffee", dirty=False)
        if verb in ("bench", "fuzz", "prove", "run"):
            write_rows(after["--rows"], [row])
        elif verb == "demo":
            run = Path(after["-o"])
            write(run, {"summary.json": '{"seconds": 9}', "figures/cycles.png": "", "figures/scores.png": ""})
            write(run, {"rows/x": ""})
            for step in ("build", "synth"):
                write_rows(run / "rows" / f"{step}.json", [row])
        elif verb == "search":
            assert (folder / "float.pt").is_file()
            # The report is published: what it says was given must be of no machine.
            assert not any(Path(word).is_absolute() for word in words)
            write(folder / after["-o"], {"front.json": "{}"})
        elif verb in ("train", "quantise", "build"):
            (folder / after["-o"]).touch()
        elif verb == "report":
            write(folder / words[-2], {"report.html": ""})
        else:
            assert verb == "examples/silero_vad/run.py"
            write(Path(after["--out"]), {"rows.json": "{}"})


@pytest.mark.parametrize("name", PARTS)
def test_every_part_makes_its_files(tmp_path, name):
    work = Rehearsal(tmp_path, text=tmp_path, silero=tmp_path, images=tmp_path)
    PARTS[name].measure(work)
    assert all(work.aside(path).is_file() for path in PARTS[name].made)
    if name == "demo":
        summary = json.loads(work.rows("demo").read_text())
        assert summary == {"seconds": 9, "command": "gatewright demo", "commit": "c0ffee", "dirty": False}


def test_every_part_of_the_fuzzing_draws_accelerators_of_its_own():
    class Noted(Rehearsal):
        def python(self, *words, folder=None, modules=None):
            after = dict(pairwise(map(str, words)))
            drawn.extend(range(int(after["--first"]), int(after["--first"]) + int(after["--n"])))

    drawn = []
    for name, part in PARTS.items():
        if name.startswith("fuzz-"):
            part.measure(Noted())
    assert drawn == list(range(24))


def test_every_part_names_files_of_its_own():
    files = [path for part in PARTS.values() for path in part.made]
    assert len(files) == len(set(files))
    assert all(name == part.name for name, part in PARTS.items())


def test_a_tool_that_fails_says_why(work):
    work.python("-c", "pass")
    with pytest.raises(ToolError, match=r"-c .* ended with 3: no\. Really no$"):
        work.python("-c", "import sys; print('maybe\\nno. Really no', file=sys.stderr); sys.exit(3)")
    with pytest.raises(ToolError, match="it said nothing"):
        work.python("-c", "import sys; sys.exit(1)")


def test_what_was_not_given_is_asked_for(work, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="it needs SILERO="):
        work.given("silero")
    monkeypatch.chdir(tmp_path)
    assert Work(text="kjv.txt").given("text") == tmp_path / "kjv.txt"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["measure", "--only", "nothing"], 3, "there is no part nothing; there are demo, hw"),
        (["status"], 0, ""),
    ],
)
def test_the_command_line(words, status, said, capsys):
    assert command.main(words) == status
    assert said in capsys.readouterr().err


def test_the_command_line_publishes_and_names_what_failed(checkout, parts, monkeypatch, capsys):
    found, _ = parts
    monkeypatch.setattr(command, "HERE", checkout)
    monkeypatch.setattr(command, "select", lambda only, checkout: [found[name] for name in only])
    monkeypatch.setattr(command, "Work", lambda **given: Work(checkout.root, **given))
    write(checkout.root, {"docs/tables/__main__.py": "open('docs/results.md', 'w').write('page')"})
    commit(checkout.root)
    assert command.main(["measure", "--only", "a, b"]) == 5
    assert capsys.readouterr().out.endswith(
        "1 of 2 parts are in docs/results\nb failed: the tool is missing\n"
    )
    assert (checkout.root / "docs/results.md").read_text() == "page"
    (checkout.root / "runs/mended").touch()
    assert command.main(["measure", "--only", "b"]) == 0


def test_an_interrupted_run_publishes_nothing(checkout, monkeypatch, capsys):
    def stop(work):
        work.rows("a").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "HERE", checkout)
    monkeypatch.setattr(command, "select", lambda only, checkout: [Part("a", ("a",), (SOURCE,), stop)])
    monkeypatch.setattr(command, "Work", lambda **given: Work(checkout.root, **given))
    assert command.main(["measure"]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not (checkout.root / "docs/results/a.json").exists()
