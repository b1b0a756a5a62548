"""Run every bench on a small accelerator with random models: ``python -m gatewright.cosim.testbenches [--seed N]``."""

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path

from gatewright.cosim.delivered import verify_axi
from gatewright.cosim.simulator import Outcome
from gatewright.cosim.testbenches.axi_run import verify_axi_ports
from gatewright.cosim.verify import verify, verify_ports
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import GatewrightError
from gatewright.hw.compiler import Mode, compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.flows import write_flows

_CONFIG = AcceleratorConfig(
    lanes=8, cell_lanes=2, activation_bits=16, weight_depth=1024, index_depth=512, activation_depth=64
)
_MODES: tuple[Mode, ...] = ("dense", "sparse")


def main() -> int:
    """Give 0 if every bench passed, 1 if one did not, 2 if one could not run."""
    parser = argparse.ArgumentParser(prog="python -m gatewright.cosim.testbenches", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of models, inputs, gaps and stalls")
    seed = parser.parse_args().seed
    bundle = random_bundle(
        seed, hidden=13, kept=3, lanes=_CONFIG.lanes, activation_bits=_CONFIG.activation_bits
    )
    sequences = [random_inputs(seed + k, bundle, steps, zeros=0.3) for k, steps in enumerate((1, 2, 9, 5))]
    failed = 0
    try:
        for mode, stalls, skip in product(_MODES, (False, True), (False, True)):
            compiled = compile_bundle(bundle, _CONFIG, mode=mode, hidden_results="all")
            what = f"{mode}, {'with stalls' if stalls else 'full rate'}, zeros {'skipped' if skip else 'not skipped'}"
            found = verify(compiled, sequences, stalls=stalls, skip=skip, seed=seed)
            print(f"recordings, {what}: {found.report}")
            outcome = verify_ports(compiled, sequences, stalls=stalls, skip=skip, seed=seed)
            failed += bool(found.mismatches) + _report(f"ports, {what}", outcome)
        for mode in _MODES:
            compiled = compile_bundle(bundle, _CONFIG, mode=mode, hidden_results="all")
            failed += _report(f"AXI ports, {mode}", verify_axi_ports(compiled, sequences, seed=seed))
        with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
            write_flows(Path(folder), _CONFIG)
            for stalls in (False, True):
                found = verify_axi(Path(folder, "rtl"), compiled, sequences, stalls=stalls, seed=seed)
                failed += bool(found.mismatches)
                print(f"AXI top as delivered, {'with stalls' if stalls else 'full rate'}: {found.report}")
    except GatewrightError as error:
        print(error, file=sys.stderr)
        return 2
    return int(failed > 0)


def _report(what: str, outcome: Outcome) -> int:
    """Say what became of a bench; gives how many tests failed."""
    print(f"{what}: {outcome.failed} tests failed")
    if outcome.failed:
        print(outcome.log)
    return outcome.failed


if __name__ == "__main__":
    sys.exit(main())
