"""One camera of a camera file as a recording: distortion, colours, depth, mattes, chosen frames."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from recordings import number_of, numbered, write_video
from rig_layouts import save_exr, save_grey

from headcast.capture import open_source, prepare_steps
from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.cameras import KIND
from headcast.capture.color import TERMS, Color, ColorTable
from headcast.capture.pictures import PictureSource
from headcast.errors import FormatError, InputError
from headcast.solve.step import follow

SIZE = (240, 320)
FOCAL, CENTER = np.array([260.0, 250.0]), np.array([163.0, 117.5])


def rig(folder, **camera) -> CameraSource:
    """The one camera of a camera file written into the folder."""
    (folder / "cameras.json").write_text(json.dumps({"kind": KIND, "schema": 1, "cameras": [{"name": "left", "pictures": "frames", **camera}]}))
    return open_source(camera_path(folder / "cameras.json", "left"))


def save(folder, pictures, name="{}.png") -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for k, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / name.format(k))


def _seen(coefficients, lens: str, normalized: np.ndarray) -> np.ndarray:
    """Where a lens puts directions (x/z, y/z): pixels from the corner."""
    matrix = np.array([[FOCAL[0], 0, CENTER[0]], [0, FOCAL[1], CENTER[1]], [0, 0, 1]])
    if lens == "fisheye":
        return cv2.fisheye.distortPoints(normalized[:, None].astype(np.float64), matrix, np.array(coefficients))[:, 0]
    points = np.concatenate([normalized, np.ones((len(normalized), 1))], 1)
    return cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(coefficients))[0][:, 0]


def _checkerboard(coefficients, lens: str) -> np.ndarray:
    """A soft board of squares 0.1 wide at depth one, as the lens sees it."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    pixels = np.stack([x + 0.5, y + 0.5], -1).reshape(-1, 1, 2)
    matrix = np.array([[FOCAL[0], 0, CENTER[0]], [0, FOCAL[1], CENTER[1]], [0, 0, 1]])
    undistort = cv2.fisheye.undistortPoints if lens == "fisheye" else cv2.undistortPoints
    board = undistort(pixels, matrix, np.array(coefficients))[:, 0].reshape(*SIZE, 2)
    wave = np.sin(np.pi * board / 0.1).prod(-1)
    return np.repeat((128 + 100 * wave).round().astype(np.uint8)[..., None], 3, -1)


@pytest.mark.parametrize(
    ("lens", "coefficients"),
    [
        ("opencv", [-0.2, 0.05, 0.002, -0.001]),
        ("opencv", [0.15, -0.03, 0.0, 0.001, 0.01]),
        ("opencv", [-0.1, 0.02, 0.001, 0.001, 0.01, 0.05, 0.01, 0.001]),
        ("fisheye", [0.05, -0.01, 0.003, -0.001]),
    ],
)
def test_a_checkerboard_without_distortion_is_where_a_pinhole_sees_it(tmp_path, lens, coefficients):
    """To 0.1 pixels around every corner of the board: the shift that explains the difference from a pinhole's picture (Lucas & Kanade 1981)."""
    save(tmp_path / "frames", [_checkerboard(coefficients, lens)])
    source = rig(tmp_path, focal_px=FOCAL.tolist(), center_px=CENTER.tolist(), distortion=coefficients, lens=lens)
    found, expected = next(source.frames()).image[..., 0].astype(float), _checkerboard([0.0] * 4, "opencv")[..., 0].astype(float)
    down, across = np.gradient(expected)
    corners = np.stack(np.meshgrid(np.arange(-4, 5), np.arange(-3, 4)), -1).reshape(-1, 2) * 0.1
    assert np.abs(_seen(coefficients, lens, corners) - (corners * FOCAL + CENTER)).max() > 1  # the lens does something
    for x, y in (corners * FOCAL + CENTER).astype(int):
        window = np.s_[y - 8 : y + 9, x - 8 : x + 9]
        motion = np.stack([across[window].ravel(), down[window].ravel()], 1)
        shift = np.linalg.lstsq(motion, (expected - found)[window].ravel(), rcond=None)[0]
        assert np.linalg.norm(shift) < 0.1


