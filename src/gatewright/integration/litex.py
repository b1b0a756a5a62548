"""The accelerator as a peripheral of a LiteX SoC; needs the extra ``litex``."""

from pathlib import Path
from typing import Any

from litex.gen import ClockSignal, Instance, LiteXModule, ResetSignal
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import axi

from gatewright.hw.rtl.axi_registers import ADDRESS_BITS, WORD_BITS

MODULE = "gatewright_mapped"
"""The top behind AXI4-Lite alone: what a soft core needs no DMA for."""

_CHANNELS = {
    "aw": ("valid", "ready", "addr", "prot"),
    "w": ("valid", "ready", "data", "strb"),
    "b": ("valid", "ready", "resp"),
    "ar": ("valid", "ready", "addr", "prot"),
    "r": ("valid", "ready", "data", "resp"),
}
_FROM_MANAGER = {"aw": True, "w": True, "b": False, "ar": True, "r": False}


class Gatewright(LiteXModule):
    """An accelerator behind registers, in the clock domain ``sys``.

    Parameters
    ----------
    platform : LiteX platform
        Gets the Verilog as a source.
    verilog : path
        The file ``rtl/gatewright_mapped.sv`` of a build.

    Attributes
    ----------
    bus : AXILiteInterface
        The registers that the build describes in ``registers/``, on 4 KiB.
    """

    def __init__(self, platform: Any, verilog: str | Path):
        # As wide as the addresses of a SoC; the accelerator looks at those of its region.
        self.bus = bus = axi.AXILiteInterface(data_width=WORD_BITS, address_width=32)
        ports = {"i_aclk": ClockSignal("sys"), "i_aresetn": ~ResetSignal("sys")}
        for channel, names in _CHANNELS.items():
            for name in names:
                forward = _FROM_MANAGER[channel] != (name == "ready")
                signal: Any = 0 if name == "prot" else getattr(getattr(bus, channel), name)
                if name == "addr":
                    signal = signal[:ADDRESS_BITS]
                ports[f"{'i' if forward else 'o'}_s_axi_{channel}{name}"] = signal
        self.specials += Instance(MODULE, **ports)
        platform.add_source(str(Path(verilog).resolve()))


def add_gatewright(
    soc: Any, verilog: str | Path, *, name: str = "gatewright", origin: int | None = None
) -> Gatewright:
    """Add an accelerator to a SoC, on its bus.

    Parameters
    ----------
    soc : LiteX SoC
    verilog : path
        The file ``rtl/gatewright_mapped.sv`` of a build.
    name : str
        Of the module and of its region; software finds the base address as ``<NAME>_BASE`` in ``generated/mem.h``.
    origin : int, optional
        The base address, a multiple of 4096; LiteX chooses one unless given.
    """
    module = Gatewright(soc.platform, verilog)
    soc.add_module(name=name, module=module)
    region = SoCRegion(origin=origin, size=1 << ADDRESS_BITS, mode="rw", cached=False)
    soc.bus.add_slave(name=name, slave=module.bus, region=region)
    return module
