"""The whole accelerator: units, memories, ports."""

from amaranth.hdl import Cat, Module, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, flipped

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import COUNTERS, JOB, LOAD, RESULT, ErrorCode
from gatewright.hw.rtl.activations import ActivationMemory
from gatewright.hw.rtl.drain import DrainUnit
from gatewright.hw.rtl.io import InputUnit, OutputUnit
from gatewright.hw.rtl.loader import Loader
from gatewright.hw.rtl.matrix import MatrixEngine
from gatewright.hw.rtl.sequencer import Sequencer
from gatewright.hw.rtl.stream import Merge, connect


class Accelerator(wiring.Component):
    """Run LSTMs that are loaded at run time; ``docs/architecture.md`` describes it.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    load : In(stream of LOAD)
        Memory words, one per cycle, between jobs.
    job : In(stream of JOB)
        Runs one sequence. The first is taken once all accumulators are zero, `accumulator_rows` cycles after reset.
    i : In(stream of signed(activation_bits))
        Elements of x.
    o : Out(stream of RESULT)
    busy : Out(1)
        A job is running.
    error : Out(ErrorCode)
        The first error since reset or since the latest accepted job.
    counters : Out(COUNTERS)
        Cycles of the latest job; `cycles` counts those in which `busy` is high.
    """

    load: stream.Interface
    job: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "load": In(stream.Signature(LOAD)),
                "job": In(stream.Signature(JOB)),
                "i": In(stream.Signature(signed(config.activation_bits))),
                "o": Out(stream.Signature(RESULT)),
                "busy": Out(1),
                "error": Out(ErrorCode),
                "counters": Out(COUNTERS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.loader = loader = Loader(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.input = input_unit = InputUnit(config)
        m.submodules.matrix = matrix = MatrixEngine(config)
        m.submodules.drain = drain = DrainUnit(config)
        m.submodules.output = output_unit = OutputUnit(config)
        m.submodules.activations = activations = ActivationMemory(config)
        m.submodules.results = results = Merge(RESULT)

        for producer, consumer in (
            (flipped(self.load), loader.load),
            (flipped(self.job), sequencer.job),
            (flipped(self.i), input_unit.i),
            (sequencer.input, input_unit.ops),
            (sequencer.matrix, matrix.ops),
            (sequencer.drain, drain.ops),
            (sequencer.output, output_unit.ops),
            (input_unit.elements, activations.element),
            (drain.logits, results.first),
            (output_unit.o, results.second),
            (results.o, flipped(self.o)),
        ):
            connect(m, producer, consumer)
        for one, other in (
            (loader.program, sequencer.program),
            (loader.weight, matrix.weights),
            (loader.index, matrix.indices),
            (loader.bias, drain.biases),
            (matrix.activations, activations.matrix),
            (output_unit.activations, activations.output),
            (drain.hidden, activations.word),
            (drain.accumulators, matrix.drain),
        ):
            wiring.connect(m, one, other)

        m.d.comb += [
            # In the bit order of `Unit`.
            sequencer.idle.eq(Cat(input_unit.idle, matrix.idle, drain.idle, output_unit.idle)),
            sequencer.load_error.eq(loader.error),
            input_unit.abort.eq(sequencer.abort),
            drain.clear.eq(sequencer.clear),
            loader.busy.eq(sequencer.busy),
            self.busy.eq(sequencer.busy),
            self.error.eq(sequencer.error),
        ]
        for name, counted in {
            "cycles": sequencer.busy,
            "matrix": matrix.multiplying,
            "drain": ~drain.idle,
            "input_wait": input_unit.waiting,
            "output_wait": self.o.valid & ~self.o.ready,
        }.items():
            counter = self.counters[name]
            with m.If(sequencer.start):
                m.d.sync += counter.eq(0)
            with m.Elif(sequencer.busy & counted):
                m.d.sync += counter.eq(counter + 1)
        return m
