"""Run commands on hostile files, each in a process of its own that is watched; start it as a script.

One process imports all that commands need, and forks for each command, so that neither the start of the interpreter
nor its imports count. It reads lines of JSON (arguments, a folder) and writes lines of JSON: what the command said, its
exit status, its seconds of CPU, and the megabytes by which its memory grew.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "COLUMNS": "1000", "NO_COLOR": "1"}

PACKAGES = (
    "gatewright.cli",
    "gatewright.cosim.golden",
    "gatewright.cosim.search.study",
    "gatewright.flow.demo",
    "gatewright.flow.verify",
    "gatewright.sw.importers.keras_model",
    "gatewright.sw.importers.onnx_model",
    "gatewright.sw.importers.pytorch",
    "onnxruntime",
)
CPU_SECONDS, SECONDS, BYTES = 10, 60, 2**31
"""Of one command, before it is ended: what waits, computes or grows without end."""


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def attack(arguments: list[str], folder: str) -> dict:
    """Run one command in a folder."""
    said = Path(folder, "said.txt")
    gc.collect()
    read, write = os.pipe()
    if not (child := os.fork()):
        status = 99
        try:
            os.write(write, str(resident()).encode())
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + BYTES, size + BYTES))
            signal.alarm(SECONDS)
            os.chdir(folder)
            with said.open("w") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            sys.argv = ["gatewright", *arguments]
            from gatewright.cli import main

            with contextlib.suppress(KeyboardInterrupt):
                main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    before = int(os.read(read, 100))
    _, status, used = os.wait4(child, 0)
    os.close(read)
    os.close(write)
    return {
        "said": said.read_text(errors="replace"),
        "status": os.waitstatus_to_exitcode(status),
        "seconds": used.ru_utime + used.ru_stime,
        "megabytes": max(0, used.ru_maxrss * 1024 - before) / 1e6,
    }


if __name__ == "__main__":
    for name in PACKAGES:
        importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(attack(**json.loads(line))), flush=True)
