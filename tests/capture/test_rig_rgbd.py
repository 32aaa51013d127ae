"""Numbered pictures of colour and depth; and, where the real recording is there, that its depth and poses meet in one head."""

import json

import numpy as np
import pytest
from recordings import real_recordings
from rig_layouts import intrinsics, projected, random_poses, save_grey, save_picture, seen, write
from scipy.spatial import cKDTree

from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.rigs import open_cameras
from headcast.errors import FormatError, InputError


def rgbd(root, numbers=(0, 2, 4), count=6, poses=True, **each):
    matrix = intrinsics(0)
    frames = [
        {"frame": k, "timestamp": 100 + k / 10, "width": 32, "height": 24, "fx": matrix[0, 0], "fy": matrix[1, 1],
         "cx": matrix[0, 2], "cy": matrix[1, 2], **each}
        for k in range(count)
    ]  # fmt: skip
    write(root / "cameras.json", {"depth_unit_m": 0.0001, "frames": frames})
    for k in numbers:
        save_picture(root / f"color_{k:03d}.png", 10 * k)
        save_grey(root / f"depth_{k:03d}.png", np.full((24, 32), 1000 * k, np.uint16))
    if poses:
        np.save(root / "camera_to_world.npy", np.linalg.inv(random_poses(0, count)))
    return frames


def test_pictures_find_their_depth_pose_and_time(tmp_path):
    rgbd(tmp_path)
    files = open_cameras(tmp_path)
    (camera,) = files.cameras
    assert files.unit_m == 1.0 and camera.pictures == ("color_000.png", "color_002.png", "color_004.png")
    for frame, number in enumerate((0, 2, 4)):
        assert seen(camera, frame) == pytest.approx(projected(random_poses(0, 6)[number], intrinsics(0)), abs=1e-6)
    files.save(tmp_path / "ours" / "cameras.json")
    source = CameraSource(camera_path(tmp_path / "ours" / "cameras.json", "camera"))
    assert [round(frame.time_s, 6) for frame in source.frames()] == [0, 0.2, 0.4]
    assert [round(float(source.depth(k)[0, 0]), 6) for k in range(3)] == [0, 0.2, 0.4]


def test_depth_and_poses_may_be_missing(tmp_path):
    rgbd(tmp_path, poses=False)
    for file in tmp_path.glob("depth_*"):
        file.unlink()
    (camera,) = open_cameras(tmp_path).cameras
    assert camera.camera_from_world is None and camera.depth == ""


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda root: (root / "depth_002.png").unlink(), InputError, "for every picture of colour, found none of frame 2"),
        (lambda root: save_picture(root / "color_009.png"), FormatError, "expected all frames that have a picture, found nothing of frame 9"),
        (lambda root: np.save(root / "camera_to_world.npy", np.zeros((3, 4, 4))), FormatError, r"expected 6 poses of 4×4 .* found shape \(3, 4, 4\)"),
        (lambda root: np.save(root / "camera_to_world.npy", np.zeros((6, 4, 4))), FormatError, "expected rigid motions"),
        (
            lambda root: (root / "camera_to_world.npy").write_bytes(b"x"),
            FormatError,
            "expected poses, found something that cannot be read as an array",
        ),
        (lambda root: rgbd(root, fx=0), FormatError, "with fx, fy above zero, found"),
        (lambda root: rgbd(root, fx="a"), FormatError, r"expected finite numbers \(one\) as fx, found 'a'"),
        (lambda root: rgbd(root, width=0), FormatError, "expected a whole number of at least 1 as width, found 0"),
        (lambda root: rgbd(root, timestamp=3), FormatError, "expected time stamps that ascend"),
        (lambda root: [file.unlink() for file in root.glob("color_*")], InputError, "expected pictures color_000.png and so on, found none"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, change, error, message):
    rgbd(tmp_path)
    change(tmp_path)
    with pytest.raises(error, match=message):
        open_cameras(tmp_path)


def test_one_frame_without_its_numbers_is_said(tmp_path):
    frames = rgbd(tmp_path)
    del frames[2]["width"]
    write(tmp_path / "cameras.json", {"frames": frames})
    with pytest.raises(FormatError, match="expected fx, fy, cx, cy, width and height, found no width, of frame 2"):
        open_cameras(tmp_path)


def test_real_depth_lies_on_the_head_that_was_fused_from_it(tmp_path):
    """Within 2 mm at the median: TrueDepth's noise at arm's length and the cloud's spacing, about a millimetre each."""
    data = real_recordings()
    if data is None or not (data / "sven_rgbd").is_dir():
        pytest.skip("the real RGB-D recording (sven_rgbd) is not here")
    files = open_cameras(data / "sven_rgbd")
    (camera,) = files.cameras
    assert len(camera.pictures) == len(camera.camera_from_world) == 45 and camera.time_s[-1] == pytest.approx(3, abs=1)
    text = (data / "sven_rgbd" / "fused_expected.ply").read_text().split("end_header\n")[1]
    fused = np.array([line.split()[:3] for line in text.splitlines() if line], float)
    tree = cKDTree(fused)
    source = CameraSource(camera_path(data / "sven_rgbd" / "cameras.json", "camera"), files)
    known = camera.calibration(source.size)
    for frame in (0, 9, 20, 31, 44):
        depth = source.depth(frame)
        y, x = np.nonzero((depth > 0) & (depth < 0.5))
        ray = (np.stack([x, y], 1) + 0.5 - known.center_px) / known.focal_px
        inside = np.concatenate([ray, np.ones((len(ray), 1))], 1)[::7] * depth[y, x][::7, None]
        pose = camera.camera_from_world[frame]
        distance = tree.query((inside - pose[:3, 3]) @ pose[:3, :3])[0]
        assert np.median(distance) < 0.002, f"frame {frame}"


def test_a_cameras_json_of_others_is_left_alone(tmp_path):
    (tmp_path / "cameras.json").write_text(json.dumps([{"id": 3}]))
    assert open_cameras(tmp_path) is None
