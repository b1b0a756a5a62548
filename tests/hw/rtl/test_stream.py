import pytest
from amaranth.hdl import Fragment, Module, signed, unsigned
from amaranth.lib import stream
from simulation import Simulation

from gatewright.hw.interface import RESULT
from gatewright.hw.rtl.stream import Merge, connect


def test_connect_refuses_other_payload_shapes():
    producer = stream.Signature(signed(8)).create()
    consumer = stream.Signature(unsigned(8)).flip().create()
    m = Module()
    with pytest.raises(TypeError, match="signed"):
        connect(m, producer, consumer)
    Fragment.get(m, None)


@pytest.mark.parametrize("stalls", [None, 3])
@pytest.mark.parametrize("gaps", [None, 4])
def test_merge_keeps_vectors_whole(gaps, stalls):
    dut = Merge(RESULT)
    vectors = [[[10, 11, 12], [13]], [[-20, -21], [-22, -23, -24]]]
    simulation = Simulation(dut, limit=200)
    for k, (port, own) in enumerate(zip((dut.first, dut.second), vectors, strict=True)):
        simulation.source(
            port,
            [{"data": value, "last": value == vector[-1]} for vector in own for value in vector],
            gaps=None if gaps is None else gaps + k,
        )
    taken = simulation.sink(dut.o, 9, stalls=stalls)
    simulation.run()
    merged = [[]]
    for result in taken:
        merged[-1].append(result.data)
        if result.last:
            merged.append([])
    assert sorted(merged[:-1]) == sorted(vectors[0] + vectors[1])


def test_a_vector_that_is_due_goes_first_though_it_comes_later():
    dut = Merge(RESULT)
    simulation = Simulation(dut, limit=100)
    simulation.source(dut.first, [{"data": 1, "last": 1}, {"data": 2, "last": 1}])

    async def late(ctx):
        ctx.set(dut.due, 1)
        for _ in range(10):
            await ctx.tick()
            assert not ctx.get(dut.o.valid)
        ctx.set(dut.second.payload, {"data": 3, "last": 1})
        ctx.set(dut.second.valid, 1)
        await ctx.tick().until(dut.second.ready)
        ctx.set(dut.second.valid, 0)
        ctx.set(dut.due, 0)

    simulation.add(late)
    taken = simulation.sink(dut.o, 3)
    simulation.run()
    assert [result.data for result in taken] == [3, 1, 2]