@pytest.mark.parametrize("lens", ["opencv", "fisheye"])
def test_depth_is_undistorted_like_colour(tmp_path, lens):
    """A ramp of depth over the picture; half a pixel off would be 0.5 mm."""
    coefficients = [-0.2, 0.05, 0.0, 0.0] if lens == "opencv" else [0.05, -0.01, 0.003, -0.001]
    save(tmp_path / "frames", [np.zeros((*SIZE, 3), np.uint8)])
    ramp = np.broadcast_to((np.arange(SIZE[1]) + 0.5) * 10 + 1000, SIZE).round().astype(np.uint16)
    save(tmp_path / "depth", [ramp])
    camera = {
        "focal_px": FOCAL.tolist(),
        "center_px": CENTER.tolist(),
        "distortion": coefficients,
        "lens": lens,
        "depth": "depth",
        "depth_unit_m": 1e-4,
    }
    depth = rig(tmp_path, **camera).depth(0)
    y, x = np.mgrid[60:180, 80:240]
    seen = _seen(coefficients, lens, (np.stack([x, y], -1).reshape(-1, 2) + 0.5 - CENTER) / FOCAL)[:, 0]
    error_px = (depth[60:180, 80:240].ravel() - 0.1) * 1000 - seen
    assert np.abs(error_px).max() < 0.55 and abs(error_px.mean()) < 0.05


def test_no_distortion_leaves_pictures_as_they_are(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (2, 12, 16, 3)).astype(np.uint8)
    save(tmp_path / "frames", noise)
    source = rig(tmp_path, focal_px=20, distortion=[0, 0, 0, 0])
    assert all((frame.image == picture).all() for frame, picture in zip(source.frames(), noise, strict=True))
    assert source.size == (12, 16) and source.frame_count == 2 and not source.has_depth and source.warnings == []


def test_numbers_of_another_size_are_scaled_before_distortion_is_taken_away(tmp_path):
    picture = _checkerboard([-0.2, 0.05, 0, 0], "opencv")
    save(tmp_path / "frames", [picture])
    camera = {"distortion": [-0.2, 0.05, 0, 0], "focal_px": FOCAL.tolist(), "center_px": CENTER.tolist()}
    own = next(rig(tmp_path, **camera).frames()).image
    camera |= {"focal_px": (2 * FOCAL).tolist(), "center_px": (2 * CENTER).tolist(), "size": [480, 640]}
    assert (next(rig(tmp_path, **camera).frames()).image == own).all()


@settings(max_examples=25, deadline=None)
@given(terms=st.sampled_from(sorted(TERMS)), linear=st.booleans(), seed=st.integers(0, 1000))
def test_colours_in_the_table_are_those_of_the_polynomial(terms, linear, seed):
    """To three levels of 255, where the correction is as mild as that of cameras."""
    random = np.random.default_rng(seed)
    matrix = np.concatenate([np.eye(3) * 0.9, np.zeros((3, terms - 3))], 1) + random.normal(0, 0.02, (3, terms))
    color = Color(matrix, linear)
    image = random.integers(40, 215, (8, 8, 3)).astype(np.uint8)
    exact = np.clip(color.corrected(image.reshape(-1, 3) / 255), 0, 1) * 255
    assert np.abs(ColorTable(color)(image).reshape(-1, 3) - exact).max() < 3


def test_an_affine_correction_by_hand(tmp_path):
    save(tmp_path / "frames", [np.full((4, 4, 3), (100, 150, 200), np.uint8)])
    matrix = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0.5, 0.1]]
    source = rig(tmp_path, color={"matrix": matrix})
    assert next(source.frames()).image[0, 0].tolist() == pytest.approx([150, 100, 0.5 * 200 + 25.5], abs=1)


def test_a_linear_correction_halves_light_not_numbers(tmp_path):
    save(tmp_path / "frames", [np.full((4, 4, 3), 188, np.uint8)])
    source = rig(tmp_path, color={"matrix": (0.5 * np.eye(3)).tolist(), "space": "linear"})
    # sRGB 188 is light 0.503; sRGB of 0.251 is 137.
    assert next(source.frames()).image[0, 0].tolist() == pytest.approx([137] * 3, abs=1.5)


