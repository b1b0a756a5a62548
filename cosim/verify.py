"""The proof: Verilog and golden model, compared on every integer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gatewright.cosim import engines, simulator
from gatewright.cosim.measurement import Measurement, Verification
from gatewright.cosim.player import prepare
from gatewright.cosim.testbenches import ports
from gatewright.custody import Engine
from gatewright.errors import ConfigError, DataError, ToolError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.skipping import Skip
from gatewright.progress import Progress, silent


def verify(
    compiled: Compiled,
    sequences: Sequence[np.ndarray],
    *,
    verilog: str | None = None,
    skip: Skip | bool | Sequence[Skip | bool] = False,
    fresh: bool | Sequence[bool] = True,
    stalls: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    model: Compiled | None = None,
    engine: Engine = "verilator",
) -> Verification:
    """Load a model, run sequences on the Verilog in a simulator and compare every result with the golden model.

    Parameters
    ----------
    compiled, sequences, skip, fresh
        As in `Measurement`; `compiled` is what the accelerator is loaded with.
    verilog : str, optional
        The text to simulate: that of the plain top, as it was delivered. Unless given, it is emitted.
    stalls : bool
        Pause all streams at random, in a quarter of the cycles; else full rate.
    seed : int
        Of the pauses.
    progress : Progress
        Told about the build and every finished sequence.
    model : Compiled, optional
        What the golden model runs in place of `compiled`, to see that the comparison can fail.
    engine : "verilator" or "cxxrtl"

    Raises
    ------
    DataError
        A sequence does not suit the model, or there is none.
    BundleError
        The compiled model is malformed.
    ToolError
        A tool is missing or failed.
    """
    wanted = Measurement(compiled, sequences, skip, fresh)
    given = prepare(wanted, model=model, stalls=stalls, seed=seed)
    return engines.run(engine, compiled.config, [given], progress, verilog=verilog)[0]


def measure(
    config: AcceleratorConfig,
    measurements: Sequence[Measurement],
    *,
    verilog: str | None = None,
    stalls: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    engine: Engine = "verilator",
) -> list[Verification]:
    """Measure models of one configuration, all in one simulation, and compare every result with the golden model.

    Parameters
    ----------
    config : AcceleratorConfig
        The hardware.
    measurements : sequence of Measurement
        What to run, in order; there may be hundreds.
    verilog, stalls, seed, progress, engine
        As in `verify`.

    Returns
    -------
    list of Verification
        One for each measurement, without mismatches.

    Raises
    ------
    ConfigError
        A model is compiled for another configuration.
    DataError
        A sequence does not suit its model, or there is none.
    BundleError
        A compiled model is malformed.
    ToolError
        A tool is missing or failed, or golden model and RTL disagree: a wrong accelerator has no speed.
    """
    if not measurements:
        raise DataError("at least one model is needed to measure anything")
    for number, measurement in enumerate(measurements):
        if measurement.compiled.config != config:
            raise ConfigError(
                f"model {number} is compiled for another configuration than the one to measure on"
            )
    prepared = [prepare(each, stalls=stalls, seed=seed) for each in measurements]
    found = engines.run(engine, config, prepared, progress, verilog=verilog)
    for number, verification in enumerate(found):
        if verification.mismatches:
            raise ToolError(f"golden model and RTL disagree on model {number}: {verification.report}")
    return found


def verify_ports(
    compiled: Compiled,
    sequences: Sequence[np.ndarray],
    *,
    skip: Skip | bool = False,
    stalls: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> simulator.Outcome:
    """Run the cycle-level bench: Python drives every port, with resets and bad requests in between.

    Parameters and errors are those of `verify`; the longest sequence needs two steps. Simulates some 10,000 cycles per
    second, so the sequences had better be short.
    """
    given = prepare(Measurement(compiled, sequences, skip), stalls=stalls, seed=seed)
    simulation = simulator.build(compiled.config, progress, cycles=given.expected_cycles)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        given.save(folder)
        return simulator.simulate(simulation, ports.NAME, folder, tests=ports.TESTS, seed=seed)
