import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import numbered, write_video
from rig_layouts import intrinsics, projected, random_poses, save_grey, save_picture, seen, write

from headcast.capture import open_source
from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.color import Color
from headcast.capture.rigs import open_cameras
from headcast.errors import FormatError, InputError

SERIALS = ("222200042", "222200037", "220700191")
CCM = np.concatenate([np.eye(3) * 0.8, np.full((3, 8), 0.01)], 1)


def v1(root, seed=0, pictures="images", frames=("00000", "00003"), size=(24, 32), serials=SERIALS, **calibration):
    """A sequence of version 1; returns its folder."""
    poses = {serial: pose.tolist() for serial, pose in zip(serials, random_poses(seed, len(serials)), strict=True)}
    write(root / "camera_params/074/camera_params.json", {"world_2_cam": poses, "intrinsics": intrinsics(seed).tolist(), **calibration})
    for serial in serials:
        for k, frame in enumerate(frames):
            save_picture(root / f"074/EXP-1/{pictures}/cam_{serial}_{frame}.jpg", 40 * k + 20, size)
    return root / "074/EXP-1"


def v2(root, seed=0):
    """A sequence of version 2, as downloaded: videos."""
    poses = {serial: pose.tolist() for serial, pose in zip(SERIALS, random_poses(seed, len(SERIALS)), strict=True)}
    write(root / "074/calibration/camera_params.json", {"world_2_cam": poses, "intrinsics": [[90, 0, 32], [0, 90, 24], [0, 0, 1]]})
    write(root / "074/calibration/color_calibration.json", {serial: CCM.tolist() for serial in SERIALS})
    (root / "074/sequences/EXP-1/images").mkdir(parents=True)
    for serial in SERIALS:
        write_video(root / f"074/sequences/EXP-1/images/cam_{serial}.mp4", numbered(3))
    return root / "074/sequences/EXP-1"


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_cameras_see_what_the_calibration_says(seed, tmp_path_factory):
    files = open_cameras(v1(tmp_path_factory.mktemp("nersemble"), seed))
    assert [camera.name for camera in files.cameras] == list(SERIALS) and files.unit_m == 1.0
    for camera, pose in zip(files.cameras, random_poses(seed, 3), strict=True):
        assert seen(camera) == pytest.approx(projected(pose, intrinsics(seed)), abs=1e-9)
        assert camera.size == (24, 32) and [name.split("_")[-1] for name in camera.pictures] == ["00000.jpg", "00003.jpg"]


def test_version_1_corrects_colours_affinely(tmp_path):
    sequence = v1(tmp_path)
    affine = np.random.default_rng(0).normal(0, 0.1, (3, 4)) + np.eye(3, 4)
    for serial in SERIALS:
        (tmp_path / "color_correction/074").mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / f"color_correction/074/{serial}.npy", affine)
    rgb = np.random.default_rng(1).uniform(0, 1, (5, 3))
    color = open_cameras(sequence).cameras[0].color
    assert not color.linear and color.corrected(rgb) == pytest.approx(rgb @ affine[:3, :3] + affine[:3, 3])
    (tmp_path / f"color_correction/074/{SERIALS[1]}.npy").unlink()
    with pytest.raises(InputError, match=rf"expected colour corrections of all cameras, found none of \['{SERIALS[1]}'\]"):
        open_cameras(sequence)
    np.save(tmp_path / f"color_correction/074/{SERIALS[1]}.npy", np.eye(3))
    with pytest.raises(FormatError, match=r"expected a colour correction of 3×4 numbers, found shape \(3, 3\)"):
        open_cameras(sequence)
    (tmp_path / f"color_correction/074/{SERIALS[1]}.npy").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="expected a colour correction, found something that cannot be read as an array"):
        open_cameras(sequence)


def test_version_2_is_read_from_its_videos_with_colours_corrected_in_linear_light(tmp_path):
    files = open_cameras(v2(tmp_path))
    camera = files.cameras[0]
    assert camera.color.linear and (camera.color.matrix == CCM).all() and camera.pictures == f"images/cam_{SERIALS[0]}.mp4"
    files.save(tmp_path / "cameras.json")
    frames = list(open_source(camera_path(tmp_path / "cameras.json", SERIALS[0])).frames())
    plain = next(open_source(tmp_path / f"074/sequences/EXP-1/{camera.pictures}").frames()).image
    exact = np.clip(Color(CCM, True).corrected(plain[::7, ::7].reshape(-1, 3) / 255.0), 0, 1) * 255
    assert len(frames) == 3 and np.abs(frames[0].image[::7, ::7].reshape(-1, 3) - exact).max() < 4
    assert np.abs(exact - plain[::7, ::7].reshape(-1, 3)).max() > 8


def test_version_2_without_colours_or_with_broken_ones(tmp_path):
    sequence = v2(tmp_path)
    colors = tmp_path / "074/calibration/color_calibration.json"
    write(colors, {SERIALS[0]: CCM.tolist()})
    with pytest.raises(InputError, match="expected colour corrections of all cameras"):
        open_cameras(sequence)
    write(colors, {serial: np.ones((3, 6)).tolist() for serial in SERIALS})
    with pytest.raises(FormatError, match=r"expected a colour matrix of 3 rows and .* columns, found 6 columns"):
        open_cameras(sequence)
    colors.unlink()
    assert open_cameras(sequence).cameras[0].color is None