@pytest.mark.parametrize(
    ("values", "unit_m", "name"),
    [
        (np.full((6, 8), 4321, np.uint16), 1e-4, "0.png"),
        (np.full((6, 8), 0.4321, np.float32), 1.0, "0.exr"),
        (np.full((6, 8), 432.1, np.float64), 1e-3, "0.npy"),
    ],
)
def test_depth_is_in_metres(tmp_path, values, unit_m, name):
    save(tmp_path / "frames", [np.zeros((12, 16, 3), np.uint8)])
    (tmp_path / "depth").mkdir()
    if name.endswith("npy"):
        values[0, 0] = np.nan
        np.save(tmp_path / "depth" / name, values)
    elif name.endswith("exr"):
        save_exr(tmp_path / "depth" / name, values)
    else:
        save_grey(tmp_path / "depth" / name, values)
    depth = rig(tmp_path, depth="depth", depth_unit_m=unit_m).depth(0)
    assert depth.shape == (12, 16) and depth.dtype == np.float32 and depth[-1] == pytest.approx(0.4321)
    assert depth[0, 0] == pytest.approx(0 if name.endswith("npy") else 0.4321)


def test_smaller_depth_lies_over_the_middle_of_its_pixels(tmp_path):
    save(tmp_path / "frames", [np.zeros((4, 6, 3), np.uint8)])
    save(tmp_path / "depth", [np.array([[1000, 2000, 3000], [4000, 5000, 6000]], np.uint16)])
    assert rig(tmp_path, depth="depth").depth(0)[:, ::2].round(6).tolist() == [[1, 2, 3], [1, 2, 3], [4, 5, 6], [4, 5, 6]]


def test_mattes_beside_are_the_opacity(tmp_path):
    save(tmp_path / "frames", [np.full((4, 6, 3), 9, np.uint8)] * 2)
    grey = np.zeros((8, 12), np.uint8)
    grey[:4] = 255
    save(tmp_path / "mattes", [grey, np.zeros_like(grey)])
    source = rig(tmp_path, alpha="mattes")
    first, second = source.frames()
    assert first.alpha.tolist() == [[255] * 6] * 2 + [[0] * 6] * 2 and not second.alpha.any()
    assert tmp_path / "mattes" / "1.png" in source.files
    drawn = np.dstack([np.full((4, 6, 3), 7, np.uint8), np.full((4, 6), 80, np.uint8)])
    save(tmp_path / "drawn", [drawn, drawn])
    assert (next(rig(tmp_path, alpha="drawn").frames()).alpha == 80).all()


