import random

import pytest
from bridge_rig import Bridged
from simulation import Simulation

from gatewright.host import frames
from gatewright.host.frames import HELLO, Answer
from gatewright.hw.bridge.protocol import END, ESCAPE, VERSION, WORDS, Status
from gatewright.hw.rtl.axi_registers import IDENTITY, REGISTERS
from gatewright.hw.rtl.axi_registers import VERSION as REGISTERS_VERSION

READ = frames.operation(write=False, increment=False)
READ_ROW = frames.operation(write=False, increment=True)
WRITE = frames.operation(write=True, increment=False)
WRITE_ROW = frames.operation(write=True, increment=True)
STEPS, INPUT, OUTPUT = (REGISTERS[name].offset for name in ("STEPS", "INPUT", "OUTPUT"))


class Line:
    """A host at a bridge; bytes take four cycles."""

    def __init__(self, limit=60_000):
        self.dut = Bridged()
        self.simulation = Simulation(self.dut, limit=limit)
        self.sent = []
        self.inputs = []
        self.simulation.add(self._watch, background=True)
        self.simulation.add(self._watch_inputs, background=True)

    def run(self, testbench):
        async def whole(ctx):
            ctx.set(self.dut.o.ready, 1)
            ctx.set(self.dut.registers.element.ready, 1)
            await testbench(ctx)

        self.simulation.add(whole)
        self.simulation.run()

    async def send(self, ctx, data):
        for byte in data:
            ctx.set(self.dut.data, byte)
            ctx.set(self.dut.strobe, 1)
            await ctx.tick()
            ctx.set(self.dut.strobe, 0)
            await ctx.tick().repeat(3)

    async def ask(self, ctx, *request, damage=lambda data: data):
        """Send a request and return what is answered within some time, None for nothing."""
        self.sent.clear()
        await self.send(ctx, damage(frames.request(*request)))
        quiet = 0
        while quiet < 60 + 12 * request[3]:
            before = len(self.sent)
            await ctx.tick()
            quiet = 0 if len(self.sent) > before else quiet + 1
        if not self.sent:
            return None
        assert self.sent[0] == self.sent[-1] == END
        assert END not in self.sent[1:-1]
        answer = frames.answer(bytes(self.sent[1:-1]))
        assert answer is not None, "the answer's own CRC is wrong"
        return answer

    async def _watch(self, ctx):
        o = self.dut.o
        async for _, _, valid, ready, payload in ctx.tick().sample(o.valid, o.ready, o.payload):
            if valid and ready:
                self.sent.append(payload)

    async def _watch_inputs(self, ctx):
        element = self.dut.registers.element
        async for _, _, valid, payload in ctx.tick().sample(element.valid, element.payload):
            if valid:
                self.inputs.append(payload.data)


def greeting(sequence):
    return Answer(sequence, HELLO, Status.OKAY, 1, [VERSION | WORDS << 8])


def test_registers_are_read_and_written():
    line = Line()

    async def testbench(ctx):
        assert await line.ask(ctx, 7, HELLO, 0, 0) == greeting(7)
        found = await line.ask(ctx, 8, READ_ROW, 0, 2)
        assert found == Answer(8, READ_ROW, Status.OKAY, 2, [IDENTITY, REGISTERS_VERSION])
        # Both special bytes, in every place of a word.
        for number, value in enumerate((END | ESCAPE << 8, END << 16, 0x1BDC00C0)):
            assert (await line.ask(ctx, 9 + number, WRITE, STEPS, 1, [value])).count == 1
            assert (await line.ask(ctx, 20 + number, READ, STEPS, 1)).words == [value & 0x3FFFFFFF]
        assert await line.ask(ctx, 30, READ, STEPS, 0) == Answer(30, READ, Status.OKAY, 0, [])

    line.run(testbench)


def test_many_words_go_to_one_address_or_to_a_row():
    line = Line()
    values = random.Random(1).sample(range(128), WORDS)

    async def testbench(ctx):
        await line.ask(ctx, 1, HELLO, 0, 0)
        assert (await line.ask(ctx, 2, WRITE, INPUT, WORDS, values)).count == WORDS
        assert line.inputs == values
        assert (await line.ask(ctx, 3, WRITE_ROW, STEPS, 2, [5, 6])).status == Status.OKAY
        assert (await line.ask(ctx, 4, READ_ROW, STEPS, 2)).words == [5, 6]
        ctx.set(line.dut.registers.result.valid, 1)
        ctx.set(line.dut.registers.result.payload, -2)
        assert (await line.ask(ctx, 5, READ, OUTPUT, WORDS)).words == [0xFFFFFFFE] * WORDS

    line.run(testbench)


def test_an_access_that_is_refused_ends_a_request():
    line = Line()

    async def testbench(ctx):
        await line.ask(ctx, 1, HELLO, 0, 0)
        # STEPS and LOAD_ADDRESS can be read, LOAD_DATA cannot.
        assert await line.ask(ctx, 2, READ_ROW, STEPS, 4) == Answer(2, READ_ROW, Status.REFUSED, 2, [0, 0])
        assert await line.ask(ctx, 3, READ, 0x7FC, 1) == Answer(3, READ, Status.NO_REGISTER, 0, [])
        assert await line.ask(ctx, 4, READ, 0x1000, 1) == Answer(4, READ, Status.NO_REGISTER, 0, [])
        ctx.set(line.dut.registers.element.ready, 0)
        assert await line.ask(ctx, 5, WRITE, INPUT, 3, [1, 2, 3]) == Answer(5, WRITE, Status.REFUSED, 0, [])
        assert line.inputs == []

    line.run(testbench)


