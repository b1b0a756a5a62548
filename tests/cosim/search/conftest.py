import pytest
import studies

from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.hardware import space_config
from gatewright.cosim.search.study import run_study


@pytest.fixture(scope="session")
def plan(tmp_path_factory):
    """A plan with the accelerator of its space."""
    made = studies.plan_of(tmp_path_factory.mktemp("plan") / "study", trials=5, method="random")
    return studies.replace(made, config=space_config(studies.task_of(made), studies.model(), made.space))


@pytest.fixture(scope="session")
def study(plan, tmp_path_factory):
    """A finished study of real evaluations, each simulated at RTL level."""
    folder = StudyFolder.create(tmp_path_factory.mktemp("real") / "study", plan, studies.model())
    run_study(folder.root)
    return folder
