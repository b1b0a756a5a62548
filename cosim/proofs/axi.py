"""The rules of AXI at the AXI top, whatever the accelerator behind it does."""

from functools import partial
from unittest.mock import patch

from amaranth.hdl import Assert, Assume, ClockSignal, Const, Cover, Elaboratable, Module, Mux, Signal
from amaranth.lib.wiring import flipped

from gatewright.cosim.proofs.proof import Broken, Proof, drive
from gatewright.cosim.proofs.streams import CONFIG
from gatewright.hw.rtl import axi
from gatewright.hw.rtl.accelerator import Accelerator
from gatewright.hw.rtl.axi import AxiTop
from gatewright.hw.rtl.pipeline import delay

_PAYLOADS = {
    "s_axi_aw": ("addr", "prot"),
    "s_axi_w": ("data", "strb"),
    "s_axi_b": ("resp",),
    "s_axi_ar": ("addr", "prot"),
    "s_axi_r": ("data", "resp"),
    "s_axis_t": ("data", "last"),
    "m_axis_t": ("data", "last"),
}

_REQUESTS = {"b": ("aw", "w"), "r": ("ar",)}
"""Channels of requests, by that of their answer."""

_GIVEN = ("s_axi_aw", "s_axi_w", "s_axi_ar", "s_axis_t")
"""Channels whose manager is outside."""

_MOST = 3
"""More requests than a channel ever holds."""

_LATEST = 2
"""Cycles without an answer, while all that it answers is there."""


class AnyAccelerator(Accelerator):
    """An accelerator that does anything at its ports."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        drive(m, flipped(self))
        return m


class AnythingBehind(AxiTop):
    """The AXI top with such an accelerator behind it."""

    def elaborate(self, platform: object):
        with patch.object(axi, "Accelerator", AnyAccelerator):
            return super().elaborate(platform)


class Rules(Elaboratable):
    """The AXI top between managers that keep to the rules.

    Parameters
    ----------
    answers : str
        Channels of AXI4-Lite that are looked at; without any, the output stream is.
    """

    def __init__(self, *answers: str):
        self.answers = answers

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = self.dut = dut = AnythingBehind(CONFIG)
        drive(m, dut, "aclk", "aresetn")
        m.d.comb += [dut.aclk.eq(ClockSignal()), dut.aresetn.eq(1)]
        looked_at = [f"s_axi_{answer}" for answer in self.answers] or ["m_axis_t"]
        for channel, fields in _PAYLOADS.items():
            valid, ready = self._signal(channel, "valid"), self._signal(channel, "ready")
            waited = delay(m, valid & ~ready, 1, reset_less=False)
            payload = [self._signal(channel, name) for name in fields]
            same = valid
            for each in payload:
                same &= delay(m, each, 1) == each
            if channel in _GIVEN:
                m.d.comb += Assume(~waited | same)
            elif channel in looked_at:
                m.d.comb += [Assert(~waited | same), Cover(waited & valid & ready)]
        for answer in self.answers:
            self._answers(m, answer, *_REQUESTS[answer])
        return m

    def _signal(self, channel: str, name: str):
        return getattr(self.dut, channel + name)

    def _taken(self, channel: str):
        return self._signal(f"s_axi_{channel}", "valid") & self._signal(f"s_axi_{channel}", "ready")

    def _answers(self, m: Module, answer: str, *requests: str) -> None:
        """One answer for each request, none without, and none late."""
        offers, all_there = self._signal(f"s_axi_{answer}", "valid"), Const(1)
        for channel in requests:
            owed = Signal(range(_MOST + 1), name=f"owed_{answer}_{channel}")
            m.d.sync += owed.eq(owed + self._taken(channel) - self._taken(answer))
            held = ~self._signal(f"s_axi_{channel}", "ready")
            m.d.comb += [
                Assert(~offers | (owed != 0)),
                # What is owed is offered, or held; that also ties the count to the hardware in the induction.
                Assert(owed == held + offers),
                Cover(self._taken(answer) & (owed == 2)),
            ]
            all_there &= owed != 0
        silent = Signal(range(_LATEST + 2), name=f"silent_{answer}")
        m.d.sync += silent.eq(Mux(all_there & ~offers, silent + 1, 0))
        m.d.comb += Assert(silent < _LATEST)


PROOFS = (
    Proof(
        "axi-lite",
        "At the AXI top, what is offered on B and R stays until it is taken; each read, and each address with its "
        "data, gets one answer within two cycles of the answer before, and nothing else is answered: whatever the "
        "accelerator behind it does, if the managers keep what they offer.",
        partial(Rules, "b", "r"),
        depth=8,
        induction=3,
        broken=Broken(
            "axi_lite", "act.eq(target_held & word_held & ~bus.bvalid)", "act.eq(target_held & word_held)"
        ),
    ),
    Proof(
        "axi-stream",
        "At the AXI top, what is offered on the output stream stays until it is taken: whatever the accelerator "
        "behind it does, also when it is reset.",
        Rules,
        depth=6,
        induction=2,
        broken=Broken(
            "axi", "~self.m_axis_tvalid | self.m_axis_tready", "~self.m_axis_tlast | self.m_axis_tready"
        ),
    ),
)
