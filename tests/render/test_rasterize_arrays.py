import numpy as np
import pytest

from headcast.errors import InputError
from headcast.render import new_coverage, rasterize_arrays


def shuffled_grid(rng, rows, columns, size):
    """A triangulated sheet that covers the whole image, its inner vertices moved at random, seen from outside."""
    y, x = np.meshgrid(np.linspace(-2, size + 2, rows), np.linspace(-2, size + 2, columns), indexing="ij")
    step = (size + 4) / (max(rows, columns) - 1)
    moved = np.stack([x, y], -1) + rng.uniform(-0.3, 0.3, (rows, columns, 2)) * step
    moved[0, :, 1], moved[-1, :, 1], moved[:, 0, 0], moved[:, -1, 0] = -2, size + 2, -2, size + 2
    positions = np.concatenate([moved, rng.uniform(0.5, 2.0, (rows, columns, 1))], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    lower = np.stack([corner, corner + columns, corner + 1], -1)
    upper = np.stack([corner + 1, corner + columns, corner + columns + 1], -1)
    return positions, np.concatenate([lower, upper]).astype(np.int32)


def edge_values(positions, faces, x, y):
    """Edge functions of every face at a point; all negative inside a face that shows its outside."""
    a, b, c = (positions[faces[:, k], :2].astype(np.float64) for k in range(3))

    def cross(p, q):
        return (q[:, 0] - p[:, 0]) * (y - p[:, 1]) - (q[:, 1] - p[:, 1]) * (x - p[:, 0])

    return np.stack([cross(b, c), cross(c, a), cross(a, b)], -1)


def test_every_pixel_of_a_closed_sheet_is_covered_once_by_the_face_that_holds_its_centre():
    rng = np.random.default_rng(0)
    positions, faces = shuffled_grid(rng, 13, 17, 40)
    face, weights, depth = rasterize_arrays(positions, faces, 40, 40)
    assert (face >= 0).all()
    for row in range(40):
        for column in range(40):
            values = edge_values(positions, faces, column + 0.5, row + 0.5)
            assert values[face[row, column]].max() <= 1e-6
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    corner_depths = positions[faces[face], 2]
    np.testing.assert_allclose((weights * corner_depths).sum(-1), depth, rtol=2e-5)


def test_weights_are_perspective_correct():
    rng = np.random.default_rng(1)
    positions, faces = shuffled_grid(rng, 5, 5, 32)
    face, weights, _ = rasterize_arrays(positions, faces, 32, 32)
    x, y, z = positions.T.astype(np.float64)
    in_camera = np.stack([x * z, y * z, z], -1)
    points = (weights[..., None] * in_camera[faces[face]]).sum(-2)
    rows, columns = np.mgrid[0:32, 0:32]
    np.testing.assert_allclose(points[..., 0] / points[..., 2], columns + 0.5, atol=1e-3)
    np.testing.assert_allclose(points[..., 1] / points[..., 2], rows + 0.5, atol=1e-3)


def test_shared_edges_through_pixel_centres_belong_to_one_face():
    square = np.array([[0.5, 0.5, 1], [8.5, 0.5, 1], [8.5, 8.5, 1], [0.5, 8.5, 1]], np.float32)
    counts = np.zeros((10, 10), int)
    for faces in ([[0, 3, 2]], [[0, 2, 1]]):
        counts += rasterize_arrays(square, np.array(faces, np.int32), 10, 10)[0] >= 0
    expected = np.zeros((10, 10), int)
    expected[:8, :8] = 1
    np.testing.assert_array_equal(counts, expected)


def test_inside_of_a_face_is_drawn_only_without_culling():
    outside = np.array([[0, 1, 2]], np.int32)
    positions = np.array([[2, 2, 1], [2, 12, 1], [12, 12, 1]], np.float32)
    assert (rasterize_arrays(positions, outside, 16, 16)[0] >= 0).sum() > 40
    assert (rasterize_arrays(positions, outside[:, ::-1], 16, 16)[0] < 0).all()
    np.testing.assert_array_equal(
        rasterize_arrays(positions, outside[:, ::-1], 16, 16, cull=False)[0], rasterize_arrays(positions, outside, 16, 16)[0]
    )


def test_nearer_face_wins_and_equal_depth_goes_to_the_earlier_face():
    positions = np.array([[0, 0, 1], [0, 20, 1], [20, 0, 1], [0, 0, 2], [0, 20, 2], [20, 0, 2]], np.float32)
    first_far = np.array([[3, 4, 5], [0, 1, 2], [0, 1, 2]], np.int32)
    face, _, depth = rasterize_arrays(positions, first_far, 8, 8)
    assert (face == 1).all()
    np.testing.assert_allclose(depth, 1, rtol=1e-6)


def test_faces_behind_the_camera_or_not_finite_are_left_out():
    positions = np.array([[0, 0, 1], [0, 20, -1], [20, 0, 1], [0, 0, np.nan], [0, np.nan, 1], [np.inf, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 3, 2], [0, 4, 2], [0, 4, 5]], np.int32)
    face, weights, depth = rasterize_arrays(positions, faces, 8, 8)
    assert (face == -1).all()
    assert (weights == 0).all()
    assert (depth == 0).all()


def test_faces_far_beyond_the_image_are_clipped_to_it():
    positions = np.array([[-4e6, -3e6, 1], [0, 5e6, 1], [6e6, -3e6, 1]], np.float32)
    face, weights, _ = rasterize_arrays(positions, np.array([[0, 1, 2]], np.int32), 9, 7)
    assert (face == 0).all()
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


def test_views_are_drawn_independently_and_buffers_are_reused():
    rng = np.random.default_rng(2)
    sheets = [shuffled_grid(rng, 6, 6, 24) for _ in range(3)]
    positions, faces = np.stack([s[0] for s in sheets]), sheets[0][1]
    out = new_coverage(3, 24, 24)
    for buffer in out:
        buffer[...] = 77
    result = rasterize_arrays(positions, faces, 24, 24, out=out)
    assert result[0] is out[0]
    for view in range(3):
        for together, alone in zip(result, rasterize_arrays(positions[view], faces, 24, 24)):
            np.testing.assert_array_equal(together[view], alone)


def test_buffers_of_another_shape_are_refused():
    positions, faces = shuffled_grid(np.random.default_rng(0), 3, 3, 8)
    with pytest.raises(InputError, match="must have the shapes"):
        rasterize_arrays(positions, faces, 8, 8, out=new_coverage(9, 8))


def test_result_does_not_depend_on_the_number_of_threads():
    import numba

    positions, faces = shuffled_grid(np.random.default_rng(3), 20, 20, 50)
    usual = rasterize_arrays(positions, faces, 50, 50)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        alone = rasterize_arrays(positions, faces, 50, 50)
    finally:
        numba.set_num_threads(before)
    for many, one in zip(usual, alone):
        np.testing.assert_array_equal(many, one)
