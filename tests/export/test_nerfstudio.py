"""nerfstudio's data sets: a consumer for scenes at rest sees a head that stands still, where the pictures show it."""

import json

import cv2
import numpy as np
import pytest
import torch
import trimesh
from small_tracks import Chart, Recording, assert_seen_as_recorded, small_track, with_moving_camera

from headcast.errors import ConfigError
from headcast.export import NerfstudioConfig, export_nerfstudio, read_nerfstudio
from headcast.geometry import Transform
from headcast.heads import open_head
from headcast.solve.step import follow


def written(folder, track=None, recording=Recording, **settings):
    track = small_track(open_head()) if track is None else track
    follow(export_nerfstudio(track, open_head(), [recording(track)], folder, NerfstudioConfig(**settings)))
    return track, [frame for frame in range(track.frame_count) if track.valid[frame]]


def seen(table, frame, points):
    """Projects as nerfstudio documents it: camera to world, +X right, +Y up, looking along −Z, one lens for all frames."""
    world_from_camera = np.array(frame["transform_matrix"])
    inside = (points - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
    across, down = inside[:, 0] / -inside[:, 2], -inside[:, 1] / -inside[:, 2]
    return np.stack([table["fl_x"] * across + table["cx"], table["fl_y"] * down + table["cy"]], 1)


@pytest.mark.parametrize(
    ("scale", "fixed_to", "moving"), [(1.0, "head", False), (0.5, "head", False), (1.0, "room", False), (1.0, "head", True), (1.0, "room", True)]
)
def test_a_point_fixed_to_the_head_is_seen_where_the_recording_shows_it(tmp_path, scale, fixed_to, moving):
    track = small_track(open_head())
    track = with_moving_camera(track) if moving else track
    _, frames = written(tmp_path, track, recording=Chart, scale=scale, fixed_to=fixed_to, background="recording")
    table = json.loads((tmp_path / "transforms.json").read_text())
    head = track.head(open_head())
    skulls = head.skull(track.pose(torch.tensor(frames)))
    for index, (frame, entry) in enumerate(zip(frames, table["frames"], strict=True)):
        vertices = head.posed(track.pose(frame)).vertices
        world = skulls[index].inverse().points(vertices) if fixed_to == "head" else vertices
        picture = cv2.imread(str(tmp_path / entry["file_path"]))[..., ::-1]
        assert picture.shape == (table["h"], table["w"], 3)
        assert_seen_as_recorded(track.camera_at(frame), picture, seen(table, entry, world.double().numpy()), vertices)


def test_the_skull_stands_still_and_the_camera_moves(tmp_path):
    """Vertices that only the skull moves lie at one place in every frame; with the room fixed it is the camera that stays."""
    track, frames = written(tmp_path / "head")
    written(tmp_path / "room", track, fixed_to="room")
    head = track.head(open_head())
    cameras = [picture.camera for picture in read_nerfstudio(tmp_path / "head")]
    scalp = open_head().regions["scalp"]
    places = []
    for camera, frame in zip(cameras, frames, strict=True):
        in_camera = track.camera.camera_from_world.points(head.posed(track.pose(frame)).vertices[scalp])
        places.append(camera.camera_from_world.inverse().points(in_camera))
    spread = (torch.stack(places) - torch.stack(places).mean(0)).norm(dim=-1)
    assert float(spread.max()) < 0.004, "expressions move the scalp a little"
    stands = torch.stack([camera.camera_from_world.inverse().translation for camera in cameras])
    assert float((stands - stands[0]).norm(dim=-1).max()) > 0.3
    still = [picture.camera.camera_from_world.matrix() for picture in read_nerfstudio(tmp_path / "room")]
    assert all(torch.allclose(matrix, still[0], atol=1e-6) for matrix in still)


def test_what_nerfstudio_asks_for_is_there(tmp_path):
    _, frames = written(tmp_path, small_track(open_head(), frame_count=12), test_share=0.25)
    table = json.loads((tmp_path / "transforms.json").read_text())
    assert table["camera_model"] == "OPENCV" and [table[name] for name in ("k1", "k2", "p1", "p2")] == [0, 0, 0, 0]
    names = {entry["file_path"] for entry in table["frames"]}
    train, held = set(table["train_filenames"]), set(table["test_filenames"])
    assert train | held == names and not train & held and table["val_filenames"] == table["test_filenames"]
    assert len(held) == int(0.25 * len(frames)) and table["train_filenames"][0] == table["frames"][0]["file_path"]
    times = [entry["time"] for entry in table["frames"]]
    assert times[0] == 0 and times[-1] == 1 and times == sorted(times)
    cloud = trimesh.load(tmp_path / table["ply_file_path"])
    assert len(cloud.vertices) == len(open_head().template) and cloud.colors.shape[1] in (3, 4)
    for entry in table["frames"]:
        mask = cv2.imread(str(tmp_path / entry["mask_path"]), cv2.IMREAD_UNCHANGED)
        assert mask.shape == (table["h"], table["w"]) and set(np.unique(mask)) <= {0, 255} and mask.any()


def test_points_lie_on_the_head_in_every_picture(tmp_path):
    track, frames = written(tmp_path)
    cloud = torch.from_numpy(np.array(trimesh.load(tmp_path / "points.ply").vertices, np.float32))
    head = track.head(open_head())
    for picture, frame in zip(read_nerfstudio(tmp_path), frames, strict=True):
        away = picture.camera.project(cloud) - track.camera.project(head.posed(track.pose(frame)).vertices)
        # Expressions and eyes move about their mean; the head is about 60 px wide here.
        assert float(away.norm(dim=-1).median()) < 1.0


def test_reading_undoes_writing(tmp_path):
    track, frames = written(tmp_path)
    pictures = read_nerfstudio(tmp_path)
    skulls = track.head(open_head()).skull(track.pose(torch.tensor(frames)))
    for index, picture in enumerate(pictures):
        torch.testing.assert_close(picture.camera.focal_px, track.camera.focal_px)
        torch.testing.assert_close(picture.camera.center_px, track.camera.center_px)
        expected: Transform = track.camera.camera_from_world @ skulls[index]
        torch.testing.assert_close(picture.camera.camera_from_world.matrix(), expected.matrix(), atol=1e-5, rtol=1e-5)
        assert picture.timestep == index and picture.mask.is_file()


def test_a_share_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(ConfigError, match="test_share must be at least 0 and below 1"):
        NerfstudioConfig(test_share=1.0)
