"""COLMAP's models, written here as its documentation describes them."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig_layouts import POINTS, projected, random_poses, save_picture, seen
from scipy.spatial.transform import Rotation

from headcast.capture.rigs import open_cameras
from headcast.capture.rigs.lens import COLMAP_MODELS
from headcast.errors import FormatError, InputError

NUMBERS = {name: number for name, (number, _) in COLMAP_MODELS.items()} | {"FOV": 7, "THIN_PRISM_FISHEYE": 10}
PINHOLE = ("PINHOLE", [30.0, 31.0, 16.5, 11.5])


def write_model(folder, cameras, pictures, binary, size=(24, 32)):
    """`cameras`: number → (model, parameters); `pictures`: name → (camera number, pose)."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = size
    rows = {}
    for name, (camera, pose) in pictures.items():
        x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
        rows[name] = (camera, [w, x, y, z, *pose[:3, 3]])
    if not binary:
        lines = [f"{number} {model} {width} {height} {' '.join(map(repr, values))}" for number, (model, values) in cameras.items()]
        (folder / "cameras.txt").write_text("# Camera list\n" + "\n".join(lines) + "\n")
        lines = [
            f"{k + 1} {' '.join(map(repr, row))} {camera} {name}\n{'1.5 2.5 -1' if k % 2 else ''}"
            for k, (name, (camera, row)) in enumerate(rows.items())
        ]
        (folder / "images.txt").write_text("# Image list\n# two lines each\n" + "\n".join(lines) + "\n")
        return
    data = struct.pack("<Q", len(cameras))
    for number, (model, values) in cameras.items():
        data += struct.pack(f"<iiQQ{len(values)}d", number, NUMBERS[model], width, height, *values)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(rows))
    for k, (name, (camera, row)) in enumerate(rows.items()):
        data += struct.pack("<I7dI", k + 1, *row, camera) + name.encode() + b"\0" + struct.pack("<Q", k) + struct.pack("<ddq", 1.5, 2.5, -1) * k
    (folder / "images.bin").write_bytes(data)


def project(root, names, cameras, camera_of, binary=False, seed=0):
    """A project with pictures and poses."""
    poses = dict(zip(names, random_poses(seed, len(names)), strict=True))
    for name in names:
        save_picture(root / "images" / name)
    write_model(root / "sparse/0", cameras, {name: (camera_of(name), pose) for name, pose in poses.items()}, binary)
    return poses


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), binary=st.booleans())
def test_cameras_see_what_the_model_says(seed, binary, tmp_path_factory):
    root = tmp_path_factory.mktemp("colmap")
    names = ["left.png", "middle right.png", "top.png"]
    cameras = {3: PINHOLE, 1: ("SIMPLE_PINHOLE", [28.0, 15.0, 12.0]), 7: PINHOLE}
    poses = project(root, names, cameras, dict(zip(names, (3, 1, 7), strict=True)).get, binary, seed)
    files = open_cameras(root)
    assert [camera.name for camera in files.cameras] == ["left", "middle right", "top"] and files.unit_m is None
    matrices = {"left": [30, 31, 16.5, 11.5], "middle right": [28, 28, 15, 12], "top": [30, 31, 16.5, 11.5]}
    for camera in files.cameras:
        fx, fy, cx, cy = matrices[camera.name]
        expected = projected(poses[camera.pictures[0]], np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))
        assert seen(camera) == pytest.approx(expected, abs=1e-6) and camera.size == (24, 32)
        assert (files.folder / camera.pictures[0]).is_file()


