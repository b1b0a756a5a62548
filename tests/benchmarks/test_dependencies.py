"""What figures depend on follows from imports: in a small tree, and in this one."""

import pytest
from checkouts import write

from gatewright.benchmarks import MODULES, registry
from gatewright.benchmarks.dependencies import Dependencies
from gatewright.benchmarks.parts import PARTS
from gatewright.origin import HERE

LANES = "src/gatewright/benchmarks/lanes.py"


@pytest.fixture
def tree(tmp_path):
    write(
        tmp_path,
        {
            "src/gatewright/__init__.py": "import gatewright.face",
            "src/gatewright/face.py": "",
            "src/gatewright/errors.py": "from gatewright.hw import other",
            "src/gatewright/benchmarks/__init__.py": "",
            LANES: "from gatewright.errors import E\nfrom gatewright.hw.lane import Lane\n",
            "hw/__init__.py": "",
            "hw/lane.py": "def f():\n    import gatewright.hw.late\n    return 'gatewright.hw.bench.ports'\n",
            "hw/late.py": "",
            "hw/other.py": "",
            "hw/harness.sv": "",
            "hw/README.md": "",
            "hw/tables/sigma.npz": "",
            "hw/gallery/report.html": "",
            "hw/bench/__init__.py": "from gatewright.hw.bench import rig",
            "hw/bench/ports.py": "",
            "hw/bench/rig.py": "",
            "hw/bench/adapter.sv": "",
            "hw/area/__init__.py": "",
            "hw/area/terms.json": "",
            "examples/run.py": "import vad\nimport numpy\nfrom gatewright.hw import other\n",
            "examples/vad.py": "",
        },
    )
    (tmp_path / "src/gatewright/hw").symlink_to("../../hw")
    return tmp_path


def test_imports_are_followed_with_their_packages_and_data(tree):
    assert Dependencies(tree).of([LANES]) == {
        LANES,
        "hw/__init__.py",
        "hw/lane.py",
        "hw/late.py",  # Imported in a function.
        "hw/bench/ports.py",  # Named by a string.
        "hw/bench/__init__.py",
        "hw/bench/rig.py",
        "hw/harness.sv",
        "hw/tables/sigma.npz",
        "hw/bench/adapter.sv",
    }


def test_a_script_has_its_neighbours(tree):
    found = Dependencies(tree).of(["examples/run.py"])
    assert {"examples/run.py", "examples/vad.py", "hw/other.py", "hw/__init__.py"} <= found
    assert "hw/lane.py" not in found


def test_a_folder_stands_for_its_modules(tree):
    found = Dependencies(tree).of(["src/gatewright/hw/bench"])
    assert {"hw/bench/ports.py", "hw/bench/rig.py", "hw/bench/adapter.sv"} <= found


def test_cycles_do_not_depend_on_the_search():
    known = Dependencies(HERE.root)
    cycles, search = known.of(PARTS["hw"].sources), known.of(PARTS["search"].sources)
    assert {"hw/rtl/matrix.py", "cosim/harness.sv", "cosim/testbenches/recordings.py"} <= cycles
    assert "sw/tasks/data/digits.npz" in search
    assert {"sw/search/space.py", "sw/training.py"} <= search - cycles
    assert not [
        path for path in cycles if path.startswith(("sw/search", "sw/compress", "reports", "cosim/search"))
    ]


def test_only_what_runs_on_a_board_depends_on_its_bridge():
    known = Dependencies(HERE.root)
    bridge = "hw/bridge/bridge.py"
    assert {part.name for part in PARTS.values() if bridge in known.of(part.sources)} == {
        "demo",
        "roads",
        "board",
    }


def test_what_searches_by_the_cycle_model_does_not_depend_on_the_simulator():
    known = Dependencies(HERE.root)
    searching = [name for name in PARTS if name.startswith("opponents-")] + ["regret", "narrowing"]
    for name in searching:
        found = known.of(PARTS[name].sources)
        assert "hw/cycles/model.py" in found
        assert not {"cosim/simulator.py", "cosim/verify.py", "hw/fpga/verilog.py"} & found


def test_only_what_is_given_a_text_or_images_depends_on_how_they_are_read():
    known = Dependencies(HERE.root)
    given = {"text": {"text", "opponents-text"}, "images": {"trains", "opponents-fashion-mnist"}}
    for need, benches in given.items():
        module = f"sw/tasks/{need}.py"
        reading = {part.name for part in PARTS.values() if module in known.of(part.sources, part.unread)}
        assert {name.rstrip("-12345") for name in reading} == benches
    digits = PARTS["opponents-digits-1"]
    assert "sw/tasks/digits.py" in known.of(digits.sources, digits.unread)


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_begins_in_its_module(name):
    """The function that the registry calls is defined in the module where its dependencies begin."""
    bench = registry.BENCHES[name]
    called = [word for word in bench.__code__.co_names if callable(getattr(registry, word, None))]
    modules = {getattr(registry, word).__module__ for word in called} | {
        word for word in bench.__code__.co_names if word.startswith("gatewright.benchmarks.")
    }
    home = f"gatewright.benchmarks.{MODULES[name]}"
    assert any(f"{module}.".startswith(f"{home}.") for module in modules)


def test_every_source_is_there():
    for part in PARTS.values():
        assert all((HERE.root / source).exists() for source in part.sources)
