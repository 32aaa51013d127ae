"""FlashAvatar's data sets: read as that program reads them, FLAME without a neck's turn lies where the picture shows the face."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from small_tracks import Chart, assert_seen_as_recorded, small_track
from synthetic_models import flame_arrays, flame_vertices, write_flame_pickle

from headcast.errors import ConfigError, FormatError, InputError
from headcast.export import FlashavatarConfig, export_flashavatar, export_track, read_tracker_frame
from headcast.geometry import matrix_from_axis_angle
from headcast.heads import open_head
from headcast.heads.flame import load_flame, load_flame_root
from headcast.solve.step import follow

FRAMES = (0, 1, 3)


@pytest.fixture(scope="module")
def flame(tmp_path_factory):
    path = tmp_path_factory.mktemp("flame") / "flame2020.pkl"
    arrays = flame_arrays()
    arrays["posedirs"][..., :9] = 0  # of the neck: that program has none
    write_flame_pickle(path, arrays)
    return arrays, load_flame(path), load_flame_root(path)


@pytest.fixture(scope="module")
def track(flame):
    return replace(small_track(flame[1], frame_count=4, invalid=(2,)), joint_names=flame[1].joint_names)


@pytest.fixture(scope="module")
def written(flame, track, tmp_path_factory):
    folder, steps = tmp_path_factory.mktemp("flash"), []
    config = FlashavatarConfig(cut_neck=False, name="anna")
    follow(export_flashavatar(track, flame[1], Chart(track), flame[2], folder, config), steps.append)
    return folder, steps


def rotation_from_rows(rows):
    """As PyTorch3D makes a rotation of six numbers: two rows, orthonormalised, and their cross product."""
    first, second = np.asarray(rows).reshape(2, 3)
    first = first / np.linalg.norm(first)
    second = second - (first @ second) * first
    second = second / np.linalg.norm(second)
    return Rotation.from_matrix(np.stack([first, second, np.cross(first, second)])).as_rotvec()


def test_flash_avatar_sees_the_face_where_the_picture_shows_it(flame, track, written):
    """It knows the field of view, not the principal point, and counts pictures from one, frames from zero."""
    arrays, model, _ = flame
    # Only what hangs wholly on the neck: the neck itself stays straight there.
    held = model.skinning_weights.sum(1).numpy() > 0.9999
    assert held.sum() > 100
    for number, frame in enumerate(FRAMES):
        payload = torch.load(written[0] / "metrical-tracker/output/anna/checkpoint" / f"{number:05d}.frame", weights_only=True)
        numbers, opencv = payload["flame"], payload["opencv"]
        assert {name: tuple(value.shape) for name, value in numbers.items() if name not in ("tex", "sh")} == {
            "exp": (1, 100), "shape": (1, 300), "eyes": (1, 12), "eyelids": (1, 2), "jaw": (1, 6)
        }  # fmt: skip
        height, width = payload["img_size"]
        fov_x, fov_y = (2 * np.arctan(size / (2 * focal)) for size, focal in ((width, opencv["K"][0][0, 0]), (height, opencv["K"][0][1, 1])))
        eyes = numbers["eyes"][0].numpy().reshape(2, 6)
        pose = np.stack([np.zeros(3), np.zeros(3), rotation_from_rows(numbers["jaw"][0]), *map(rotation_from_rows, eyes)])
        points = flame_vertices(arrays, np.concatenate([numbers["shape"][0], numbers["exp"][0]]), pose, np.zeros(3))
        inside = points @ opencv["R"][0].double().numpy().T + opencv["t"][0].double().numpy()
        focal = np.array([width / 2 / np.tan(fov_x / 2), height / 2 / np.tan(fov_y / 2)])
        pixels = inside[:, :2] / inside[:, 2:] * focal + [width / 2, height / 2]
        picture = cv2.imread(str(written[0] / "dataset/anna/imgs" / f"{number + 1:05d}.jpg"))[..., ::-1]
        assert picture.shape == (512, 512, 3)
        assert_seen_as_recorded(track.camera_at(frame), picture, pixels[held], track.head(model).posed(track.pose(frame)).vertices[held])


def test_every_picture_has_its_masks(written):
    data = written[0] / "dataset" / "anna"
    for number in (1, 2, 3):
        alpha = cv2.imread(str(data / "alpha" / f"{number:05d}.jpg"), cv2.IMREAD_UNCHANGED)
        head, mouth = (cv2.imread(str(data / "parsing" / f"{number:05d}_{part}.png"), cv2.IMREAD_UNCHANGED) for part in ("neckhead", "mouth"))
        assert alpha.shape == head.shape == mouth.shape == (512, 512)
        assert set(np.unique(head)) == {0, 255} and set(np.unique(mouth)) <= {0, 255}
        assert ((head > 0) <= (alpha > 100)).mean() > 0.99


def test_reading_undoes_writing(flame, track, written):
    for number, frame in enumerate(FRAMES):
        found = read_tracker_frame(written[0] / "metrical-tracker/output/anna/checkpoint" / f"{number:05d}.frame")
        torch.testing.assert_close(found.shape, track.identity)
        torch.testing.assert_close(found.expression, track.expression[frame])
        joints = matrix_from_axis_angle(track.joint_rotations[frame])
        torch.testing.assert_close(found.jaw, joints[1], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(found.eyes, joints[2:4], atol=1e-6, rtol=1e-5)
        expected = track.camera.camera_from_world @ track.head(flame[1]).skull(track.pose(frame))
        torch.testing.assert_close(found.camera.camera_from_world.rotation, expected.rotation, atol=1e-6, rtol=1e-5)
        assert found.camera.size == (512, 512) and found.camera.center_px.tolist() == [256, 256]


def test_a_short_clip_is_told_what_flash_avatar_needs(written):
    assert "lower test_num" in written[1][-1].message


@pytest.mark.parametrize("content", [b"", b"no frame", "array"])
def test_what_is_no_frame_is_refused(tmp_path, content):
    path = tmp_path / "00000.frame"
    if content == "array":
        torch.save({"flame": np.zeros(3)}, path)  # would need pickle to run something
    else:
        path.write_bytes(content)
    with pytest.raises(FormatError, match="expected tensors of flame and opencv"):
        read_tracker_frame(path)
    with pytest.raises(InputError, match="found none"):
        read_tracker_frame(tmp_path / "gone.frame")


def test_a_track_of_another_model_is_refused_before_anything_is_written(tmp_path):
    track = small_track(open_head())
    with pytest.raises(InputError, match="holds parameters of the FLAME model"):
        follow(export_track(track, open_head(), "flashavatar", tmp_path / "set", captures=[Chart(track)]))
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(ConfigError, match="name must be the name of a folder"):
        FlashavatarConfig(name=name)
