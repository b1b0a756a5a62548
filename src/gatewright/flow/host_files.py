"""What a host takes from a build: the words that load each model, the formats of inputs and results, a driver in C."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import gatewright.host
from gatewright.errors import MismatchError, RunFolderError
from gatewright.hw.compiler.load_files import binary, read_binary, read_text, text
from gatewright.hw.compiler.wire import wire_format
from gatewright.run import RunFolder
from gatewright.texts import read_object

if TYPE_CHECKING:
    from gatewright.flow.design import Design


DRIVER = ("driver/gatewright.h", "driver/gatewright.c")
"""The files of the C driver in a build; it includes the header of the registers."""


def driver_files(run: RunFolder) -> Iterator[tuple[Path, bytes]]:
    """Yield the path and the contents of each file of the C driver."""
    source = Path(gatewright.host.__file__).parent / "c"
    for name in DRIVER:
        yield run.root / name, (source / Path(name).name).read_bytes()


def host_files(run: RunFolder, design: "Design") -> Iterator[tuple[Path, bytes]]:
    """Yield the path and the contents of each file; an accelerator with a baked model has nothing to load."""
    for each in design.models if design.baked is None else ():
        words = each.compiled.image.load_words()
        as_bytes, as_text = run.load_files(each.name, each.storage)
        yield as_bytes, binary(words)
        yield as_text, text(words).encode()
    yield run.wire, (json.dumps(_formats(design), indent=2) + "\n").encode()


def check_host_files(run: RunFolder, design: "Design") -> None:
    """See that the files hold what is simulated: the very words that load the models, and their formats.

    Raises
    ------
    MismatchError
        One of them does not; the text names it.
    BundleError, RunFolderError
        One is missing or malformed.
    """
    for each in design.models if design.baked is None else ():
        words = each.compiled.image.load_words()
        for path, read in zip(run.load_files(each.name, each.storage), (read_binary, read_text), strict=True):
            if not np.array_equal(read(path), words):
                image = run.image(each.name, each.storage)
                raise MismatchError(f"{path} does not hold the words of {image}: build again")
    if read_object(run.wire, "the formats of a build", RunFolderError) != _formats(design):
        raise MismatchError(f"{run.wire} does not hold the formats of the models: build again")


def _formats(design: "Design") -> dict[str, Any]:
    return {
        "models": [
            {"name": each.name, "storage": each.storage, **wire_format(each.bundle, each.compiled)}
            for each in design.models
        ]
    }
