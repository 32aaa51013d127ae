"""What is known of a camera follows the frames that are taken of its recording, and their crop."""

import numpy as np
import pytest
from PIL import Image
from portrait_clips import portrait

from headcast.capture import PrepareConfig
from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.cameras import KIND, SCHEMA
from headcast.capture.rigs import RigChoice
from headcast.cli.main import main
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


def _two_cameras(folder):
    """Two cameras before the same face, five moments each."""
    cameras = []
    for name, shift in (("left", 0.0), ("right", 20.0)):
        names = [f"{name}_{frame}.png" for frame in range(FRAMES)]
        for frame, file in enumerate(names):
            Image.fromarray(portrait(SIZE, shift_px=60.0 + shift + frame)).save(folder / file)
        cameras.append({"name": name, "pictures": names})
    write_json(folder / "cameras.json", {"kind": KIND, "schema": SCHEMA, "cameras": cameras})
    return folder / "cameras.json"


@pytest.mark.parametrize(
    ("choice", "names", "frames"),
    [
        (RigChoice(cameras=("right",)), ("right",), [0, 1, 2, 3, 4]),
        (RigChoice(subset="ti1tj3_ci0"), ("left",), [1, 2, 3]),
        (RigChoice(subset="ts2"), ("left", "right"), [0, 2, 4]),
    ],
)
def test_chosen_cameras_and_frames_are_perceived_and_found_again(tmp_path, choice, names, frames):
    paths = RunPaths(tmp_path / "run")
    source = _two_cameras(tmp_path)
    perceived = follow(perceive_steps(source, paths, PrepareConfig(), choice))
    for rig in (perceived, open_rig(paths)):
        assert tuple(one.name for one in rig.calibrations) == names
        assert all(capture.frame_count == len(frames) and bool(capture.found.all()) for capture in rig.captures)
        np.testing.assert_allclose(rig.main.time_s, np.array(frames) / 25)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cameras", "middle"], "expected one of the cameras 'left', 'right', found 'middle'"),
        (["--division", "train"], "expected NeRSemble's 16 cameras, which divisions are of, found 2"),
        (["--subset", "ti9"], "expected frames from 0 to 4, found 9 to 9"),
        (["--subset", "every2"], "expected a subset of ti, tj, tn, ts, ci, cn, cs"),
    ],
)
def test_a_choice_of_what_is_not_there_is_refused_before_anything_is_written(tmp_path, options, words, capsys):
    source = _two_cameras(tmp_path)
    assert main(["track", str(source), "--out", str(tmp_path / "run"), *options]) == 2
    assert words in " ".join(capsys.readouterr().err.replace("│", "").split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", [("--cameras", "left"), ("--division", "val"), ("--subset", "ts2"), ("--pictures-are", "frames")])
def test_of_a_plain_recording_there_are_no_cameras_to_choose(tmp_path, option, capsys):
    Image.fromarray(portrait(SIZE)).save(tmp_path / "photo.png")
    assert main(["track", str(tmp_path / "photo.png"), "--out", str(tmp_path / "run"), *option]) == 2
    said = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert "choose from recordings of known cameras" in said and "photo.png" in said and not (tmp_path / "run").exists()
