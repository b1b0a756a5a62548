"""Random accelerators, over every switch and field of their configuration, and the form in which they are delivered."""

from dataclasses import dataclass

import numpy as np

from gatewright.cosim.delivered import ADAPTER, axi_map
from gatewright.cosim.fuzz.models import Recipe, draw_recipe
from gatewright.errors import CapacityError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.verilog import emit, emit_axi

_LANES = (4, 8, 16, 32, 64, 128)
"""In turn, so that every six accelerators cover them."""

_AXI, _BAKED, _MOST_BAKED_LANES = 0.25, 0.15, 32
"""Shares of the AXI top and of baked models, these on so many lanes at most, as their text is long."""

_ATTEMPTS = 20
"""An accelerator that holds none of so many models is drawn anew."""


@dataclass(frozen=True)
class Target:
    """What is simulated.

    Parameters
    ----------
    config : AcceleratorConfig
    axi : bool
        The top with AXI ports, behind an adapter; else the plain one.
    baked : Recipe, optional
        The model that is baked in; without it models are loaded.
    """

    config: AcceleratorConfig
    axi: bool = False
    baked: Recipe | None = None

    def verilog(self) -> str:
        """Emit the text that is simulated.

        Raises
        ------
        ToolError
            Yosys is missing or failed.
        BundleError, CapacityError
            There is no such model to bake in.
        """
        image = self.baked.build(self.config)[1].image if self.baked else None
        return (emit_axi if self.axi else emit)(self.config, image)

    @property
    def adapter(self) -> str:
        """The text beside it that gives it the plain ports."""
        return axi_map(self.config) + ADAPTER.read_text() if self.axi else ""


def draw_target(seed: int, number: int) -> Target:
    """Draw accelerator `number` of a seed: one that holds at least some random models."""
    rng = np.random.default_rng([seed, number])
    while True:
        config = _draw_config(_LANES[number % len(_LANES)], rng)
        axi, bakes = rng.random(2) < (_AXI, _BAKED)
        try:
            recipe = draw_recipe(config, rng, _ATTEMPTS)
        except CapacityError:
            continue
        bakes = bakes and config.lanes <= _MOST_BAKED_LANES
        return Target(config, bool(axi), recipe if bakes else None)


def _draw_config(lanes: int, rng: np.random.Generator) -> AcceleratorConfig:
    def power(low: int, high: int) -> int:
        return 1 << int(rng.integers(low.bit_length() - 1, high.bit_length()))

    def depth(low: int, high: int) -> int:
        """Draw a power of two, or, as often, any number of about that size."""
        chosen = power(low, high)
        return chosen if rng.random() < 0.5 else int(rng.integers(max(low, chosen // 2), chosen + 1))

    def switch(share: float = 0.5) -> int:
        return int(rng.random() < share)

    groups = power(1, lanes // 4)
    serial, skipping, sparse = switch(0.25), switch(0.75), switch(0.75)
    return AcceleratorConfig(
        lanes=lanes,
        groups=groups,
        cell_lanes=1 if serial else power(1, lanes // groups // 4),
        activation_bits=int(rng.choice([8, 16])),
        narrowest_weight=int(rng.choice([2, 4, 8])),
        weight_depth=depth(512, 8192),
        index_depth=sparse * depth(256, 8192),
        column_depth=sparse * switch(0.7) * depth(64, 1024),
        accumulator_rows=power(16, 256),
        activation_depth=lanes * depth(16, 64),
        bias_depth=depth(64, 1024),
        state_depth=depth(64, 512),
        program_depth=int(rng.integers(12, 65)),
        alignment_bits=int(rng.integers(3, AcceleratorConfig.alignment_bits + 1)),
        accumulator_bits=int(rng.integers(22, AcceleratorConfig.accumulator_bits + 1)),
        private=switch(0.7),
        zero_skipping=skipping,
        auto_skipping=skipping * switch(),
        block_accumulators=switch(),
        serial_cell=serial,
        counters=switch(0.8),
        single_port=switch(0.25),
    )
