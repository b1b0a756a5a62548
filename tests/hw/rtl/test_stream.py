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
