"""The proof of what is delivered: the tops from the files on disk, loaded or with a baked model."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from amaranth.hdl import Shape

from gatewright.cosim import engines, simulator
from gatewright.cosim.measurement import Measurement, Verification
from gatewright.cosim.player import play, prepare
from gatewright.cosim.testbenches.recordings import Recordings
from gatewright.custody import Engine
from gatewright.errors import DataError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.verilog import AXI_TOP, TOP
from gatewright.hw.interface import COUNTERS, JOB, LOAD, RESULT, ErrorCode, element
from gatewright.hw.rtl.axi_registers import (
    ADDRESS_BITS,
    CONFIG_REGISTERS,
    CONTROL_FIELDS,
    COUNTER_REGISTERS,
    IDENTITY,
    REGISTERS,
    STATUS_FIELDS,
    VERSION,
)
from gatewright.hw.skipping import Skip
from gatewright.progress import Progress, silent

ADAPTER = Path(__file__).with_name("axi_adapter.sv")
"""Puts the plain ports back on the AXI top, so that the harness can play the same job files through it."""


def verify_plain(
    folder: Path,
    compiled: Compiled,
    sequences: Sequence[np.ndarray],
    *,
    baked: bool = False,
    progress: Progress = silent,
    engine: Engine = "verilator",
    **options,
) -> Verification:
    """Do what `verify_axi` does for the plain top, ``gatewright_accelerator.sv``, with the chosen engine."""
    verilog, given = _prepare(folder, TOP, compiled, sequences, baked=baked, **options)
    return engines.run(engine, compiled.config, [given], progress, verilog=verilog)[0]


def verify_axi(
    folder: Path,
    compiled: Compiled,
    sequences: Sequence[np.ndarray],
    *,
    baked: bool = False,
    progress: Progress = silent,
    **options,
) -> Verification:
    """Run sequences through the ports of the delivered AXI top in Verilator, and compare all with the golden model.

    The model goes in through AXI4-Lite as a driver would load it: four cycles a word. Counters are read from the
    registers after each job. So are the registers that name the configuration, before the first.

    Parameters
    ----------
    folder : Path
        Holds ``gatewright_axi.sv``.
    compiled : Compiled
        The model.
    sequences : sequence of int array [steps, inputs]
        Inputs in LSB of the model's input format.
    baked : bool
        The model is baked in, and nothing is loaded.
    progress : Progress
        Told about the build and every finished sequence.
    **options
        `skip`, `fresh`, `stalls`, `seed` and `model`, as `gatewright.cosim.verify.verify` takes them.

    Raises
    ------
    DataError
        The Verilog is missing; a sequence does not suit the model, or there is none.
    BundleError
        The compiled model is malformed.
    ToolError
        A tool is missing or failed.
    """
    adapter = axi_map(compiled.config) + ADAPTER.read_text()
    verilog, given = _prepare(folder, AXI_TOP, compiled, sequences, baked=baked, **options)
    simulation = simulator.build(
        compiled.config, progress, verilog=verilog, adapter=adapter, cycles=given.expected_cycles
    )
    return play(simulation, [given], progress)[0]


def _prepare(
    folder: Path,
    top: str,
    compiled: Compiled,
    sequences: Sequence[np.ndarray],
    *,
    baked: bool,
    skip: Skip | bool | Sequence[Skip | bool] = False,
    fresh: bool | Sequence[bool] = True,
    stalls: bool = False,
    seed: int = 0,
    model: Compiled | None = None,
) -> tuple[str, Recordings]:
    path = Path(folder) / f"{top}.sv"
    try:
        verilog = path.read_text()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); build the folder again") from error
    wanted = Measurement(compiled, sequences, skip, fresh)
    return verilog, prepare(wanted, model=model, stalls=stalls, seed=seed, baked=baked)


def axi_map(config: AcceleratorConfig) -> str:
    """Return the SystemVerilog package with addresses and fields that ``axi_adapter.sv`` goes by."""
    widths = {
        "LOAD_BITS": LOAD.size,
        "LOAD_DATA_BITS": LOAD["data"].width,
        "JOB_BITS": JOB.size,
        "JOB_FRESH": JOB["fresh"].offset,
        "JOB_SKIP": JOB["skip"].offset,
        "JOB_THRESHOLD": JOB["threshold"].offset,
        "INPUT_BITS": element(config.activation_bits).size,
        "INPUT_LAST": element(config.activation_bits)["last"].offset,
        "RESULT_BITS": RESULT.size,
        "RESULT_LAST": RESULT["last"].offset,
        "ERROR_BITS": Shape.cast(ErrorCode).width,
        **{f"CONTROL_{name.upper()}": CONTROL_FIELDS[name].offset for name in ("start", "fresh", "skip")},
        **{f"STATUS_{name.upper()}": STATUS_FIELDS[name].offset for name in ("idle", "error")},
        "COUNTERS": len(COUNTER_REGISTERS),
    }
    # In the order of the packed counters of the plain top.
    counters = [COUNTER_REGISTERS[name].offset for name, _ in COUNTERS]
    identity = {
        REGISTERS["IDENTITY"].offset: IDENTITY,
        REGISTERS["VERSION"].offset: VERSION,
        **{CONFIG_REGISTERS[name].offset: value for name, value in config.to_json().items()},
    }
    lines = [f"localparam int {name} = {value};" for name, value in widths.items()]
    lines += [
        f"localparam logic [{ADDRESS_BITS - 1}:0] {name} = {REGISTERS[name].offset};"
        for name in ("CONTROL", "STATUS", "STEPS", "THRESHOLD", "LOAD_ADDRESS", "LOAD_DATA")
    ]
    lines += [
        f"localparam int IDENTITIES = {len(identity)};",
        _table("COUNTER_ADDRESS", ADDRESS_BITS, counters),
        _table("IDENTITY_ADDRESS", ADDRESS_BITS, identity),
        _table("IDENTITY_VALUE", 32, identity.values()),
    ]
    return "\n".join(["package axi_map;", *(f"    {line}" for line in lines), "endpackage", "", ""])


def _table(name: str, bits: int, values: Iterable[int]) -> str:
    entries = [f"{bits}'d{value}" for value in values]
    return f"localparam logic [{bits - 1}:0] {name}[{len(entries)}] = '{{{', '.join(entries)}}};"
