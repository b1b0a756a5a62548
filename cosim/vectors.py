"""Stimulus and expected results as plain hexadecimal, with a self-checking bench: for simulators of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewright import __version__
from gatewright.cosim.golden import Golden
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.traffic import (
    cycle_limit,
    harness_parameters,
    input_payloads,
    load_limit,
    load_payloads,
)
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.fpga.verilog import TOP
from gatewright.hw.interface import JOB, RESULT
from gatewright.storage import make_folder, write_bytes, write_text

BENCH = Path(__file__).with_name("gatewright_bench.sv")
"""The bench."""

CORE = "gatewright_vectors.core"
"""The same for FuseSoC."""

BENCH_TOP = BENCH.stem
"""Its top module."""

_README = """\
# Vectors of {name}

Stimulus and expected results of {jobs} jobs on `{top}`, in hexadecimal, and a bench that plays the one and compares
with the other. `{top}.sv` is the file that was delivered.

| file | has |
|---|---|
| `loads.hex` | {loads} words for the port `load` |
| `jobs.hex` | the jobs, with how many elements and results each has, and in how many cycles it must end |
| `inputs.hex` | {inputs} payloads of the port `i` |
| `expected.hex` | {results} payloads of the port `o` |
| `sizes.svh` | these numbers, and the widths of the ports |

In this folder, with Verilator 5 or newer:

    verilator --binary -Wno-fatal -Wno-lint --top-module {bench} {bench}.sv {top}.sv
    obj_dir/V{bench}

or with Icarus Verilog 11 or newer (which says "sorry: constant selects"; that costs time, and nothing else):

    iverilog -g2012 -s {bench} -o bench {bench}.sv {top}.sv
    vvp -n bench

The bench prints `PASS` with the number of results that it compared and ends with status 0, or it prints `FAIL` and ends
with another status: where a result differs, is missing or is too many, on an error code, and after too many cycles.
`{core}` has both for FuseSoC: `fusesoc --cores-root . run gatewright_vectors`, and `run --target icarus`.

`+waves=K` at the end of the second command writes the waves from job K on to `waves.vcd` (Verilator: build with
`--trace-vcd`).
"""

_CORE = """\
CAPI=2:
name: gatewright:gatewright:gatewright_vectors:{version}
description: Self-checking bench of {top} with the vectors of {name}

filesets:
  bench:
    files:
      - sizes.svh: {{is_include_file: true}}
      - {bench}.sv
      - {top}.sv
    file_type: systemVerilogSource
  vectors:
    files:
      - loads.hex: {{copyto: loads.hex}}
      - jobs.hex: {{copyto: jobs.hex}}
      - inputs.hex: {{copyto: inputs.hex}}
      - expected.hex: {{copyto: expected.hex}}
    file_type: user

targets:
  default: &verilator
    description: the bench in Verilator
    filesets: [bench, vectors]
    toplevel: {bench}
    flow: sim
    flow_options:
      tool: verilator
      mode: binary
      verilator_options: [-Wno-fatal, -Wno-lint]

  sim: *verilator

  icarus:
    description: the bench in Icarus Verilog
    filesets: [bench, vectors]
    toplevel: {bench}
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2012]
"""


@dataclass(frozen=True)
class Vectors:
    """What the bench plays and compares.

    Parameters
    ----------
    measurement : Measurement
        A model and its sequences.
    baked : bool
        The accelerator has the model in its memories: nothing is loaded.
    """

    measurement: Measurement
    baked: bool = False

    def write(self, folder: Path, verilog: Path, name: str) -> None:
        """Write the vectors, the bench, a copy of the Verilog and a README into a folder.

        Parameters
        ----------
        folder : Path
            Made by this if it is not there.
        verilog : Path
            The delivered text of the plain top.
        name : str
            Of the model, for the README.

        Raises
        ------
        DataError
            A sequence does not suit the model.
        StorageError
            The folder cannot be written.
        """
        make_folder(folder)
        files = self.files()
        for path, text in files.items():
            write_text(folder / path, text)
        for source, copy in ((BENCH, BENCH.name), (verilog, f"{TOP}.sv")):
            write_bytes(folder / copy, source.read_bytes())
        counts = {part: files[f"{part}.hex"].count("\n") for part in ("loads", "jobs", "inputs")}
        counts["results"] = files["expected.hex"].count("\n")
        names = {"name": name, "top": TOP, "bench": BENCH_TOP, "core": CORE, "version": __version__}
        write_text(folder / CORE, _CORE.format(**names))
        write_text(folder / "README.md", _README.format(**names, **counts))

    def files(self) -> dict[str, str]:
        """Return the contents of the files that the bench reads, by name.

        Raises
        ------
        DataError
            A sequence does not suit the model.
        """
        compiled, golden = self.measurement.compiled, Golden(self.measurement.compiled)
        words = compiled.image.load_words()
        jobs: list[int] = []
        inputs: list[np.ndarray] = []
        expected: list[np.ndarray] = []
        for x, fresh, skip in zip(
            self.measurement.sequences, self.measurement.freshness, self.measurement.skips, strict=True
        ):
            results = golden.run(x, fresh)
            values = {
                "steps": len(x),
                "fresh": int(fresh),
                "skip": int(skip),
                "threshold": self.measurement.threshold,
            }
            payload = JOB.const(values).as_bits()
            limit = cycle_limit(compiled, len(x))
            jobs.append(limit << 128 | len(results) << 96 | np.size(x) << 64 | payload)
            inputs.append(input_payloads(x, compiled.config.activation_bits))
            expected.append(result_payloads(compiled, results, len(x)))
        widths = harness_parameters(compiled.config)
        elements, results = np.concatenate(inputs), np.concatenate(expected)
        loads = np.empty(0, np.uint64) if self.baked else load_payloads(words)
        sizes = {
            "LOADS": len(loads),
            "JOBS": len(jobs),
            "INPUTS": len(elements),
            "RESULTS": len(results),
            "LOAD_LIMIT": load_limit(len(words)),
            **{name: widths[name] for name in sorted(widths)},
        }
        defined = "".join(f"`define {name} {value}\n" for name, value in sizes.items())
        return {
            "sizes.svh": defined + ("" if self.baked else "`define LOADED\n"),
            "loads.hex": _hex(loads.tolist(), 64),
            "jobs.hex": _hex(jobs, 160),
            "inputs.hex": _hex(elements.tolist(), widths["INPUT_BITS"]),
            "expected.hex": _hex(results.tolist(), widths["RESULT_BITS"]),
        }


def result_payloads(compiled: Compiled, results: np.ndarray, steps: int) -> np.ndarray:
    """Return the payloads (uint64) of the output stream for a sequence's results, final ones of vectors with `last`."""
    payloads = (results.astype(np.int64).view(np.uint64) & np.uint64(0xFFFFFFFF)) << np.uint64(
        RESULT["data"].offset
    )
    places = compiled.split_results(np.arange(len(results)), steps)
    final = np.concatenate([vectors[:, -1] for vectors in places if vectors.size])
    payloads[final] |= np.uint64(1 << RESULT["last"].offset)
    return payloads


def _hex(words: Sequence[int], bits: int) -> str:
    return "".join(f"{word:0{-(-bits // 4)}x}\n" for word in words)
