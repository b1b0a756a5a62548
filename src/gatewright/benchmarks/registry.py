"""The benchmarks by name: each measures a part and gives rows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gatewright.benchmarks import SEEDS
from gatewright.benchmarks.accelerator import bench_golden, bench_hw, bench_hw_large, bench_hw_wide, bench_sim
from gatewright.benchmarks.compress import bench_compress
from gatewright.benchmarks.cycles import bench_cycles
from gatewright.benchmarks.discretisation import bench_discretisation
from gatewright.benchmarks.factors import bench_factors
from gatewright.benchmarks.latency import bench_latency
from gatewright.benchmarks.modes import bench_modes
from gatewright.benchmarks.narrowing import bench_narrowing
from gatewright.benchmarks.opponents import bench_opponents
from gatewright.benchmarks.parts import sources_of
from gatewright.benchmarks.patterns import bench_patterns
from gatewright.benchmarks.place import bench_place
from gatewright.benchmarks.publishing import publish, refuse_changes
from gatewright.benchmarks.qat import bench_qat
from gatewright.benchmarks.regret import bench_regret
from gatewright.benchmarks.resources import bench_resources
from gatewright.benchmarks.roads import bench_roads
from gatewright.benchmarks.staleness import changed_since
from gatewright.benchmarks.studies import bench_studies
from gatewright.benchmarks.text import bench_text
from gatewright.benchmarks.training import bench_train
from gatewright.benchmarks.trains import bench_trains
from gatewright.benchmarks.up5k import bench_up5k
from gatewright.errors import ConfigError
from gatewright.origin import HERE, commit
from gatewright.progress import Progress
from gatewright.results import Row


class Options(NamedTuple):
    """What a benchmark may be told.

    Parameters
    ----------
    progress : Progress
    cases, seed : int
        How many random cases of the cycle model, and their seed.
    text : Path, optional
        A text for those that need one.
    silero : Path, optional
        A folder with Silero VAD and speech, for those that need them.
    task : str
        The data that `opponents` compares methods on.
    seeds : tuple of int
        Of its models; none for those that are reported.
    folder : Path, optional
        Where those that go on after a stop keep what they found.
    images : Path, optional
        A folder with the four IDX files of Fashion-MNIST, for those that need them.
    """

    progress: Progress
    cases: int
    seed: int
    text: Path | None
    silero: Path | None
    task: str = "digits"
    seeds: tuple[int, ...] = ()
    folder: Path | None = None
    images: Path | None = None


def _import(options: Options) -> list[Row]:
    # Here because onnx and its test cases take time to load, which no other command needs.
    from gatewright.benchmarks.imports import bench_import

    return bench_import(options.progress)


def _text_of(options: Options) -> Path:
    if options.text is None:
        raise ConfigError("this benchmark needs a text: give --text FILE, some megabytes of plain text")
    return options.text


def _images_of(options: Options) -> Path:
    if options.images is None:
        raise ConfigError(
            "this benchmark needs images: give --images FOLDER, with the four IDX files of Fashion-MNIST"
        )
    return options.images


def _folder_of(options: Options) -> Path:
    if options.folder is None:
        raise ConfigError(
            "this benchmark takes hours and goes on after a stop: give -o FOLDER for what it finds"
        )
    return options.folder


def _opponents(options: Options) -> list[Row]:
    seeds = options.seeds or SEEDS
    return bench_opponents(options.task, _folder_of(options), options.progress, seeds=seeds)


BENCHES: dict[str, Callable[[Options], list[Row]]] = {
    "hw": lambda options: bench_hw(options.progress),
    "hw-large": lambda options: bench_hw_large(options.progress),
    "hw-wide": lambda options: bench_hw_wide(options.progress),
    "cycles": lambda options: bench_cycles(options.cases, options.seed, options.progress),
    "place": lambda options: bench_place(options.progress),
    "up5k": lambda options: bench_up5k(options.progress),
    "resources": lambda options: bench_resources(options.progress),
    "sim": lambda options: bench_sim(options.progress),
    "golden": lambda options: bench_golden(options.progress),
    "train": lambda options: bench_train(options.progress),
    "qat": lambda options: bench_qat(options.progress),
    "compress": lambda options: bench_compress(options.progress),
    "factors": lambda options: bench_factors(options.progress),
    "trains": lambda options: bench_trains(str(_images_of(options)), options.progress),
    "patterns": lambda options: bench_patterns(options.progress),
    "text": lambda options: bench_text(str(_text_of(options)), options.progress),
    "import": _import,
    "roads": lambda options: bench_roads(options.silero, options.progress),
    "studies": lambda options: bench_studies(options.silero, options.progress),
    "opponents": _opponents,
    "regret": lambda options: bench_regret(_folder_of(options), options.progress),
    "narrowing": lambda options: bench_narrowing(_folder_of(options), options.progress),
    "latency": lambda options: bench_latency(options.progress),
    "discretisation": lambda options: bench_discretisation(options.progress),
    "modes": lambda options: bench_modes(options.silero, options.progress),
}
"""Benchmarks by name."""


def bench(name: str, path: Path | None, options: Options) -> list[Row]:
    """Run one benchmark; with a path, write its rows there.

    Rows are dirty, too, where code that they depend on changed while it was measured.

    Raises
    ------
    ConfigError
        There is no benchmark of that name, it lacks an option, or its rows would go to ``docs/results`` although the
        code is not committed.
    """
    if name not in BENCHES:
        raise ConfigError(f"no benchmark named {name!r}; known are {', '.join(BENCHES)}")
    if path:
        refuse_changes(path, HERE)
    begun = commit()
    rows = BENCHES[name](options)
    if changed_since(begun, sources_of(name), HERE):
        rows = [replace(row, dirty=True) for row in rows]
    if path:
        publish(path, rows)
    return rows