def test_a_repeat_is_answered_again_and_does_nothing():
    line = Line()

    async def testbench(ctx):
        await line.ask(ctx, 1, HELLO, 0, 0)
        ctx.set(line.dut.registers.result.valid, 1)
        ctx.set(line.dut.registers.result.payload, 11)
        first = await line.ask(ctx, 2, READ, OUTPUT, 3)
        ctx.set(line.dut.registers.result.payload, 22)
        # Damaged frames between the two leave the answer alone.
        assert (
            await line.ask(ctx, 3, WRITE, INPUT, 4, [1, 2, 3, 4], damage=lambda data: data[:9] + data[10:])
            is None
        )
        assert await line.ask(ctx, 2, READ, OUTPUT, 3) == first == Answer(2, READ, Status.OKAY, 3, [11] * 3)
        assert (await line.ask(ctx, 3, READ, OUTPUT, 1)).words == [22]
        for _ in range(2):
            assert (await line.ask(ctx, 4, WRITE, INPUT, 2, [5, 6])).count == 2
        assert line.inputs == [5, 6]
        # A host that begins anew is heard, also with the number of the last request.
        assert await line.ask(ctx, 4, HELLO, 0, 0) == greeting(4)

    line.run(testbench)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:5] + bytes([data[5] ^ 4]) + data[6:],
        lambda data: data[:6] + data[7:],
        lambda data: data[:6] + b"\x07" + data[6:],
        lambda data: data[:6] + bytes([END]) + data[6:],
        lambda data: data[:-1] + b"\x11",
        lambda data: data[:-6] + bytes([END]),
        lambda data: data[:-1] + bytes(600) + data[-1:],
        lambda data: bytes([END, 0, 0, 0, 0, END]),
        lambda data: bytes([END, ESCAPE, END, END]),
    ],
    ids=["bit", "lost", "inserted", "end inside", "end changed", "cut", "too long", "zeros", "escape"],
)
def test_what_is_damaged_does_nothing_and_the_repeat_is_carried_out(damage):
    line = Line()

    async def testbench(ctx):
        await line.ask(ctx, 1, HELLO, 0, 0)
        assert await line.ask(ctx, 2, WRITE, INPUT, 2, [5, 6], damage=damage) is None
        assert line.inputs == []
        assert await line.ask(ctx, 2, WRITE, INPUT, 2, [5, 6]) == Answer(2, WRITE, Status.OKAY, 2, [])
        assert line.inputs == [5, 6]

    line.run(testbench)


def malformed(*values):
    """A frame with the right CRC and any header."""
    return lambda _: frames.frame(bytes(values))


@pytest.mark.parametrize(
    "body",
    [
        (2, WRITE, 0x10, 0, 2, 1, 0, 0, 0),
        (2, READ, 0x10, 0, 1, 0),
        (2, 0x04, 0x10, 0, 1),
        (2, HELLO | 1, 0, 0, 0),
        (2, HELLO, 0, 0, 1),
        (2, READ, 0x10, 0, WORDS + 1),
    ],
)
def test_a_request_that_makes_no_sense_is_told(body):
    line = Line()

    async def testbench(ctx):
        await line.ask(ctx, 1, HELLO, 0, 0)
        found = await line.ask(ctx, 0, READ, 0, 0, damage=malformed(*body))
        assert found == Answer(2, body[1], Status.MALFORMED, 0, [])

    line.run(testbench)


def test_without_a_hello_nothing_is_done():
    line = Line()

    async def testbench(ctx):
        assert await line.ask(ctx, 0, WRITE, INPUT, 1, [1]) == Answer(0, WRITE, Status.NO_SESSION, 0, [])
        assert line.inputs == []
        assert await line.ask(ctx, 0, HELLO, 0, 0) == greeting(0)

    line.run(testbench)


def test_what_comes_while_an_answer_is_sent_is_dropped():
    line = Line()

    async def testbench(ctx):
        await line.ask(ctx, 1, HELLO, 0, 0)
        ctx.set(line.dut.o.ready, 0)
        assert await line.ask(ctx, 2, READ, STEPS, 1) is None
        assert await line.ask(ctx, 3, WRITE, INPUT, 1, [1]) is None
        ctx.set(line.dut.o.ready, 1)
        await ctx.tick().repeat(100)
        assert await line.ask(ctx, 3, WRITE, INPUT, 1, [1]) == Answer(3, WRITE, Status.OKAY, 1, [])
        assert line.inputs == [1]

    line.run(testbench)


@pytest.mark.parametrize("seed", range(3))
def test_random_damage_never_does_anything_wrong(seed):
    """Sent until it is answered, each request is carried out exactly once."""
    rng = random.Random(seed)
    line = Line(limit=400_000)

    def damage(data):
        found = bytearray()
        for byte in data:
            if rng.random() < 0.01:
                continue
            found.append(rng.randrange(256) if rng.random() < 0.02 else byte)
        return bytes(found)

    async def testbench(ctx):
        await line.ask(ctx, 255, HELLO, 0, 0)
        wanted = []
        for number in range(40):
            values = [rng.randrange(128) for _ in range(rng.randrange(1, 9))]
            found = None
            while found is None:
                found = await line.ask(ctx, number, WRITE, INPUT, len(values), values, damage=damage)
            wanted += values
            assert found == Answer(number, WRITE, Status.OKAY, len(values), [])
        assert line.inputs == wanted

    line.run(testbench)
