import pytest
from ramps import made_task

from gatewright.sw.determinism import seeded
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import TrainSettings
from gatewright.sw.training import train_float


@pytest.fixture(scope="session")
def task():
    return made_task(0)


@pytest.fixture(scope="session")
def float_model(task):
    settings = TrainSettings(
        hidden=16, epochs=12, batch=32, learning_rate=1e-2, noise=0.1, offset=0.0, dropout=0.1
    )
    return train_float(task, settings)


def made_network(*, inputs=3, hidden=8, classes=4, layers=1, projection=None, rank=None, head=True):
    """An untrained network; a rank makes all its products but the projections low rank."""
    with seeded(3):
        network = LstmNetwork.initial(inputs, hidden, classes, layers=layers, projection=projection)
    if rank is not None:
        for layer in network.layers:
            layer.input, layer.recurrent = layer.input.factorised(rank), layer.recurrent.factorised(rank)
        network.head = network.head.factorised(rank)
    return network if head else LstmNetwork(list(network.layers))


@pytest.fixture(scope="session")
def network_of():
    return made_network
