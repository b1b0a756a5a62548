"""The parts that ``docs/results`` is measured in: where each begins, and what it makes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

from gatewright.benchmarks import MODULES, SEEDS
from gatewright.benchmarks.publishing import ASIDE, RESULTS
from gatewright.errors import ConfigError, ToolError
from gatewright.origin import HERE
from gatewright.results import read_rows
from gatewright.storage import write_json

EXAMPLE = "examples/silero_vad"

_READERS = {"text": "sw/tasks/text.py", "images": "sw/tasks/images.py"}
"""Modules that read nothing but what must be given, and say how it is trained."""


@dataclass(frozen=True)
class Work:
    """Where and from what parts are measured.

    Parameters
    ----------
    root : Path
        The checkout.
    text : Path, optional
        A text for the character models.
    silero : Path, optional
        A folder with Silero VAD and speech, see ``examples/silero_vad/README.md``.
    images : Path, optional
        A folder with the four IDX files of Fashion-MNIST.
    """

    root: Path = HERE.root
    text: Path | None = None
    silero: Path | None = None
    images: Path | None = None
    _running: set[subprocess.Popen] = field(default_factory=set, init=False, repr=False, compare=False)
    _stopped: Event = field(default_factory=Event, init=False, repr=False, compare=False)

    def has(self, need: str) -> bool:
        """Return whether there is what a part needs."""
        return not need or getattr(self, need) is not None

    def given(self, need: str) -> Path:
        """Return what was given for a `Part.need`, as an absolute path.

        Raises
        ------
        ConfigError
            Nothing was given.
        """
        if not self.has(need):
            raise ConfigError(f"it needs {need.upper()}=")
        return Path(getattr(self, need)).resolve()

    def aside(self, path: str) -> Path:
        """Return where a file of the checkout lies until all parts are done; makes its folder."""
        found = self.root / ASIDE / path
        found.parent.mkdir(parents=True, exist_ok=True)
        return found

    def rows(self, name: str) -> Path:
        """Return `aside` for a file of results."""
        return self.aside(f"{RESULTS}/{name}.json")

    def run(self, name: str) -> Path:
        """Return the folder of a run that a part makes on its way."""
        return self.aside(f"runs/{name}")

    def python(self, *words: str | Path, folder: Path | None = None, modules: Path | None = None) -> None:
        """Run Python in a folder, the checkout unless told otherwise, with further modules.

        Raises
        ------
        ToolError
            It failed; the text is the last line that it said.
        """
        command = [sys.executable, *map(str, words)]
        places = [str(modules)] if modules else []
        places += [place for place in (os.environ.get("PYTHONPATH"),) if place]
        with subprocess.Popen(
            command,
            cwd=folder or self.root,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            self._running.add(process)
            try:
                if self._stopped.is_set():
                    process.terminate()
                _, told = process.communicate()
            except BaseException:
                process.kill()
                raise
            finally:
                self._running.discard(process)
        if process.returncode:
            said = [line for line in told.splitlines() if any(map(str.isalnum, line))] or ["it said nothing"]
            raise ToolError(f"{' '.join(command[1:])} ended with {process.returncode}: {said[-1].strip()}")

    def stop(self) -> None:
        """End all commands that other threads run, and those that they would begin."""
        self._stopped.set()
        for process in tuple(self._running):
            process.terminate()

    def gatewright(self, *words: str | Path, folder: Path | None = None) -> None:
        """Run a command of Gatewright, in the checkout unless told otherwise."""
        self.python("-m", "gatewright", *words, "--quiet", folder=folder)


@dataclass(frozen=True)
class Part:
    """A part of the results that is measured by itself.

    Parameters
    ----------
    name : str
    files : tuple of str
        Of ``docs/results``, without their suffix.
    sources : tuple of str
        Files of the checkout where measuring begins, and folders for all modules in them; what the figures depend on
        follows from them, see `dependencies`.
    measure : callable
        Writes the files to `Work.rows`, and the pictures to `Work.aside`.
    need : str
        ``text``, ``silero`` or ``images`` where something must be given that does not come with Gatewright; else empty.
    pictures : tuple of str
        Further files of the checkout that it makes.
    alone : bool
        Whether nothing else is to be measured beside it: its figures are time of this machine, or it shows those of
        others.
    """

    name: str
    files: tuple[str, ...]
    sources: tuple[str, ...]
    measure: Callable[[Work], None]
    need: str = ""
    pictures: tuple[str, ...] = ()
    alone: bool = False

    @property
    def unread(self) -> frozenset[str]:
        """Modules that its figures do not depend on, though it imports them: it is not given what they read."""
        return frozenset(module for need, module in _READERS.items() if need != self.need)

    @property
    def made(self) -> tuple[str, ...]:
        """All files of the checkout that it makes."""
        return (*(f"{RESULTS}/{name}.json" for name in self.files), *self.pictures)


def _bench(name: str, need: str, work: Work) -> None:
    given = (f"--{need}", work.given(need)) if need else ()
    work.gatewright("bench", name, "--rows", work.rows(name), *given)


def _resumed(name: str, work: Work) -> None:
    """Measure a benchmark that goes on from a folder."""
    work.gatewright("bench", name, "-o", work.run(name), "--rows", work.rows(name))


def _opponents(task: str, need: str, seed: int, work: Work) -> None:
    data = work.given(need) if need else task
    name = f"opponents-{task}-{seed}"
    words = ("--task", data, "--seeds", str(seed), "-o", work.run(name))
    work.gatewright("bench", "opponents", *words, "--rows", work.rows(name))


def _studies(work: Work) -> None:
    """Measure the studies where the metric of the example finds its model."""
    words = (
        "-m",
        "gatewright",
        "bench",
        "studies",
        "--silero",
        ".",
        "--rows",
        work.rows("studies"),
        "--quiet",
    )
    work.python(*words, folder=work.given("silero"), modules=work.root / EXAMPLE)


def _silero(work: Work) -> None:
    folder, run = work.given("silero"), work.run("silero-vad")
    model, speech = folder / "silero_vad_16k_sequence.onnx", folder / "speech"
    work.python(f"{EXAMPLE}/run.py", "--model", model, "--speech", speech, "--out", run)
    shutil.copy(run / "rows.json", work.rows("silero-vad"))


def _proofs(work: Work) -> None:
    work.gatewright("prove", "--rows", work.rows("proofs"))


def _fuzz(first: int, work: Work) -> None:
    """Measure some accelerators of those that are fuzzed: the seed draws each by its number."""
    drawn = ("--seed", str(_FUZZ_SEED), "--first", str(first), "--n", str(_FUZZED_AT_ONCE), "--cases", "100")
    work.gatewright("fuzz", *drawn, "-o", work.run("fuzz"), "--rows", work.rows(f"fuzz-{first}"))


def _board(work: Work) -> None:
    """Run all test recordings of the digits on a simulated board whose line damages one byte in a hundred."""
    float_model, model, build = work.run("board.pt"), work.run("board.npz"), work.run("board")
    work.gatewright("train", "--data", "digits", "-o", float_model, "--overwrite")
    work.gatewright(
        "quantise", float_model, "--data", "digits", "--density", "0.125", "-o", model, "--overwrite"
    )
    work.gatewright("build", model, "--board", "ulx3s-85f", "--lanes", "8", "-o", build, "--overwrite")
    run = ("run", build, "--simulate", "--input", "digits", "--recordings", "450", "--damage", "0.01")
    work.gatewright(*run, "--rows", work.rows("board"))


def _demo(work: Work) -> None:
    run = work.run("demo")
    work.gatewright("demo", "-o", run, "--overwrite")
    rows = read_rows(*sorted((run / "rows").glob("*.json")))
    summary = json.loads((run / "summary.json").read_text())
    # The command names a folder that is gone when it is read.
    summary |= {"command": "gatewright demo", "commit": rows[0].commit, "dirty": rows[0].dirty}
    write_json(work.rows("demo"), summary)
    shutil.copy(run / "rows" / "synth.json", work.rows("synth"))
    for name in _DEMO_PICTURES:
        shutil.copy(run / "figures" / Path(name).name, work.aside(name))


def _search(work: Work) -> None:
    """Search in the run's folder: the report is published, and says the commands as they were given."""
    folder = work.run("search")
    folder.mkdir(parents=True, exist_ok=True)
    run = partial(work.gatewright, folder=folder)
    search = ("search", "float.pt", "--data", "digits", "--tune-epochs", "1", "--overwrite")
    run("train", "--data", "digits", "-o", "float.pt", "--overwrite")
    run(*search, "-o", "study", "--granularity", "matrix", "--trials", "200", "--points", "32", "--uniform")
    hardware = ("--choose", "lanes=4,8,16,32", "--choose", "cell_lanes=1,2", "--device", "ecp5-25k")
    run(*search, "-o", "small", *hardware, "--trials", "80", "--points", "4")
    study = folder / "study"
    shutil.copy(study / "front.json", work.rows("search-front"))
    shutil.copy(folder / "small" / "front.json", work.rows("hardware-front"))
    for name in _COMPARISONS:
        for rows in (work.root / RESULTS, work.rows(name).parent):
            if (rows / f"{name}.json").exists():
                shutil.copy(rows / f"{name}.json", study)
    run("report", "study")
    shutil.copy(study / "report.html", work.aside(_GALLERY))


