import numpy as np
import pytest

from headcast.render import draw_mesh, new_coverage


@pytest.fixture
def photograph(larger_scene):
    return np.random.default_rng(0).integers(0, 256, (*larger_scene.camera.size, 3), np.uint8)


def drawn(scene, photograph, **settings):
    return draw_mesh(photograph, scene.mesh.vertices.numpy(), scene.mesh.faces.numpy(), scene.camera, **settings)


def test_opacity_goes_from_the_photograph_to_the_mesh(larger_scene, photograph):
    before = photograph.copy()
    assert np.array_equal(drawn(larger_scene, photograph, opacity=0.0), photograph)
    half, full = drawn(larger_scene, photograph, opacity=0.5), drawn(larger_scene, photograph)
    assert np.array_equal(photograph, before)
    assert np.abs(half.astype(int) * 2 - full - photograph).max() <= 2
    covered = (full != photograph).any(-1)
    assert 0.1 < covered.mean() < 0.6


def test_what_faces_the_camera_has_the_full_color(larger_scene):
    black = np.zeros((*larger_scene.camera.size, 3), np.uint8)
    picture = drawn(larger_scene, black, color=(1.0, 0.5, 0.0))
    assert 240 < picture[..., 0].max() <= 255
    assert abs(int(picture[..., 1].max()) * 2 - int(picture[..., 0].max())) <= 2
    assert not picture[..., 2].any()


def test_vertices_may_have_their_own_colors(larger_scene):
    black = np.zeros((*larger_scene.camera.size, 3), np.uint8)
    heights = larger_scene.mesh.vertices[:, 1].numpy()
    colors = np.where((heights > heights.mean())[:, None], [1.0, 0, 0], [0, 0, 1.0])
    rows = np.arange(len(black))[:, None]
    picture = drawn(larger_scene, black, color=colors).astype(float)
    assert (picture[..., 0] * rows).sum() / picture[..., 0].sum() < (picture[..., 2] * rows).sum() / picture[..., 2].sum() - 10


def test_neighbours_make_outlines_smooth_and_leave_the_rest(larger_scene):
    black = np.zeros((*larger_scene.camera.size, 3), np.uint8)
    hard = drawn(larger_scene, black)
    smooth = drawn(larger_scene, black, neighbours=larger_scene.neighbours.numpy(), cover=new_coverage(*larger_scene.camera.size))
    changed = (hard != smooth).any(-1)
    covered = hard.any(-1)
    inner = covered.copy()
    for axis in (0, 1):
        for step in (1, -1):
            inner &= np.roll(covered, step, axis)
    assert 20 < changed.sum() < covered.sum() / 2
    assert changed[inner].mean() < 0.05  # folds of the ball in front of itself
