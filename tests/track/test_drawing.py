"""Painting a head over a picture puts colour where the head is, and nowhere else."""

import numpy as np
import pytest
import torch

from headcast.geometry import Camera, Transform
from headcast.heads import HeadPose, open_head
from headcast.render import rasterize_arrays
from headcast.track.drawing import Paintable, paint_dots, paint_surface


@pytest.fixture(scope="module")
def seen():
    """A frontal head in a picture of 96×128: (x, y, depth) of its vertices, and what is needed to paint it."""
    head = open_head()
    camera = Camera.looking_along_minus_z(220.0, (96, 128))
    pose = head.neutral_pose()
    pose = HeadPose(pose.expression, pose.joint_rotations, Transform(torch.eye(3), torch.tensor([0.0, 0.0, -0.8])))
    vertices = head.shaped(torch.zeros(1)).posed(pose).vertices
    depth = camera.camera_from_world.points(vertices)[:, 2:]
    return torch.cat([camera.project(vertices), depth], 1).numpy(), Paintable.of(head)


def test_an_opaque_head_hides_what_is_behind_and_leaves_the_rest(seen):
    positions, paintable = seen
    picture = np.full((96, 128, 3), 9, np.uint8)
    paint_surface(picture, positions, np.ones_like(positions), paintable)
    assert (picture[:4] == 9).all() and (picture[:, :8] == 9).all() and picture[48, 64].min() > 60


def test_opacity_mixes_with_the_picture(seen):
    positions, paintable = seen
    opaque, half = np.zeros((2, 96, 128, 3), np.uint8)
    paint_surface(opaque, positions, np.ones_like(positions), paintable)
    paint_surface(half, positions, np.ones_like(positions), paintable, opacity=0.5)
    np.testing.assert_allclose(half.astype(int), opaque // 2, atol=1)


def test_a_texture_of_one_colour_times_light_is_encoded_as_srgb(seen):
    positions, paintable = seen
    picture = np.zeros((96, 128, 3), np.uint8)
    paint_surface(picture, positions, np.full_like(positions, 0.5), paintable, np.full((32, 32, 3), 0.4, np.float32))
    # 0.4 · 0.5 = 0.2 linear is 1.055 · 0.2 ** (1 / 2.4) − 0.055 = 0.4845 in sRGB.
    assert abs(int(picture[48, 64, 0]) - round(0.4845 * 255)) <= 1


def test_the_texture_is_read_where_the_atlas_says(seen):
    positions, paintable = seen
    ramp = np.zeros((64, 64, 3), np.float32)
    ramp[..., 0] = (np.arange(64)[None, :] + 0.5) / 64
    ramp[..., 1] = 1 - (np.arange(64)[:, None] + 0.5) / 64
    picture = np.zeros((96, 128, 3), np.uint8)
    paint_surface(picture, positions, np.ones_like(positions), paintable, ramp)
    face, weights, _ = rasterize_arrays(positions, paintable.faces, 96, 128)
    uv = (paintable.uv[face[48, 64]] * weights[48, 64][:, None]).sum(0)
    linear = (picture[48, 64, :2] / 255.0 + 0.055) / 1.055
    np.testing.assert_allclose(linear**2.4, uv, atol=0.02)


def test_irises_and_lips_can_be_told_from_skin():
    head = open_head()
    tint = Paintable.of(head).tint
    skin = tint[head.regions["forehead"].numpy()].mean(0)
    for region in ("irises", "lips", "teeth"):
        assert np.abs(tint[head.regions[region].numpy()].mean(0) - skin).max() > 0.1


def test_dots_outside_of_the_picture_are_left_out():
    picture = np.zeros((8, 8, 3), np.uint8)
    paint_dots(picture, np.array([[4.0, 4.0], [-3.0, 2.0], [50.0, 50.0]]), (0, 255, 0))
    assert picture[..., 1].sum() == 4 * 255 and (picture[3:5, 3:5, 1] == 255).all()