_NEEDS = {"text": "text", "roads": "silero", "studies": "silero", "modes": "silero", "trains": "images"}
"""Benchmarks that something must be given for."""

_TIMED = {"cycles", "sim", "golden", "train", "qat", "compress", "text", "roads"}
"""Benchmarks with figures that are time, or come from it."""

_MORE_SOURCES = {
    # Runs commands, each of which is a function of `flow`, on features that the example writes.
    "roads": ("src/gatewright/flow", f"{EXAMPLE}/features.py"),
    "studies": (f"{EXAMPLE}/features.py", f"{EXAMPLE}/decisions.py"),
}
"""Where benchmarks begin besides their module: what they run without importing it."""

_FUZZ_SEED = 2026
"""Of what is published; shorter runs and tests have others."""

_FUZZED, _FUZZED_AT_ONCE = 24, 12
"""Accelerators in all and in each part: 4 to 128 lanes in turn, twice over in a part."""

_DEMO_PICTURES = ("docs/images/cycles.png", "docs/images/scores.png")
_GALLERY = "reports/gallery/search.html"
_COMPARISONS = ("discretisation",)
"""Results that the report of a study shows beside it."""


_TASKS = {"digits": "", "fashion-mnist": "images", "text": "text"}
"""Data that `opponents` compares methods on, each seed a part of its own, and what must be given for it."""

