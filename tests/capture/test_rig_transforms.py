"""transforms.json in its dialects, and which picture is whose."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig_layouts import OPENGL, intrinsics, projected, random_poses, save_grey, save_picture, seen, write

from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.rigs import open_cameras
from headcast.cli.main import main
from headcast.errors import FormatError, InputError


def lens(seed: int, size=(24, 32)) -> dict:
    matrix = intrinsics(seed, size)
    return {"fl_x": matrix[0, 0], "fl_y": matrix[1, 1], "cx": matrix[0, 2], "cy": matrix[1, 2], "h": size[0], "w": size[1]}


def to_world(pose: np.ndarray, axes=OPENGL) -> list:
    """Camera to world of a world-to-camera matrix, the camera's axes turned."""
    return (np.linalg.inv(pose) @ axes).tolist()


def nerf(root, names, seed=0, axes=OPENGL, top=None, each=lambda k: {}):
    poses = random_poses(seed, len(names))
    for name in names:
        save_picture(root / name)
    frames = [
        {"file_path": name, "transform_matrix": to_world(pose, axes), **each(k)} for k, (name, pose) in enumerate(zip(names, poses, strict=True))
    ]
    write(root / "transforms.json", {**(lens(seed) if top is None else top), "frames": frames})
    return poses


def heads(root, cameras=("222", "333"), moments=(0, 1), seed=0, mask=True):
    """As VHAP writes it."""
    poses = random_poses(seed, len(cameras))
    frames = []
    for t in moments:
        for c, camera in enumerate(cameras):
            name = f"{t:05d}_{c:02d}.png"
            save_picture(root / "images" / name, 10 * t + c)
            save_grey(root / "fg_masks" / name, np.full((24, 32), 100 + 10 * t + c, np.uint8))
            frames.append(
                {"timestep_index": t, "timestep_id": f"{t:05d}", "camera_index": c, "camera_id": camera, **lens(seed + c),
                 "file_path": f"images/{name}",
                 "transform_matrix": to_world(poses[c]), **({"fg_mask_path": f"fg_masks/{name}"} if mask else {})}
            )  # fmt: skip
    write(root / "transforms.json", {**lens(seed), "timestep_indices": list(moments), "frames": frames})
    return poses, frames


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["nerf", "insta", "heads"]))
def test_cameras_see_what_the_file_says(seed, kind, tmp_path_factory):
    root = tmp_path_factory.mktemp("transforms")
    if kind == "heads":
        poses, _ = heads(root, seed=seed)
        files = open_cameras(root)
        for c, camera in enumerate(files.cameras):
            assert len(camera.camera_from_world) == 1 and seen(camera) == pytest.approx(projected(poses[c], intrinsics(seed + c)), abs=1e-6)
        assert files.unit_m == 1.0 and [camera.name for camera in files.cameras] == ["222", "333"]
        return
    insta = {**lens(seed), "x_fov": 40, "integer_depth_scale": 0.001} if kind == "insta" else None
    names = ["images/1.png", "images/2.png", "images/10.png"]
    poses = nerf(root, names, seed, np.eye(4) if kind == "insta" else OPENGL, insta)
    files = open_cameras(root / "transforms.json")
    (camera,) = files.cameras
    assert files.unit_m == (1.0 if kind == "insta" else None) and camera.pictures == tuple(names)
    for frame, pose in enumerate(poses):
        assert seen(camera, frame) == pytest.approx(projected(pose, intrinsics(seed)), abs=1e-6)


def test_mattes_and_moments_of_heads_belong_to_their_pictures(tmp_path):
    heads(tmp_path)
    files = open_cameras(tmp_path)
    source = CameraSource(camera_path(tmp_path / "x.json", "333"), files)
    assert [(frame.image[0, 0, 0], frame.alpha[0, 0]) for frame in source.frames()] == [(1, 101), (11, 111)]


