"""The whole accelerator: units, memories, ports."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, flipped

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import COUNTERS, JOB, LOAD, RESULT, ErrorCode, element
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.activations import ActivationMemory
from gatewright.hw.rtl.balance import ZeroBalance
from gatewright.hw.rtl.counters import Counters
from gatewright.hw.rtl.drain import DrainUnit
from gatewright.hw.rtl.io import InputUnit, OutputUnit
from gatewright.hw.rtl.loader import Loader
from gatewright.hw.rtl.matrix import MatrixEngine
from gatewright.hw.rtl.sequencer import Sequencer
from gatewright.hw.rtl.stream import Merge, check_offer, connect


def accelerator_ports(config: AcceleratorConfig, *, baked: bool) -> dict[str, wiring.Member]:
    """Return the ports of `Accelerator`; see there."""
    return {
        **({} if baked else {"load": In(stream.Signature(LOAD))}),
        "job": In(stream.Signature(JOB)),
        "i": In(stream.Signature(element(config.activation_bits))),
        "o": Out(stream.Signature(RESULT)),
        "busy": Out(1),
        "error": Out(ErrorCode),
        "counters": Out(COUNTERS),
    }


class Accelerator(wiring.Component):
    """Run LSTMs that are loaded at run time, or one that is baked into it; ``docs/architecture.md`` describes it.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        The model that is baked in, as `Image.contents` gives it: its memories can only be read.

    Members
    -------
    load : In(stream of LOAD)
        Memory words, one per cycle, between jobs. An accelerator with a baked model has no such port.
    job : In(stream of JOB)
        Runs one sequence. The first is taken once all accumulators are zero, `accumulator_depth` cycles after reset.
    i : In(stream of element(activation_bits))
        Sequences: one for each job.
    o : Out(stream of RESULT)
    busy : Out(1)
        A job is running.
    error : Out(ErrorCode)
        The first error since reset or since the latest accepted job.
    counters : Out(COUNTERS)
        Cycles of the latest job; `cycles` counts those in which `busy` is high. All zero in hardware without them.
    """

    job: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        super().__init__(accelerator_ports(config, baked=bool(contents)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.sequencer = sequencer = Sequencer(config, self.contents)
        m.submodules.input = input_unit = InputUnit(config)
        m.submodules.matrix = matrix = MatrixEngine(config, self.contents)
        m.submodules.drain = drain = DrainUnit(config, self.contents)
        m.submodules.output = output_unit = OutputUnit(config)
        m.submodules.activations = activations = ActivationMemory(config)
        m.submodules.results = results = Merge(RESULT)

        for producer, consumer in (
            (flipped(self.job), sequencer.job),
            (flipped(self.i), input_unit.i),
            (sequencer.input, input_unit.ops),
            (sequencer.matrix, matrix.ops),
            (sequencer.drain, drain.ops),
            (sequencer.output, output_unit.ops),
            (input_unit.elements, activations.element),
            (drain.results, results.first),
            (output_unit.o, results.second),
            (results.o, flipped(self.o)),
        ):
            connect(m, producer, consumer)
        for one, other in (
            (matrix.scan, activations.scan),
            (matrix.values, activations.values),
            (output_unit.activations, activations.output),
            (drain.hidden, activations.word),
            (drain.accumulators, matrix.drain),
        ):
            wiring.connect(m, one, other)
        self._order(m, drain, output_unit, results)
        # What one unit tells several others.
        for told in (sequencer.taken, matrix.input, output_unit.input):
            m.d.comb += told.eq(input_unit.producer)
        for told in (sequencer.drained, matrix.drained, output_unit.drained):
            m.d.comb += told.eq(drain.producer)

        m.d.comb += [
            sequencer.slots.eq(matrix.slots),
            sequencer.emptied.eq(drain.reading),
            sequencer.sent.eq(output_unit.reading),
            sequencer.idle.eq(Cat(input_unit.idle, matrix.idle, drain.idle, output_unit.idle).all()),
            sequencer.length_error.eq(input_unit.length_error),
            input_unit.start.eq(sequencer.start),
            input_unit.finish.eq(sequencer.finish),
            input_unit.abort.eq(sequencer.abort),
            drain.clear.eq(sequencer.clear),
            self.busy.eq(sequencer.busy),
            self.error.eq(sequencer.error),
        ]
        if config.auto_skipping:
            m.submodules.balance = balance = ZeroBalance(config)
            m.d.comb += [
                balance.written.eq(activations.written),
                balance.zero.eq(activations.zero),
                balance.start.eq(sequencer.start),
                balance.fresh.eq(self.job.payload.fresh),
                balance.threshold.eq(self.job.payload.threshold),
                balance.step.eq(sequencer.step),
                sequencer.sparse.eq(balance.sparse),
            ]
        else:
            m.d.comb += sequencer.sparse.eq(1)
        if not self.contents:
            self._load(m, sequencer, matrix, drain)
        if config.counters:
            m.submodules.counters = counters = Counters(config)
            events = counters.events
            m.d.comb += [
                counters.start.eq(sequencer.start),
                counters.busy.eq(sequencer.busy),
                events.matrix.eq(matrix.multiplying),
                events.drain.eq(~drain.idle),
                events.chain_wait.eq(matrix.starved),
                events.interlock.eq(sequencer.interlock),
                events.input_wait.eq(input_unit.waiting),
                events.output_wait.eq(self.o.valid & ~self.o.ready),
                events.skipped.eq(matrix.skipped),
                events.inputs.eq(input_unit.taken),
                events.zero_inputs.eq(input_unit.zero),
                self.counters.eq(counters.counters),
            ]
        check_offer(m, self.o, "a result")
        return m

    def _order(self, m: Module, drain: DrainUnit, output_unit: OutputUnit, results: Merge) -> None:
        """Let sums follow the outputs that were issued before them, however long these are held back."""
        ahead, op = Signal(), drain.ops
        with m.If(op.valid & op.ready & op.payload.reduce & op.payload.arguments.reduce.send):
            m.d.sync += ahead.eq(~output_unit.idle)
        with m.Elif(output_unit.idle):
            m.d.sync += ahead.eq(0)
        m.d.comb += results.due.eq(ahead & ~output_unit.idle)

    def _load(self, m: Module, sequencer: Sequencer, matrix: MatrixEngine, drain: DrainUnit) -> None:
        """Let the load bus write the memories that hold a model."""
        m.submodules.loader = loader = Loader(self.config)
        connect(m, flipped(self.load), loader.load)
        for one, other in (
            (loader.program, sequencer.program),
            (loader.weight, matrix.weights),
            (loader.index, matrix.indices),
            (loader.column, matrix.columns),
            (loader.bias, drain.biases),
        ):
            wiring.connect(m, one, other)
        m.d.comb += [
            loader.busy.eq(sequencer.busy),
            sequencer.loading.eq(loader.loading),
            sequencer.load_error.eq(loader.error),
        ]