def test_a_matte_that_is_given_is_the_matte_of_the_capture(tmp_path, portrait_clip):
    pictures = [frame.image for frame in open_source(portrait_clip).frames(0, 2)]
    save(tmp_path / "frames", pictures)
    matte = np.zeros(pictures[0].shape[:2], np.uint8)
    matte[:, : matte.shape[1] // 2] = 255
    save(tmp_path / "mattes", [matte] * 2)
    rig(tmp_path, alpha="mattes")
    capture = follow(prepare_steps(camera_path(tmp_path / "cameras.json", "left"), tmp_path / "capture"))
    left, top, width, height = capture.matte_windows[1]
    assert capture.found.all() and width
    window = np.s_[top : top + height, left : left + width]
    assert np.abs(capture.matte(1)[window].astype(int) - matte[window]).mean() < 5


@pytest.mark.parametrize("video", [False, True])
def test_chosen_frames_keep_their_times(tmp_path, video):
    if video:
        write_video(tmp_path / "v.mkv", numbered(10), codec="ffv1", pixel_format="bgr0", fps=10)
    else:
        save(tmp_path / "frames", numbered(10))
    place = {"pictures": "v.mkv" if video else "frames"}
    for frames in ("3:8:2", [3, 5, 7]):
        (tmp_path / "cameras.json").write_text("")
        found = {"kind": KIND, "schema": 1, "fps": 10, "cameras": [{"name": "left", "frames": frames, **place}]}
        (tmp_path / "cameras.json").write_text(json.dumps(found))
        source = open_source(camera_path(tmp_path / "cameras.json", "left"))
        assert [number_of(frame.image) for frame in source.frames()] == [3, 5, 7] and source.frame_count == 3
        assert [(frame.frame_idx, round(frame.time_s, 6)) for frame in source.frames(1)] == [(1, 0.5), (2, 0.7)]
        assert [number_of(frame.image) for frame in source.select([0, 2])] == [3, 7]
        assert source.metadata.fps == pytest.approx(5)


def test_chosen_frames_have_their_own_depth_and_matte(tmp_path):
    save(tmp_path / "frames", numbered(4))
    save(tmp_path / "depth", [np.full((4, 4), 1000 * k, np.uint16) for k in range(4)])
    save(tmp_path / "mattes", [np.full((4, 4), 10 * k, np.uint8) for k in range(4)])
    source = rig(tmp_path, depth="depth", alpha="mattes", frames=[1, 3], time_s=[0.25, 0.75])
    assert [round(float(source.depth(k)[0, 0]), 6) for k in (0, 1)] == [1, 3]
    assert [(frame.alpha[0, 0], frame.time_s) for frame in source.frames()] == [(10, 0.25), (30, 0.75)]


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ({"pictures": ["frames/0.png", "frames/9.png"]}, "expected 2 pictures of camera 'left', found nothing at 1 of them, as .*9.png"),
        ({"pictures": "nothing"}, "expected"),
        ({"pictures": "cameras.json#left"}, "expected a recording as pictures of camera 'left', found a camera of a camera file"),
        ({"depth": "frames/0.png"}, "expected depth for each of the 3 pictures of camera 'left', found 1 pictures"),
        ({"depth": ["frames/7.png"]}, "found nothing at 1 of them, as .*7.png"),
        ({"alpha": ["frames/0.png"]}, "expected a matte for each of the 3 pictures of camera 'left', found 1"),
        ({"time_s": [0, 1]}, "expected a time for each of the 3 frames of camera 'left', found 2"),
        ({"frames": [3]}, "expected frames within the 3 pictures of camera 'left'"),
        ({"focal_px": 9, "size": [100, 100]}, "expected pictures with the proportions of 100×100"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_decoded(tmp_path, camera, message):
    save(tmp_path / "frames", numbered(3))
    with pytest.raises(InputError, match=message):
        rig(tmp_path, **camera)


def test_a_camera_or_file_that_is_not_there_is_named(tmp_path):
    save(tmp_path / "frames", numbered(1))
    rig(tmp_path)
    with pytest.raises(InputError, match="expected one of the cameras 'left', found 'right'"):
        open_source(camera_path(tmp_path / "cameras.json", "right"))
    with pytest.raises(InputError, match=r"expected a camera file, found nothing at other\.json"):
        open_source("other.json#left")


def test_pictures_that_cannot_be_read_are_said(tmp_path):
    save(tmp_path / "frames", numbered(2))
    (tmp_path / "frames" / "1.png").write_bytes(b"no picture")
    source = rig(tmp_path)
    assert [frame.damaged for frame in source.frames()] == [False, True] and "1.png" in source.warnings[0]
    (tmp_path / "frames" / "0.png").write_bytes(b"no picture")
    with pytest.raises(FormatError, match="of which none can be read"):
        rig(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("0.png", b"nothing", "expected a picture of depth with one channel, found something else at .*0.png"),
        ("0.npy", b"nothing", "expected a picture of depth, found something that cannot be read"),
        ("0.exr", b"nothing", "expected a picture of depth"),
    ],
)
def test_depth_that_cannot_be_read_is_said(tmp_path, name, content, message):
    save(tmp_path / "frames", numbered(1))
    (tmp_path / "depth").mkdir()
    (tmp_path / "depth" / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        rig(tmp_path, depth="depth").depth(0)


def test_coloured_pictures_are_no_depth(tmp_path):
    save(tmp_path / "frames", numbered(1))
    with pytest.raises(InputError, match="expected a picture of depth with one channel"):
        rig(tmp_path, depth="frames").depth(0)


def test_the_first_pixel_is_seen_at_half_a_pixel(tmp_path):
    """A lens with the strongest distortion leaves the pixel under its principal point where it is: (0.5, 0.5) is the middle of the first one."""
    picture = np.zeros((9, 9, 3), np.uint8)
    picture[4, 4] = 255
    save(tmp_path / "frames", [picture])
    image = next(rig(tmp_path, focal_px=9, center_px=[4.5, 4.5], distortion=[-0.3, 0.1, 0, 0]).frames()).image[..., 0].astype(float)
    y, x = np.mgrid[:9, :9] + 0.5
    assert (x * image).sum() / image.sum() == pytest.approx(4.5, abs=1e-3) and (y * image).sum() / image.sum() == pytest.approx(4.5, abs=1e-3)
    assert isinstance(rig(tmp_path)._base, PictureSource)
