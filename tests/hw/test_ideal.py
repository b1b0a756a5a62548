import numpy as np

from gatewright.cosim.workloads import random_bundle
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.ideal import column_cycles
from gatewright.hw.ops import Opcode


def test_column_steps_take_their_non_zeros_over_what_the_lanes_take():
    """Two groups share the columns; a word of a lane has four weights of 2 bits."""
    bundle = random_bundle(3, inputs=5, hidden=16, classes=0, weight_bits=2, unbalanced=0.6)
    config = AcceleratorConfig(lanes=8, groups=2, cell_lanes=1, narrowest_weight=2)
    for mode in ("dense", "sparse"):
        compiled = compile_bundle(bundle, config, mode=mode, hidden_results="last")
        program, found = compiled.image.program, column_cycles(compiled)
        assert list(found) == [place for place, op in enumerate(program) if op.opcode == Opcode.MATVEC]
        for place, cycles in found.items():
            layer = bundle.layers[0]
            values = (layer.recurrent if "recurrent" in program[place].name else layer.input).values
            steps = [values[:, column : column + 2] for column in range(0, values.shape[1], 2)]
            assert cycles.tolist() == [np.count_nonzero(step) / (8 * 4) for step in steps]