MODELS = {
    "SIMPLE_RADIAL": ([30.0, 16.0, 12.0, 0.1], lambda x, y, r2: (1 + 0.1 * r2, 0, 0)),
    "RADIAL": ([30.0, 16.0, 12.0, 0.1, 0.02], lambda x, y, r2: (1 + 0.1 * r2 + 0.02 * r2**2, 0, 0)),
    "OPENCV": ([30.0, 31.0, 16.0, 12.0, 0.1, 0.02, 0.01, 0.02],
               lambda x, y, r2: (1 + 0.1 * r2 + 0.02 * r2**2, 0.02 * x * y + 0.02 * (r2 + 2 * x * x), 0.01 * (r2 + 2 * y * y) + 0.04 * x * y)),
    "FULL_OPENCV": ([30.0, 31.0, 16.0, 12.0, 0.1, 0.02, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06],
                    lambda x, y, r2: ((1 + 0.1 * r2 + 0.02 * r2**2 + 0.03 * r2**3) / (1 + 0.04 * r2 + 0.05 * r2**2 + 0.06 * r2**3),
                                      0.02 * x * y + 0.02 * (r2 + 2 * x * x), 0.01 * (r2 + 2 * y * y) + 0.04 * x * y)),
}  # fmt: skip
FISHEYES = {
    "OPENCV_FISHEYE": ([30.0, 31.0, 16.0, 12.0, 0.1, 0.02, 0.03, 0.04], (0.1, 0.02, 0.03, 0.04)),
    "RADIAL_FISHEYE": ([30.0, 16.0, 12.0, 0.1, 0.02], (0.1, 0.02, 0, 0)),
    "SIMPLE_RADIAL_FISHEYE": ([30.0, 16.0, 12.0, 0.1], (0.1, 0, 0, 0)),
}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("model", [*MODELS, *FISHEYES])
def test_lenses_distort_as_colmap_documents(tmp_path, model, binary):
    values = MODELS[model][0] if model in MODELS else FISHEYES[model][0]
    project(tmp_path, ["a.png"], {1: (model, values)}, lambda _: 1, binary)
    camera = open_cameras(tmp_path).cameras[0]
    matrix = np.array([[camera.focal_px[0], 0, camera.center_px[0]], [0, camera.focal_px[1], camera.center_px[1]], [0, 0, 1]])
    x, y = (POINTS[:, :2] * 4).T
    r2 = x * x + y * y
    if model in MODELS:
        radial, dx, dy = MODELS[model][1](x, y, r2)
        ours = cv2.projectPoints(np.stack([x, y, np.ones_like(x)], 1), np.zeros(3), np.zeros(3), matrix, np.array(camera.distortion))[0][:, 0]
        expected = np.stack([x * radial + dx, y * radial + dy, np.ones_like(x)], 1) @ matrix.T
    else:
        theta = np.arctan(np.sqrt(r2))
        scale = theta * (1 + sum(k * theta ** (2 * n + 2) for n, k in enumerate(FISHEYES[model][1]))) / np.sqrt(r2)
        assert camera.lens == "fisheye"
        ours = cv2.fisheye.distortPoints(np.stack([x, y], 1)[:, None], matrix, np.array(camera.distortion))[:, 0]
        expected = np.stack([x * scale, y * scale, np.ones_like(x)], 1) @ matrix.T
    assert ours == pytest.approx(expected[:, :2], abs=1e-9)


def test_folders_are_cameras_and_their_pictures_moments(tmp_path):
    names = [f"{camera}/{frame:06d}.png" for frame in (9, 10) for camera in ("cam0", "cam1")]
    poses = project(tmp_path, names, {1: PINHOLE}, lambda _: 1)
    files = open_cameras(tmp_path)
    assert {camera.name: camera.pictures for camera in files.cameras} == {f"cam{k}": (f"cam{k}/000009.png", f"cam{k}/000010.png") for k in (0, 1)}
    for frame in (0, 1):
        camera = files.camera("cam1")
        assert camera.camera_from_world[frame] == pytest.approx(poses[camera.pictures[frame]], abs=1e-9)


def test_folders_must_show_the_same_moments(tmp_path):
    project(tmp_path, ["a/1.png", "a/2.png", "b/2.png", "b/3.png"], {1: PINHOLE}, lambda _: 1)
    with pytest.raises(InputError, match=r"expected pictures of the same moments of each camera, found 'b/2.png' beside 'a/1.png'"):
        open_cameras(tmp_path)
    project(tmp_path, ["a/1.png", "a/2.png", "b/2.png"], {1: PINHOLE}, lambda _: 1)
    with pytest.raises(InputError, match=r"expected as many pictures of each camera \(each folder is one\), found a 2, b 1"):
        open_cameras(tmp_path)


def test_one_lens_for_all_is_one_camera_that_moves(tmp_path):
    names = [f"frame_{k}.png" for k in (1, 2, 10)]
    poses = project(tmp_path, names, {1: PINHOLE}, lambda _: 1)
    (camera,) = open_cameras(tmp_path).cameras
    assert camera.pictures == tuple(names) and camera.camera_from_world == pytest.approx(np.stack(list(poses.values())), abs=1e-9)
    assert len(open_cameras(tmp_path, "cameras").cameras) == 3


def test_a_lens_for_each_is_a_moment_of_several_cameras(tmp_path):
    names = ["a.png", "b.png"]
    project(tmp_path, names, {1: PINHOLE, 2: PINHOLE}, {"a.png": 1, "b.png": 2}.get)
    assert [camera.name for camera in open_cameras(tmp_path).cameras] == ["a", "b"]
    (camera,) = open_cameras(tmp_path, "frames").cameras
    assert camera.pictures == ("a.png", "b.png")