_OTHERS: dict[str, Callable[[Work], None]] = {
    "studies": _studies,
    "regret": partial(_resumed, "regret"),
    "narrowing": partial(_resumed, "narrowing"),
}
"""Benchmarks that are measured in another way than the rest."""


def sources_of(name: str) -> tuple[str, ...]:
    """Return where a benchmark begins, as `Part.sources`: at its module, or in its folder where it is a package."""
    path = f"src/gatewright/benchmarks/{MODULES[name]}"
    module = path if (HERE.root / path).is_dir() else f"{path}.py"
    return (module, *_MORE_SOURCES.get(name, ()))


def _parts(name: str) -> list[Part]:
    """Give the parts that a benchmark is measured in."""
    sources, need = sources_of(name), _NEEDS.get(name, "")
    if name == "opponents":
        return [
            Part(each, (each,), sources, partial(_opponents, task, need, seed), need)
            for task, need in _TASKS.items()
            for seed in SEEDS
            for each in (f"opponents-{task}-{seed}",)
        ]
    work = _OTHERS.get(name, partial(_bench, name, need))
    return [Part(name, (name,), sources, work, need, alone=name in _TIMED)]


PARTS: dict[str, Part] = {
    each.name: each
    for each in (
        Part(
            "demo",
            ("demo", "synth"),
            ("src/gatewright/flow/demo.py",),
            _demo,
            pictures=_DEMO_PICTURES,
            alone=True,
        ),
        *(part for name in MODULES for part in _parts(name)),
        Part("board", ("board",), ("src/gatewright/flow/drive.py",), _board),
        Part("proofs", ("proofs",), ("src/gatewright/flow/prove.py",), _proofs, alone=True),
        *(
            Part(name, (name,), ("src/gatewright/flow/fuzz.py",), partial(_fuzz, first))
            for first in range(0, _FUZZED, _FUZZED_AT_ONCE)
            for name in (f"fuzz-{first}",)
        ),
        Part("silero-vad", ("silero-vad",), (f"{EXAMPLE}/run.py",), _silero, "silero"),
        Part(
            "search",
            ("search-front", "hardware-front"),
            ("src/gatewright/flow/train.py", "src/gatewright/flow/search.py"),
            _search,
            pictures=(_GALLERY,),
            alone=True,
        ),
    )
}
"""By name; those that show what others measured come after them."""
