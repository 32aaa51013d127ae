"""Cameras that move, and several of them, in the exports without pictures: each still sees the head where the track's cameras see it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tracks import small_track, with_moving_camera, with_rig
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.export import export_arrays, export_bvh, export_glb, export_track, export_usd, read_glb
from headcast.geometry import Camera, Transform, matrix_from_quaternion
from headcast.geometry.conventions import OPENGL_FROM_OPENCV
from headcast.heads import open_head
from headcast.heads.flame import load_flame
from headcast.solve.step import follow
from headcast.store.glb import Glb

CAMERA_ARRAYS = {"camera_names", "cameras_focal_px", "cameras_center_px", "cameras_image_size", "cameras_from_world"}


@pytest.fixture(scope="module")
def track():
    return with_rig(small_track(open_head(), 5), 3)


def arrays_of(track, folder):
    follow(export_arrays(track, open_head(), folder / "arrays.npz"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
        return dict(stored)


def test_numpy_alone_projects_to_the_pixels_of_every_camera(track, tmp_path):
    arrays = arrays_of(track, tmp_path)
    assert arrays["cameras_from_world"].shape == (3, 5, 4, 4) and arrays["cameras_focal_px"].shape == (3, 2)
    assert arrays["camera_names"].tolist() == list(track.camera_names) and arrays["camera_from_world"].shape == (4, 4)
    landmarks = track.landmarks(open_head())
    for camera in range(3):
        for frame in range(5):
            pose = arrays["cameras_from_world"][camera, frame]
            inside = arrays["landmarks_478"][frame] @ pose[:3, :3].T + pose[:3, 3]
            pixels = inside[:, :2] / inside[:, 2:] * arrays["cameras_focal_px"][camera] + arrays["cameras_center_px"][camera]
            np.testing.assert_allclose(pixels, track.camera_at(frame, camera).project(landmarks[frame]), atol=1e-3)
        assert tuple(arrays["cameras_image_size"][camera]) == track.cameras[camera].size


def test_the_arrays_of_all_cameras_are_there_only_where_one_camera_at_rest_is_not_all(tmp_path):
    still = small_track(open_head())
    assert not CAMERA_ARRAYS & set(arrays_of(still, tmp_path))
    moving = arrays_of(with_moving_camera(still), tmp_path)
    assert set(moving) >= CAMERA_ARRAYS and moving["cameras_from_world"].shape == (1, 5, 4, 4)


def test_a_rig_at_rest_has_a_pose_in_every_frame_too(track, tmp_path):
    still = replace(track, cameras=track.cameras[:2], camera_names=track.camera_names[:2])
    assert arrays_of(still, tmp_path)["cameras_from_world"].shape == (2, 5, 4, 4)


def poses_in_glb(glb: Glb) -> list[Transform]:
    """World from camera, OpenGL axes, in every frame, by the words of glTF."""
    scene, found = glb.scene, []
    animation = scene["animations"][0]
    moved = {
        (channel["target"]["node"], channel["target"]["path"]): glb.array(animation["samplers"][channel["sampler"]]["output"])
        for channel in animation["channels"]
    }
    for number, node in enumerate(scene["nodes"]):
        if "camera" not in node:
            continue
        assert node["camera"] == len(found) and number in scene["scenes"][0]["nodes"]
        if (number, "rotation") in moved:
            assert "matrix" not in node, "glTF forbids it where an animation places the node"
            turn = matrix_from_quaternion(torch.from_numpy(moved[number, "rotation"])[:, [3, 0, 1, 2]])
            found.append(Transform(turn, torch.from_numpy(moved[number, "translation"])))
        else:
            found.append(Transform.from_matrix(torch.tensor(node.get("matrix", np.eye(4).ravel().tolist())).reshape(4, 4).T.expand(5, 4, 4)))
    return found


def test_all_cameras_of_the_glb_stand_and_move_as_the_tracks(track, tmp_path):
    follow(export_glb(track, open_head(), tmp_path / "head.glb", None))
    glb = Glb.read(tmp_path / "head.glb")
    poses = poses_in_glb(glb)
    assert [node["name"] for node in glb.scene["nodes"] if "camera" in node] == list(track.camera_names) and len(poses) == 3
    for idx, pose in enumerate(poses):
        lens, (height, width) = glb.scene["cameras"][idx]["perspective"], track.cameras[idx].size
        focal = height / 2 / np.tan(lens["yfov"] / 2)
        for frame in range(5):
            own = track.camera_at(frame, idx)
            camera_from_world = (pose[frame] @ OPENGL_FROM_OPENCV).inverse()
            camera = Camera(torch.tensor([focal, focal], dtype=torch.float32), torch.tensor([width / 2, height / 2]), own.size, camera_from_world)
            points = track.landmarks(open_head(), frame)
            torch.testing.assert_close(camera.project(points) - camera.center_px, own.project(points) - own.center_px, atol=0.01, rtol=1e-4)
    assert len(read_glb(tmp_path / "head.glb").time_s) == 5, "the head is read as before"


def test_all_cameras_are_in_the_usd_file(track, tmp_path):
    pytest.importorskip("pxr", reason="usd-core is not installed")
    from pxr import Usd, UsdGeom

    follow(export_usd(track, open_head(), tmp_path / "head.usdz", None))
    stage = Usd.Stage.Open(str(tmp_path / "head.usdz"))
    for idx, place in enumerate(("/Camera", "/Camera_1", "/Camera_2")):
        lens = UsdGeom.Xformable(stage.GetPrimAtPath(place))
        times = lens.GetOrderedXformOps()[0].GetTimeSamples() or [0.0]
        assert len(times) == (5 if idx == 2 else 1)
        for frame, time in enumerate(times):
            matrix = np.array(lens.GetLocalTransformation(time)).T
            np.testing.assert_allclose(matrix[:3, 3], track.camera_at(frame, idx).camera_from_world.inverse().translation, atol=1e-5)


def test_bvh_has_no_cameras_and_stays_the_same(track, tmp_path):
    follow(export_bvh(track, open_head(), tmp_path / "rig.bvh"))
    follow(export_bvh(replace(track, cameras=track.cameras[:1], camera_names=("camera",)), open_head(), tmp_path / "one.bvh"))
    assert (tmp_path / "rig.bvh").read_bytes() == (tmp_path / "one.bvh").read_bytes()


@pytest.fixture(scope="module")
def flame(tmp_path_factory):
    path = tmp_path_factory.mktemp("flame") / "flame2020.pkl"
    write_flame_pickle(path, flame_arrays())
    return load_flame(path)


def test_video_head_trackers_file_says_that_it_holds_the_first_camera(flame, tmp_path):
    steps = []
    follow(export_track(with_rig(small_track(flame), 2), flame, "vht", tmp_path / "params.npz"), steps.append)
    assert steps[-1].message == "of 2 cameras only the first, 'view 0', is in the export"