def test_in_between_must_be_said(tmp_path):
    names = ["a.png", "b.png", "c.png"]
    project(tmp_path, names, {1: PINHOLE, 2: PINHOLE}, {"a.png": 1, "b.png": 2, "c.png": 2}.get)
    with pytest.raises(InputError, match=r"found 2 for 3 pictures. Say which with headcast cameras --pictures-are frames \(or cameras\)"):
        open_cameras(tmp_path)
    assert len(open_cameras(tmp_path, "cameras").cameras) == 3 and len(open_cameras(tmp_path, "frames").cameras) == 1


def test_a_model_is_found_from_its_own_folder(tmp_path):
    project(tmp_path, ["a.png"], {1: PINHOLE}, lambda _: 1)
    assert open_cameras(tmp_path / "sparse/0").folder.resolve() == (tmp_path / "images").resolve()
    assert open_cameras(tmp_path / "sparse") is None


def test_a_lens_that_zooms_is_refused(tmp_path):
    names = ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]
    project(tmp_path, names, {1: PINHOLE, 2: ("PINHOLE", [33.0, 31.0, 16.5, 11.5])}, lambda name: 2 if name == "a/2.png" else 1)
    with pytest.raises(FormatError, match=r"expected one focal length in all frames, found 30.0 to 33.0 px, of camera 'a'"):
        open_cameras(tmp_path)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (
            ("FOV", [30.0, 30.0, 16.0, 12.0, 0.9]),
            r"expected one of the camera models SIMPLE_PINHOLE, .* found 'FOV', of camera 1 .*image_undistorter",
        ),
        (("THIN_PRISM_FISHEYE", [1.0] * 12), "found 'THIN_PRISM_FISHEYE'"),
        (("SIMPLE_PINHOLE", [0.0, 1.0, 1.0]), r"expected a focal length above zero, found \[0.0, 0.0\]"),
        (("PINHOLE", [float("nan"), 1.0, 1.0, 1.0]), "expected the 4 parameters fx fy cx cy of PINHOLE, found"),
    ],
)
def test_lenses_that_are_not_known_are_said(tmp_path, camera, message, binary):
    project(tmp_path, ["a.png"], {1: camera}, lambda _: 1, binary)
    with pytest.raises(FormatError, match=message):
        open_cameras(tmp_path)


def test_a_wrong_number_of_parameters_is_said(tmp_path):
    project(tmp_path, ["a.png"], {1: ("PINHOLE", [30.0, 16.0, 12.0])}, lambda _: 1)
    with pytest.raises(FormatError, match="expected the 4 parameters fx fy cx cy of PINHOLE, found"):
        open_cameras(tmp_path)


@settings(max_examples=30, deadline=None)
@given(cut=st.floats(0, 0.999), file=st.sampled_from(["cameras", "images"]), binary=st.booleans())
def test_files_that_were_cut_short_are_said_to_be(cut, file, binary, tmp_path_factory):
    root = tmp_path_factory.mktemp("colmap")
    project(root, ["a.png", "b.png"], {1: PINHOLE, 2: PINHOLE}, {"a.png": 1, "b.png": 2}.get, binary)
    path = root / "sparse/0" / f"{file}.{'bin' if binary else 'txt'}"
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    try:
        open_cameras(root)
    except (FormatError, InputError):
        return
    assert not binary  # a text may end after any whole line or digit


def test_missing_cameras_pictures_and_poses_are_said(tmp_path):
    project(tmp_path, ["a.png", "b.png"], {1: PINHOLE}, {"a.png": 1, "b.png": 5}.get)
    with pytest.raises(FormatError, match=r"expected the cameras of all pictures, found none with the numbers \[5\]"):
        open_cameras(tmp_path)
    project(tmp_path, ["a.png", "b.png"], {1: PINHOLE}, lambda _: 1)
    (tmp_path / "images/b.png").unlink()
    with pytest.raises(InputError, match=r"expected 2 pictures, found nothing at 1 of them, as .*b.png"):
        open_cameras(tmp_path)
    (tmp_path / "images/a.png").unlink()
    with pytest.raises(InputError, match=r"expected the pictures in a folder 'images' beside the model, found no 'a.png' in any of"):
        open_cameras(tmp_path)
    write_model(tmp_path / "sparse/0", {1: PINHOLE}, {}, False)
    with pytest.raises(InputError, match="expected a model with pictures, found none"):
        open_cameras(tmp_path)
    (tmp_path / "sparse/0/images.txt").write_text("1 0 0 0 0 0 0 0 1 a.png\n\n")
    with pytest.raises(FormatError, match=r"expected a unit quaternion and a translation, found \[0.0, .* of picture 'a.png'"):
        open_cameras(tmp_path)
