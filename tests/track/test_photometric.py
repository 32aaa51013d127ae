"""The colour term against the same sums done pixel by pixel."""

import numpy as np
import pytest

from headcast.heads import open_head
from headcast.track.config import TrackConfig
from headcast.track.frame import colour_sums
from headcast.track.light import AMBIENT, gamma_shading, sh_basis
from headcast.track.observation import Picture, Window, picture_gradient
from headcast.track.person import Person, TrackedModel
from headcast.track.photometric import GAMMA, touched_vertices, vertex_tensors, weighted_rows
from headcast.track.points import FrameState
from headcast.track.rig import WORLD_FROM_CAMERA, Rig
from headcast.track.view import view_of


@pytest.fixture(scope="module")
def scene():
    generator = np.random.default_rng(0)
    config = TrackConfig()
    model = open_head()
    tracked = TrackedModel.of(model, config.sigmas)
    texture = np.concatenate([generator.uniform(0.2, 0.8, (64, 64, 3)), np.ones((64, 64, 1))], 2).astype(np.float32)
    person = Person(
        tracked,
        np.zeros(model.identity_count),
        Rig.single(np.full(2, 150.0), np.full(2, 32.0)),
        AMBIENT,
        np.zeros((478, 3), np.float32),
        texture,
    )
    state = FrameState(WORLD_FROM_CAMERA.copy(), np.array([0, 0, 0.5]), np.zeros((model.joint_count, 3)), np.zeros(model.expression_count))
    window = Window(np.ones(2), np.zeros(2), (64, 64))
    image = generator.uniform(0, 1, (64, 64, 3)).astype(np.float32)
    picture = Picture(window, image, picture_gradient(image), generator.uniform(0, 1, (64, 64)).astype(np.float32))
    return config, person, state, picture


def test_normal_equations_agree_with_the_sum_over_pixels(scene):
    config, person, state, picture = scene
    view = view_of(person, state, picture.window)
    sums = colour_sums(person, view, picture, robust=0.15, slack_px=0.3)
    jacobian = view.motion.derivatives().jacobian
    active = touched_vertices(person.tracked.surface, sums)
    matrix, right = weighted_rows(person.tracked.surface, sums, active, jacobian[active]).equations()
    surface = person.tracked.surface
    expected, expected_right = np.zeros_like(matrix), np.zeros_like(right)
    height, width = person.texture.shape[:2]
    for y, x in zip(*np.nonzero(view.face >= 0), strict=True):
        face = view.face[y, x]
        if surface.face_weight[face] <= 0:
            continue
        mix = view.barycentric[y, x].astype(np.float64)
        u, v = mix @ surface.uv[face]
        column, row = u * width - 0.5, (1 - v) * height - 0.5
        left, top = int(column), int(row)
        across, down = column - left, row - top
        corners = person.texture[top : top + 2, left : left + 2].astype(np.float64)
        sample = (corners * np.outer([1 - down, down], [1 - across, across])[..., None]).sum((0, 1))
        residual = picture.image[y, x] - sample[:3] * (mix @ view.shading[surface.faces[face]])
        precision = 1 / (3 * config.sigmas.color**2 + 0.3**2 * float((picture.gradient[y, x].astype(np.float64) ** 2).sum()))
        scaled = 1 + (residual @ residual) * precision * 0.15
        weight = surface.face_weight[face] * picture.matte[y, x] * view.inner[y, x] * precision / scaled**2
        motion = np.einsum("k,kru->ru", mix, jacobian[surface.faces[face]])
        rows = picture.gradient[y, x].astype(np.float64) @ motion
        expected += weight * rows.T @ rows
        expected_right -= weight * rows.T @ residual
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected))) + 1e-6
    assert np.abs((matrix - expected) / scale).max() < 2e-4
    assert np.abs((right - expected_right) / np.sqrt(np.diag(scale))).max() < 2e-3 * np.sqrt(np.abs(np.diag(scale))).max()


def test_ambient_light_shades_everything_one():
    normals = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    np.testing.assert_allclose(gamma_shading(normals, WORLD_FROM_CAMERA, AMBIENT), 1, rtol=1e-5)


def test_shading_is_the_basis_times_light():
    generator = np.random.default_rng(1)
    normals = generator.normal(size=(50, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    light = (AMBIENT + 0.05 * generator.normal(size=(9, 3))).astype(np.float32)
    expected = np.maximum(sh_basis(normals @ WORLD_FROM_CAMERA.T) @ light, 0.02) ** (1 / GAMMA)
    np.testing.assert_allclose(gamma_shading(normals, WORLD_FROM_CAMERA, light), expected, rtol=1e-4)


def test_gradient_of_a_ramp_is_its_slope():
    y, x = np.mgrid[:20, :30].astype(np.float32)
    image = np.repeat((0.01 * x + 0.02 * y)[..., None], 3, 2)
    gradient = picture_gradient(image)[1:-1, 1:-1]
    np.testing.assert_allclose(gradient[..., 0], 0.01, rtol=1e-3)
    np.testing.assert_allclose(gradient[..., 1], 0.02, rtol=1e-3)


def test_outlines_take_no_part(scene):
    _, person, state, picture = scene
    view = view_of(person, state, picture.window)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(view.face, 1, constant_values=-1), (3, 3))
    assert not view.inner[(around < 0).any((2, 3))].any()
    assert view.inner.sum() > 0.4 * (view.face >= 0).sum()


def test_a_shift_of_all_vertices_together_costs_the_sum_of_the_vertex_tensors(scene):
    _, person, state, picture = scene
    view = view_of(person, state, picture.window)
    sums = colour_sums(person, view, picture)
    surface = person.tracked.surface
    active = touched_vertices(surface, sums)
    shift = np.zeros((len(active), 2, 2), np.float32)
    shift[:, 0, 0] = shift[:, 1, 1] = 1
    matrix, _ = weighted_rows(surface, sums, active, shift).equations()
    xx, xy, yy = vertex_tensors(surface, sums).sum(0)
    np.testing.assert_allclose(matrix, [[xx, xy], [xy, yy]], rtol=1e-4)
