import numpy as np

from headcast.geometry.closest import ClosestPointQuery, barycentric_of_nearest


def _brute_force(points, corners):
    """The smallest distance to any triangle, by trying them all."""
    weights = barycentric_of_nearest(points[:, None], corners[None])
    return np.linalg.norm((weights[..., None] * corners).sum(-2) - points[:, None], axis=-1).min(1)


def test_nearest_of_a_triangle_is_nearest_among_its_points():
    rng = np.random.default_rng(0)
    corners, points = rng.standard_normal((200, 3, 3)), rng.standard_normal((200, 3))
    weights = barycentric_of_nearest(points, corners)
    assert (weights >= -1e-12).all()
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-12)
    distance = np.linalg.norm((weights[..., None] * corners).sum(-2) - points, axis=-1)
    others = rng.dirichlet([0.5, 0.5, 0.5], (200, 500))
    sampled = np.linalg.norm(np.einsum("nsk,nkd->nsd", others, corners) - points[:, None], axis=-1)
    assert (sampled >= distance[:, None] - 1e-12).all()
    assert np.median(sampled.min(1) - distance) < 0.05


def test_query_finds_the_nearest_face_among_large_and_small_ones():
    rng = np.random.default_rng(1)
    centres, sizes = rng.standard_normal((400, 1, 3)), np.exp(rng.uniform(-4, 1, (400, 1, 1)))
    vertices = (centres + sizes * rng.standard_normal((400, 3, 3))).reshape(-1, 3)
    faces = np.arange(1200).reshape(-1, 3)
    points = 3 * rng.standard_normal((300, 3))
    found = ClosestPointQuery(vertices, faces)(points)
    np.testing.assert_allclose(found.distance, _brute_force(points, vertices[faces]), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found.points - points, axis=1), found.distance, atol=1e-12)
    np.testing.assert_allclose((vertices[faces[found.faces]] * found.barycentric[..., None]).sum(1), found.points, atol=1e-12)


def test_points_beyond_the_bound_are_infinitely_far():
    vertices, faces = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    found = ClosestPointQuery(vertices, faces)(np.array([[0.2, 0.2, 0.5], [0.2, 0.2, 2.0]]), within=1.0)
    np.testing.assert_allclose(found.distance, [0.5, np.inf])
    np.testing.assert_allclose(found.points[0], [0.2, 0.2, 0])
