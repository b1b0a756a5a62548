import pytest
from ramps import made_task


@pytest.fixture(scope="session")
def task():
    return made_task(0)
