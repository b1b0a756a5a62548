import numpy as np
import pytest

from gatewright.cosim.search.pareto import choose, dominated, hypervolume, pareto


def random_points(seed, count, objectives=3):
    return np.random.default_rng(seed).integers(0, 6, (count, objectives)).astype(float).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_front_is_what_no_point_dominates(seed):
    points = random_points(seed, 40)

    def beats(a, b):
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    front = [k for k, point in enumerate(points) if not any(beats(other, point) for other in points)]
    assert pareto(points) == [k for k in front if points.index(points[k]) == k]


def test_equal_points_do_not_dominate_each_other():
    assert not dominated((1, 2), [(1, 2)])
    assert dominated((1, 2), [(1, 1)])
    assert not dominated((1, 2), [])
    assert pareto([(1, 2), (1, 2), (2, 1)]) == [0, 2]
    assert pareto([]) == []


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_hypervolume_counts_dominated_cells(seed, objectives):
    points = random_points(seed, 9, objectives)
    reference = (5.0,) * objectives
    cells = np.stack(np.meshgrid(*[np.arange(5)] * objectives), axis=-1).reshape(-1, objectives)
    covered = [any((cell >= point).all() for point in np.array(points)) for cell in cells]
    assert hypervolume(points, reference) == sum(covered)


def test_hypervolume_of_nothing_below_the_reference():
    assert hypervolume([], (1, 1)) == 0
    assert hypervolume([(0, 2), (1, 0)], (1, 1)) == 0


def test_choice_begins_with_the_first_and_adds_the_most():
    points = [(0, 10), (1, 9.9), (4, 4), (9, 1), (10, 0)]
    assert choose(points, (11, 11), 1) == [0]
    assert choose(points, (11, 11), 2) == [0, 2]
    assert choose(points, (11, 11), 3, (1, 4)) == [1, 4, 2]
    assert choose(points, (11, 11), 1, (1, 4)) == [1]
    assert choose(points, (11, 11), 3) == [0, 2, 3]
    assert sorted(choose(points, (11, 11), 9)) == [0, 1, 2, 3, 4]
