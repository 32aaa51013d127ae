"""Facts about the solvers, against dense linear algebra and exhaustive checks."""

import numpy as np
import pytest

from headcast.solve import solve_arrow, solve_box, solve_chain


def random_spd(generator: np.random.Generator, n: int) -> np.ndarray:
    a = generator.normal(size=(n, n + 3))
    return a @ a.T + 0.1 * np.eye(n)


@pytest.mark.parametrize("seed", range(20))
def test_box_solution_meets_the_optimality_conditions(seed):
    generator = np.random.default_rng(seed)
    n = 12
    hessian, gradient = random_spd(generator, n), 5 * generator.normal(size=n)
    lower, upper = -generator.uniform(0, 0.3, n), generator.uniform(0, 0.3, n)
    upper[:3] = np.inf
    x = solve_box(hessian, gradient, lower, upper)
    slope = hessian @ x - gradient
    assert (x >= lower - 1e-12).all() and (x <= upper + 1e-12).all()
    inside = (x > lower + 1e-9) & (x < upper - 1e-9)
    assert np.abs(slope[inside]).max(initial=0) < 1e-7
    assert (slope[x <= lower + 1e-9] > -1e-7).all()
    assert (slope[x >= upper - 1e-9] < 1e-7).all()


def test_box_without_active_bounds_is_the_linear_solution():
    generator = np.random.default_rng(1)
    hessian, gradient = random_spd(generator, 7), generator.normal(size=7)
    x = solve_box(hessian, gradient, np.full(7, -np.inf), np.full(7, np.inf))
    np.testing.assert_allclose(x, np.linalg.solve(hessian, gradient), rtol=1e-9)


def test_arrow_agrees_with_the_dense_system():
    generator = np.random.default_rng(2)
    own, shared, count = 4, 3, 5
    blocks = [(random_spd(generator, own + shared), generator.normal(size=own + shared)) for _ in range(count)]
    prior, right = np.eye(shared), generator.normal(size=shared)
    fixed = [np.full(own, np.nan) for _ in range(count)]
    fixed[2][1] = 0.7
    size = count * own + shared
    dense, vector = np.zeros((size, size)), np.zeros(size)
    dense[-shared:, -shared:], vector[-shared:] = prior, right
    for idx, (matrix, target) in enumerate(blocks):
        places = np.r_[idx * own : (idx + 1) * own, size - shared : size]
        dense[np.ix_(places, places)] += matrix
        vector[places] += target
    free = np.ones(size, bool)
    free[2 * own + 1] = False
    expected = np.zeros(size)
    expected[~free] = 0.7
    expected[free] = np.linalg.solve(dense[np.ix_(free, free)], vector[free] - dense[np.ix_(free, ~free)] @ expected[~free])
    result = solve_arrow(blocks, own, prior, right, fixed)
    np.testing.assert_allclose(np.concatenate([*result.blocks, result.shared]), expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(result.shared_covariance, np.linalg.inv(dense[np.ix_(free, free)])[-shared:, -shared:], rtol=1e-8)


def test_chain_agrees_with_the_dense_system():
    generator = np.random.default_rng(3)
    n, count = 3, 6
    matrices = [random_spd(generator, n) for _ in range(count)]
    rights = [generator.normal(size=n) for _ in range(count)]
    links = [generator.uniform(0, 4, n) for _ in range(count - 1)]
    links[3][:] = 0
    gaps = [generator.normal(size=n) for _ in range(count - 1)]
    dense, vector = np.zeros((count * n, count * n)), np.concatenate(rights)
    for t, matrix in enumerate(matrices):
        dense[t * n : (t + 1) * n, t * n : (t + 1) * n] += matrix
    for t, (link, gap) in enumerate(zip(links, gaps, strict=True)):
        a, b = np.arange(t * n, (t + 1) * n), np.arange((t + 1) * n, (t + 2) * n)
        dense[a, a] += link
        dense[b, b] += link
        dense[a, b] -= link
        dense[b, a] -= link
        vector[a] += link * gap
        vector[b] -= link * gap
    expected = np.linalg.solve(dense, vector).reshape(count, n)
    np.testing.assert_allclose(np.stack(solve_chain(matrices, rights, links, gaps)), expected, rtol=1e-8, atol=1e-10)
