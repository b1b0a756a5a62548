"""nextpnr and its companions in a child process, from the wheel that brings them for a family."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import util
from pathlib import Path

from gatewright.errors import ToolError
from gatewright.hw.fpga.devices import Family

_CHILD = "import sys; from {package} import {run}; sys.exit({run}(sys.argv[1:]))"
_LOG_LINES = 12
_USED = re.compile(r"^Info:\s+(\w+): +(\d+)/ *(\d+) +\d+%", re.MULTILINE)


def run_nextpnr(
    family: Family,
    files: dict[str, str],
    options: Sequence[str],
    *,
    seconds: float,
    what: str,
    kept: Sequence[str] = (),
) -> dict[str, bytes]:
    """Place and route.

    Parameters
    ----------
    family : Family
    files : dict of str
        Texts of the files that the options name; ``netlist.json`` is one.
    options : sequence of str
        Options beside those for the netlist and the report. That the clock is missed is no failure.
    seconds : float
        Time limit.
    what : str
        What is placed, for messages.
    kept : sequence of str
        Files that the options make nextpnr write.

    Returns
    -------
    dict of bytes
        Contents of ``report.json``, and of the files that are kept.

    Raises
    ------
    ToolError
        nextpnr is missing, failed (the design does not fit, for example) or ran out of time; the text ends with the
        end of its log.
    """
    entry = f"run_{family.wheel.replace('-', '_').removeprefix('yowasp_')}"
    always = ["--json", "netlist.json", "--report", "report.json", "--timing-allow-fail"]
    given = {name: text.encode() for name, text in files.items()}
    return run_tool(
        family, entry, given, [*always, *options], seconds=seconds, what=what, kept=("report.json", *kept)
    )


def run_tool(
    family: Family,
    entry: str,
    files: dict[str, bytes],
    arguments: Sequence[str],
    *,
    seconds: float,
    what: str,
    kept: Sequence[str],
) -> dict[str, bytes]:
    """Run a program of the wheel that brings a family's nextpnr, in a folder of its own.

    Parameters
    ----------
    family : Family
    entry : str
        The function that is the program.
    files : dict of bytes
        Contents of the folder.
    arguments : sequence of str
        Of the program.
    seconds : float
        Time limit.
    what : str
        What it works on, for messages.
    kept : sequence of str
        Files that it writes.

    Returns
    -------
    dict of bytes
        Contents of the files that are kept.

    Raises
    ------
    ToolError
        As for `run_nextpnr`.
    """
    package = family.wheel.replace("-", "_")
    if not package:
        raise ToolError(f"nextpnr does not know {family.name}: write its flow and run the script there")
    if util.find_spec(package) is None:
        raise ToolError(f"{family.placer} is missing: pip install {family.wheel}")
    tool = entry.removeprefix("run_").partition("_")[0]
    child = _CHILD.format(package=package, run=entry)
    with tempfile.TemporaryDirectory(prefix="gatewright-place-") as name:
        # The folder is all that WebAssembly sees.
        folder = Path(name)
        for file, contents in files.items():
            (folder / file).write_bytes(contents)
        try:
            run = subprocess.run(
                [sys.executable, "-c", child, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{tool} was stopped after its {seconds:g} s for {what}") from error
        if run.returncode:
            log = "\n".join([line for line in run.stdout.splitlines() if line][-_LOG_LINES:])
            short = "".join(f"it takes {used} {name} of {has}; " for name, used, has in _exceeded(run.stdout))
            raise ToolError(f"{tool} failed for {what}; {short}its log ends with:\n{log}")
        return {file: (folder / file).read_bytes() for file in kept}


def _exceeded(log: str) -> list[tuple[str, int, int]]:
    """Find the cells of which the log says that the design has more than the device: their name and both numbers."""
    found = [(name, int(used), int(has)) for name, used, has in _USED.findall(log)]
    return list(dict.fromkeys(each for each in found if each[1] > each[2]))
