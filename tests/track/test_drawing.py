"""Painting a textured head puts the right colour where the head is, and nowhere else; the overlay's cameras look at it."""

import numpy as np
import pytest
import torch
from small_tracks import small_track

from headcast.geometry import Camera, Transform
from headcast.heads import HeadPose, open_head
from headcast.render import image_positions, rasterize_arrays
from headcast.track.drawing import Surface, paint_dots, paint_faces, region_colors
from headcast.track.overlay import Window, side_camera


@pytest.fixture(scope="module")
def positions():
    """Where a frontal head is in a picture of 96×128."""
    head = open_head()
    rest = head.neutral_pose()
    pose = HeadPose(rest.expression, rest.joint_rotations, Transform(torch.eye(3), torch.tensor([0.0, 0.0, -0.8])))
    return image_positions(head.shaped(torch.zeros(1)).posed(pose).vertices, Camera.looking_along_minus_z(220.0, (96, 128))).numpy()


def _paint(picture, positions, light, surface, opacity=1.0):
    face, weights, _ = rasterize_arrays(positions, surface.faces, *picture.shape[:2])
    paint_faces(picture, face, weights, light, surface, opacity)


def test_a_texture_of_one_colour_times_light_is_encoded_as_srgb(positions):
    picture = np.full((96, 128, 3), 9, np.uint8)
    _paint(picture, positions, np.full_like(positions, 0.5), Surface.textured(open_head(), np.full((32, 32, 3), 0.4)))
    # 0.4 · 0.5 = 0.2 linear is 1.055 · 0.2 ** (1 / 2.4) − 0.055 = 0.4845 in sRGB.
    assert abs(int(picture[48, 64, 0]) - round(0.4845 * 255)) <= 1
    assert (picture[:4] == 9).all() and (picture[:, :8] == 9).all()


def test_the_texture_is_read_where_the_atlas_says(positions):
    """Red grows to the right of the atlas and green upwards, so the colour of a pixel names its place."""
    ramp = np.zeros((64, 64, 3), np.float32)
    ramp[..., 0] = (np.arange(64)[None, :] + 0.5) / 64
    ramp[..., 1] = 1 - (np.arange(64)[:, None] + 0.5) / 64
    printed = Surface.textured(open_head(), ramp)
    picture = np.zeros((96, 128, 3), np.uint8)
    _paint(picture, positions, np.ones_like(positions), printed)
    face, weights, _ = rasterize_arrays(positions, printed.faces, 96, 128)
    uv = (printed.uv[face[48, 64]] * weights[48, 64][:, None]).sum(0)
    linear = (picture[48, 64, :2] / 255.0 + 0.055) / 1.055
    np.testing.assert_allclose(linear**2.4, uv, atol=0.02)


def test_opacity_mixes_with_the_picture(positions):
    opaque, half = np.zeros((2, 96, 128, 3), np.uint8)
    for picture, opacity in ((opaque, 1.0), (half, 0.5)):
        _paint(picture, positions, np.ones_like(positions), Surface.white(open_head()), opacity)
    assert opaque[48, 64].tolist() == [255, 255, 255]
    np.testing.assert_allclose(half.astype(int), opaque // 2, atol=1)


def test_irises_lips_and_teeth_can_be_told_from_skin():
    head = open_head()
    colors = region_colors(head)
    skin = colors[head.regions["forehead"].numpy()].mean(0)
    for region in ("irises", "lips", "teeth"):
        assert np.abs(colors[head.regions[region].numpy()].mean(0) - skin).max() > 0.1


def test_dots_outside_of_the_picture_are_left_out():
    picture = np.zeros((8, 8, 3), np.uint8)
    paint_dots(picture, np.array([[4.0, 4.0], [-3.0, 2.0], [50.0, 50.0]]), (0, 255, 0))
    assert picture[..., 1].sum() == 4 * 255 and (picture[3:5, 3:5, 1] == 255).all()


@pytest.mark.parametrize("degrees", [-45.0, 0.0, 45.0])
def test_a_camera_from_the_side_looks_at_the_middle_of_the_head_from_there(degrees):
    track, middle = small_track(open_head()), torch.tensor([0.0, -0.03, -0.05])
    camera = side_camera(track, 1, track.camera, middle, degrees, 240)
    seen = track.world_from_head[1].points(middle[None])
    torch.testing.assert_close(camera.project(seen), torch.full((1, 2), 120.0), atol=1e-3, rtol=0)
    looking = track.camera.camera_from_world.rotation[2] @ camera.camera_from_world.rotation[2]
    assert float(looking) == pytest.approx(np.cos(np.radians(degrees)), abs=1e-5)


def test_positive_degrees_show_the_left_side_of_the_head():
    """The camera moves towards the subject's left, which is +X of the head."""
    track = small_track(open_head())
    facing = Transform(torch.eye(3).expand(5, 3, 3), torch.tensor([0.0, 0.0, -0.7]).expand(5, 3))
    camera = side_camera(type(track)(**{**track.__dict__, "world_from_head": facing}), 0, track.camera, torch.zeros(3), 45.0, 240)
    assert float(camera.camera_from_world.inverse().translation[0]) > 0.5


def test_the_window_holds_the_head_of_every_valid_frame():
    head, track = open_head(), small_track(open_head(), frame_count=9, invalid=(0,))
    window = Window.around(track, head)
    pixels = window.from_source(track.camera.project(track.head(head).posed(track.pose(track.valid.nonzero()[:, 0])).vertices).numpy())
    assert pixels.min() >= 0 and pixels.max() <= window.panel_px and window.panel_px % 2 == 0


def test_the_windows_camera_sees_points_where_the_window_shows_them():
    head, track = open_head(), small_track(open_head())
    window = Window.around(track, head)
    points = track.landmarks(head, 2)
    expected = window.from_source(track.camera.project(points).numpy())
    np.testing.assert_allclose(window.camera(track.camera).project(points).numpy(), expected, atol=1e-2)


def test_a_window_beyond_the_picture_is_filled_with_the_background():
    window = Window(-40, -40, 120, 192)
    panel = window.cut(np.full((60, 60, 3), 200, np.uint8))
    assert panel.shape == (192, 192, 3) and panel[0, 0].max() < 40 and (panel[80, 80] == 200).all()