def test_a_run_exported_for_nerf_is_read_back(portrait_run, tmp_path):
    assert main(["export", str(portrait_run.paths.root), "--to", "nerf", "--out", str(tmp_path / "nerf"), "--nerf.no-cut-neck"]) == 0
    files = open_cameras(tmp_path / "nerf")
    (camera,) = files.cameras
    track = portrait_run.track
    assert len(camera.pictures) == int(track.valid.sum()) == len(camera.alpha) and files.unit_m == 1.0
    assert camera.focal_px == pytest.approx(track.cameras[0].focal_px.numpy(), rel=1e-6)
    assert camera.camera_from_world[0, :3, :3] == pytest.approx(track.cameras[0].camera_from_world.rotation.numpy(), abs=1e-6)


def test_folders_are_cameras(tmp_path):
    nerf(tmp_path, ["rig/left/frame_1.png", "rig/right/frame_1.png", "rig/left/frame_2.png", "rig/right/frame_2.png"])
    files = open_cameras(tmp_path)
    assert [(camera.name, len(camera.pictures)) for camera in files.cameras] == [("left", 2), ("right", 2)]


def test_a_lens_for_each_picture_is_a_moment_of_several_cameras(tmp_path):
    nerf(tmp_path, ["a.png", "b.png"], top={}, each=lens)
    assert [camera.name for camera in open_cameras(tmp_path).cameras] == ["a", "b"]
    nerf(tmp_path, ["a.png", "b.png", "c.png"], top={}, each=lambda k: lens(min(k, 1)))
    with pytest.raises(InputError, match="--pictures-are frames"):
        open_cameras(tmp_path)
    assert len(open_cameras(tmp_path, "cameras").cameras) == 3


def test_suffixes_and_numbers_that_nerf_leaves_away(tmp_path):
    save_picture(tmp_path / "train/r_0.png")
    write(
        tmp_path / "transforms_train.json", {"camera_angle_x": 0.7, "frames": [{"file_path": "./train/r_0", "transform_matrix": np.eye(4).tolist()}]}
    )
    with pytest.raises(InputError, match=r"expected transforms.json, found only parts of a data set. Name one of them: .*transforms_train.json"):
        open_cameras(tmp_path)
    (camera,) = open_cameras(tmp_path / "transforms_train.json").cameras
    assert camera.pictures == ("./train/r_0.png",) and camera.size == (24, 32)
    assert camera.focal_px == pytest.approx(16 / math.tan(0.35)) and camera.center_px.tolist() == [16, 12]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4}, ("opencv", (0.1, 0.2, 0.3, 0.4))),
        ({"camera_model": "OPENCV", "k1": 0.1, "k2": 0.2, "k3": 0.3}, ("opencv", (0.1, 0.2, 0, 0, 0.3))),
        ({"camera_model": "OPENCV_FISHEYE", "k1": 0.1, "k2": 0.2, "k3": 0.3, "k4": 0.4}, ("fisheye", (0.1, 0.2, 0.3, 0.4))),
        ({"is_fisheye": True, "k1": 0.1}, ("fisheye", (0.1, 0, 0, 0))),
        ({"camera_model": "PINHOLE", "k1": 0}, ("opencv", ())),
    ],
)
def test_lenses(tmp_path, said, expected):
    nerf(tmp_path, ["a.png"], top={**lens(0), **said})
    (camera,) = open_cameras(tmp_path).cameras
    assert (camera.lens, camera.distortion) == expected


