"""nextpnr in a child process, from the wheel that brings it for a family."""

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
    family: Family, files: dict[str, str], options: Sequence[str], *, seconds: float, what: str
) -> str:
    """Place and route, and give the report.

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

    Returns
    -------
    str
        The report as JSON.

    Raises
    ------
    ToolError
        nextpnr is missing, failed (the design does not fit, for example) or ran out of time; the text ends with the
        end of its log.
    """
    package = family.wheel.replace("-", "_")
    if not package:
        raise ToolError(f"nextpnr does not know {family.name}: write its flow and run the script there")
    if util.find_spec(package) is None:
        raise ToolError(f"{family.placer} is missing: pip install {family.wheel}")
    child = _CHILD.format(package=package, run=f"run_{package.removeprefix('yowasp_')}")
    always = ["--json", "netlist.json", "--report", "report.json", "--timing-allow-fail"]
    with tempfile.TemporaryDirectory(prefix="gatewright-place-") as name:
        # The folder is all that WebAssembly sees.
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        try:
            run = subprocess.run(
                [sys.executable, "-c", child, *always, *options],
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
            raise ToolError(f"nextpnr was stopped after its {seconds:g} s for {what}") from error
        if run.returncode:
            log = "\n".join([line for line in run.stdout.splitlines() if line][-_LOG_LINES:])
            short = "".join(f"it takes {used} {name} of {has}; " for name, used, has in _exceeded(run.stdout))
            raise ToolError(f"nextpnr failed for {what}; {short}its log ends with:\n{log}")
        return (folder / "report.json").read_text(encoding="utf-8")


def _exceeded(log: str) -> list[tuple[str, int, int]]:
    """Find the cells of which the log says that the design has more than the device: their name and both numbers."""
    found = [(name, int(used), int(has)) for name, used, has in _USED.findall(log)]
    return list(dict.fromkeys(each for each in found if each[1] > each[2]))
