"""What is known of a camera follows the frames that are taken of its recording, and their crop."""

import numpy as np
import pytest
from PIL import Image
from portrait_clips import portrait

from headcast.capture import PrepareConfig
from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.cameras import KIND, SCHEMA
from headcast.errors import InputError
from headcast.solve.step import follow
from headcast.store import RunPaths, write_json
from headcast.track.recording import open_rig, perceive_steps

SIZE = (240, 400)
FRAMES = 5


def _depth(frame: int) -> np.ndarray:
    """Metres that say which frame, row and column they are of."""
    rows, columns = np.indices(SIZE)
    return (1 + frame + rows / 1024 + columns / 65536).astype(np.float32)


def _camera_file(folder, pose_count=FRAMES):
    """A camera whose pose in frame k is k metres along x, beside pictures and depth."""
    names = [f"{frame}.png" for frame in range(FRAMES)]
    for frame, name in enumerate(names):
        Image.fromarray(portrait(SIZE, shift_px=60.0 + frame)).save(folder / name)
        np.save(folder / f"{frame}.npy", _depth(frame))
    poses = np.tile(np.eye(4), (pose_count, 1, 1))
    poses[:, 0, 3] = np.arange(pose_count)
    camera = {"name": "front", "pictures": names, "focal_px": 400, "center_px": [203, 118], "camera_from_world": poses.tolist()}
    camera |= {"depth": [f"{frame}.npy" for frame in range(FRAMES)], "depth_unit_m": 1.0}
    write_json(folder / "cameras.json", {"kind": KIND, "schema": SCHEMA, "cameras": [camera]})
    return folder / "cameras.json"


@pytest.mark.parametrize(
    "config", [PrepareConfig(), PrepareConfig(every=2), PrepareConfig(crop=True), PrepareConfig(frames="1:", every=3, crop=True)]
)
def test_depth_poses_and_principal_point_are_those_of_the_captures_frames(tmp_path, config):
    paths = RunPaths(tmp_path / "run")
    perceived = follow(perceive_steps(_camera_file(tmp_path), paths, config))
    for rig in (perceived, open_rig(paths)):
        capture, known, depth = rig.main, rig.calibrations[0], rig.depth_of(0)
        taken = np.arange(FRAMES)[slice(1 if config.frames else 0, None, config.every)]
        left, top = capture.corner_px
        assert (capture.crop is not None) == config.crop == (left > 0)
        height, width = capture.size
        for frame_idx, frame in enumerate(taken):
            np.testing.assert_array_equal(depth(frame_idx), _depth(frame)[top : top + height, left : left + width])
        np.testing.assert_array_equal(known.camera_from_world.translation[:, 0], taken)
        np.testing.assert_array_equal(known.center_px, [203 - left, 118 - top])


def test_poses_that_are_not_one_for_each_frame_are_refused_before_anything_is_perceived(tmp_path):
    file = _camera_file(tmp_path, pose_count=4)
    with pytest.raises(InputError, match="one pose of camera 'front', or one for each of its 5 frames, found 4"):
        CameraSource(camera_path(file, "front"))