def test_depth_of_nerfstudio_is_in_metres(tmp_path):
    save_grey(tmp_path / "depth/1.png", np.full((24, 32), 900, np.uint16))
    nerf(tmp_path, ["1.png"], top={**lens(0), "depth_unit_scale_factor": 0.002}, each=lambda k: {"depth_file_path": "depth/1.png"})
    files = open_cameras(tmp_path)
    assert files.unit_m == 1.0 and CameraSource(camera_path(tmp_path / "x.json", "camera"), files).depth(0)[3, 3] == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("top", "each", "error", "message"),
    [
        ({}, {}, FormatError, r"expected fl_x or camera_angle_x, found \['file_path', 'transform_matrix'\]"),
        ({"fl_x": 0}, {}, FormatError, "expected fl_x above zero, found 0"),
        ({"fl_x": 9, "w": 3.5, "h": 2}, {}, FormatError, "expected a whole number of at least 1 as w, found 3.5"),
        ({"fl_x": 9, "cx": "x"}, {}, FormatError, r"expected finite numbers \(one\) as cx, found 'x'"),
        ({"fl_x": 9, "camera_model": "EQUIRECTANGULAR"}, {}, FormatError, "expected one of the camera models .* found 'EQUIRECTANGULAR'"),
        ({"fl_x": 9, "k4": 0.1}, {}, FormatError, "expected radial terms up to k3, found k4 = 0.1"),
        ({"fl_x": 9, "p1": 0.1, "is_fisheye": True}, {}, FormatError, "expected no p1, p2 of a fisheye lens"),
        ({"fl_x": 9}, {"transform_matrix": [[1]]}, FormatError, r"expected finite numbers \(4 × 4\) as transform_matrix"),
        ({"fl_x": 9}, {"transform_matrix": np.zeros((4, 4)).tolist()}, FormatError, "expected rigid motions"),
        ({"fl_x": 9}, {"file_path": 3}, FormatError, "expected file_path of every frame, found 3"),
        ({"fl_x": 9}, {"file_path": "b.png"}, InputError, "expected a picture, found nothing at .*b.png, which .*transforms.json names"),
        ({"fl_x": 9}, {"depth_file_path": "d.png"}, InputError, "expected depth_file_path of all frames or of none, found nothing at d.png"),
        ({"fl_x": 9, "depth_unit_scale_factor": 0}, {}, FormatError, "expected depth_unit_scale_factor above zero, found 0"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, top, each, error, message):
    nerf(tmp_path, ["a.png"], top=top, each=lambda k: each)
    with pytest.raises(error, match=message):
        open_cameras(tmp_path)


def test_moments_that_a_camera_lacks_or_has_twice_are_said(tmp_path):
    _, frames = heads(tmp_path, moments=(0, 1, 2))
    write(tmp_path / "transforms.json", {"frames": [frame for frame in frames if (frame["timestep_index"], frame["camera_index"]) != (1, 1)]})
    with pytest.raises(InputError, match=r"expected the 3 moments of the data set from all cameras, found no timestep 1 of camera 1 \(1 missing\)"):
        open_cameras(tmp_path)
    write(tmp_path / "transforms.json", {"frames": [*frames, frames[0]]})
    with pytest.raises(FormatError, match="found several of camera 0 at timestep 0"):
        open_cameras(tmp_path)
    write(tmp_path / "transforms.json", {"frames": [{**frame, "camera_id": "left"} for frame in frames]})
    with pytest.raises(InputError, match=r"expected every camera to have a name of its own, found \['left'\] more than once"):
        open_cameras(tmp_path)
    write(tmp_path / "transforms.json", {"frames": [{**frames[0], "camera_index": "a"}]})
    with pytest.raises(FormatError, match="expected a whole number of at least 0 as camera_index, found 'a'"):
        open_cameras(tmp_path)


def test_a_json_file_that_is_nothing_known_is_said(tmp_path):
    with pytest.raises(FormatError, match=r"expected one of: Headcast's camera file .* found a JSON file that is none of them: .*notes.json"):
        open_cameras(write(tmp_path / "notes.json", {"frames": 3}))
    write(tmp_path / "transforms.json", {"scale": {"w_in": 3}})
    assert open_cameras(tmp_path) is None and open_cameras(tmp_path / "nothing.mp4") is None
