"""The texture's shifts are taken out of the joint system exactly, and what is hardly seen does no harm."""

import numpy as np

from headcast.track.joint import _System


def _system(rng, vertices=6, unknowns=5):
    """Normal equations of random residuals of unknowns and shifts, and those of both together."""
    rows = rng.normal(size=(60, unknowns + 2 * vertices))
    for vertex in range(vertices):  # each residual knows one vertex only, so shifts do not meet
        others = np.setdiff1d(np.arange(2 * vertices), [2 * vertex, 2 * vertex + 1])
        rows[vertex::vertices, unknowns + others] = 0
    whole, right = rows.T @ rows, rows.T @ rng.normal(size=60)
    stiffness = np.stack([whole[unknowns + 2 * v : unknowns + 2 * v + 2, unknowns + 2 * v : unknowns + 2 * v + 2] for v in range(vertices)])
    coupling = whole[unknowns:, :unknowns].reshape(vertices, 2, unknowns).astype(np.float32)
    return _System(whole[:unknowns, :unknowns], right[:unknowns], coupling, stiffness, right[unknowns:].reshape(vertices, 2)), whole, right


def test_eliminated_shifts_leave_the_same_step():
    system, whole, right = _system(np.random.default_rng(0))
    damped = whole.copy()
    for v in range(6):
        own = slice(5 + 2 * v, 7 + 2 * v)
        damped[own, own] += 1e-3 * np.trace(whole[own, own]) * np.eye(2)
    matrix, reduced = system.without_sliding()
    np.testing.assert_allclose(np.linalg.solve(matrix, reduced), np.linalg.solve(damped, right)[:5], rtol=1e-4, atol=1e-5)


def test_a_vertex_that_is_hardly_seen_leaves_numbers():
    system, _, _ = _system(np.random.default_rng(1))
    before = system.without_sliding()
    stiffness = np.concatenate([system.stiffness, 1e-310 * np.eye(2)[None]])
    coupling = np.concatenate([system.coupling, np.full((1, 2, 5), 1e-30, np.float32)])
    after = _System(system.matrix, system.right, coupling, stiffness, np.concatenate([system.pull, np.full((1, 2), 1e-300)])).without_sliding()
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other)