def test_videos_of_different_lengths_are_said(tmp_path):
    sequence = v2(tmp_path)
    write_video(sequence / f"images/cam_{SERIALS[1]}.mp4", numbered(2))
    with pytest.raises(InputError, match=f"expected videos of as many frames from all cameras, found {{'{SERIALS[0]}': 3, '{SERIALS[1]}': 2"):
        open_cameras(sequence)


def test_smaller_pictures_keep_the_numbers_of_the_large_ones(tmp_path):
    sequence = v1(tmp_path, pictures="images_4", size=(6, 8))
    for path in (sequence, sequence / "images_4"):
        camera = open_cameras(path).cameras[0]
        assert camera.size == (24, 32) and camera.pictures[0].startswith("images_4/")
        assert camera.calibration((6, 8)).focal_px == pytest.approx(intrinsics(0)[[0, 1], [0, 1]] / 4)
    save_picture(sequence / "images_2/cam_1_0.jpg")
    with pytest.raises(InputError, match=r"expected a folder 'images', found \['images_2', 'images_4'\]. Name the one to use"):
        open_cameras(sequence)


def test_a_calibration_that_says_its_size_is_believed(tmp_path):
    assert open_cameras(v1(tmp_path, height=48, width=64)).cameras[0].size == (48, 64)


def test_numbers_of_pictures_of_another_size_are_refused(tmp_path):
    with pytest.raises(FormatError, match=r'intrinsics of pictures of 8×6, found a principal point at .* Write "height" and "width"'):
        open_cameras(v1(tmp_path, size=(6, 8)))


def test_mattes_of_the_same_names_are_used(tmp_path):
    sequence = v1(tmp_path)
    for serial in SERIALS:
        for k, frame in enumerate(("00000", "00003")):
            save_grey(sequence / f"alpha_maps/cam_{serial}_{frame}.png", np.full((24, 32), 100 + k, np.uint8))
    files = open_cameras(sequence)
    source = CameraSource(camera_path(sequence / "cameras.json", SERIALS[2]), files)
    assert [frame.alpha[5, 5] for frame in source.frames()] == [100, 101]
    (sequence / f"alpha_maps/cam_{SERIALS[0]}_00003.png").unlink()
    with pytest.raises(InputError, match=rf"expected a matte of every picture or of none, found none of 'cam_{SERIALS[0]}_00003' \(1 missing\)"):
        open_cameras(sequence)


def test_what_is_missing_or_impossible_is_said(tmp_path):
    sequence = v1(tmp_path)
    calibration = tmp_path / "camera_params/074/camera_params.json"
    lost = sequence / f"images/cam_{SERIALS[1]}_00003.jpg"
    content = lost.read_bytes()
    lost.unlink()
    with pytest.raises(
        InputError, match=rf"expected the 2 frames of the sequence from all cameras, found none of frame '00003' of camera '{SERIALS[1]}'"
    ):
        open_cameras(sequence)
    lost.write_bytes(content)
    save_picture(sequence / "images/cam_999_00000.jpg")
    save_picture(sequence / "images/cam_999_00003.jpg")
    with pytest.raises(InputError, match=r"expected poses of all cameras that have pictures, found none of \['999'\]"):
        open_cameras(sequence)
    poses = {"999": np.eye(4).tolist()}
    for intrinsic, message in (
        (np.zeros((3, 3)).tolist(), "expected intrinsics .* with fx, fy above zero, found"),
        ([[10, 1, 16], [0, 10, 12], [0, 0, 1]], "expected intrinsics .* found"),
        ([[10, 0], [0, 10]], r"expected finite numbers \(3 × 3\) as intrinsics"),
    ):
        write(calibration, {"world_2_cam": {**{s: np.eye(4).tolist() for s in SERIALS}, **poses}, "intrinsics": intrinsic, "height": 24, "width": 32})
        with pytest.raises(FormatError, match=message):
            open_cameras(sequence)
    broken = {**{s: np.eye(4).tolist() for s in SERIALS}, "999": np.eye(4)[:3].tolist()}
    write(calibration, {"world_2_cam": broken, "intrinsics": intrinsics(0).tolist()})
    with pytest.raises(FormatError, match=r"expected finite numbers \(4 × 4\) as world_2_cam, found .* of camera '999'"):
        open_cameras(sequence)
    write(calibration, {"intrinsics": []})
    with pytest.raises(FormatError, match="expected world_2_cam and intrinsics, found"):
        open_cameras(sequence)


def test_cameras_without_pictures_are_left_out_and_no_pictures_are_said(tmp_path):
    sequence = v1(tmp_path)
    for file in (sequence / "images").glob(f"cam_{SERIALS[1]}_*"):
        file.unlink()
    assert [camera.name for camera in open_cameras(sequence).cameras] == [SERIALS[0], SERIALS[2]]
    for file in (sequence / "images").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"expected pictures cam_CAMERA_FRAME.jpg or videos cam_CAMERA.mp4, found none"):
        open_cameras(sequence)
