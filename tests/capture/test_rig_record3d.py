"""Record3D's recordings, zipped and not, and its export."""

import json
import zipfile

import numpy as np
import pytest
from rig_layouts import OPENGL, projected, random_poses, save_exr, save_picture, seen
from scipy.spatial.transform import Rotation

from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.rigs import open_cameras
from headcast.errors import FormatError, InputError, MissingExtraError

K = np.array([[30.0, 0, 12.5], [0, 31.0, 16.5], [0, 0, 1]])
SIZE = (32, 24)
DEPTH = (np.arange(48, dtype=np.float32).reshape(8, 6) + 30) / 100
CONFIDENCE = np.tile(np.array([0, 1, 2, 2, 2, 2], np.uint8), (8, 1))


def metadata(count=3, **changes) -> dict:
    rows = []
    for pose in random_poses(0, count):
        world_from_camera = np.linalg.inv(pose) @ OPENGL
        rows.append([*Rotation.from_matrix(world_from_camera[:3, :3]).as_quat(), *world_from_camera[:3, 3]])
    made = {
        "w": 24,
        "h": 32,
        "dw": 6,
        "dh": 8,
        "fps": 30,
        "K": K.T.ravel().tolist(),
        "poses": rows,
        "frameTimestamps": [5 + k / 20 for k in range(count)],
    }
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


def unzipped(root, count=3, confidence=True, packed=False, **changes):
    """Depth and confidence as they are, or packed, which the app always does."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "metadata").write_text(json.dumps(metadata(count, **changes)))
    (root / "icon").write_bytes(b"an icon")
    pack = pytest.importorskip("liblzfse", reason="the record3d extra is not installed").compress if packed else bytes
    for k in range(count):
        save_picture(root / f"rgbd/{k}.jpg", 20 * k, SIZE)
        depth = (DEPTH + k).copy()
        depth[0, 5] = np.nan
        (root / f"rgbd/{k}.depth").write_bytes(pack(depth.tobytes()))
        if confidence:
            (root / f"rgbd/{k}.conf").write_bytes(pack(CONFIDENCE.tobytes()))
    return root


def zipped(root, **changes):
    folder = unzipped(root / "inside", **changes)
    with zipfile.ZipFile(root / "talk.r3d", "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return root / "talk.r3d"


def exported(root, count=3, place="EXR_RGBD", **changes):
    folder = root / place
    (folder / "depth").mkdir(parents=True)
    (folder / "metadata.json").write_text(json.dumps(metadata(count, **changes)))
    for k in range(count):
        save_picture(folder / f"rgb/{k}.jpg", 20 * k, SIZE)
        save_exr(folder / f"depth/{k}.exr", DEPTH + k)
    return root


WAYS = {
    "zip": zipped,
    "packed zip": lambda root: zipped(root, packed=True),
    "folder": lambda root: unzipped(root / "talk"),
    "export": exported,
    "inner folder of an export": lambda root: exported(root, place=""),
}


@pytest.mark.parametrize("way", WAYS)
def test_pictures_depth_path_lens_and_times_are_read(way, tmp_path):
    files = open_cameras(WAYS[way](tmp_path))
    (camera,) = files.cameras
    assert files.unit_m == 1.0 and files.fps == 30.0 and camera.size == SIZE
    for frame, pose in enumerate(random_poses(0, 3)):
        assert seen(camera, frame) == pytest.approx(projected(pose, K), abs=1e-6)
    source = CameraSource(camera_path(tmp_path / "x.json", "phone"), files)
    assert [round(frame.time_s, 6) for frame in source.frames()] == [0, 0.05, 0.1] and source.size == SIZE
    assert [abs(int(frame.image[0, 0, 0]) - 20 * k) <= 2 for k, frame in enumerate(source.frames())] == [True] * 3
    small = source.depth(2)[2::4, 2::4]
    assert small[1:, 1:] == pytest.approx((DEPTH + 2)[1:, 1:], abs=6e-5)


@pytest.mark.parametrize("confidence", [True, False])
def test_depth_without_confidence_is_no_depth(tmp_path, confidence):
    files = open_cameras(zipped(tmp_path, confidence=confidence))
    depth = CameraSource(camera_path(tmp_path / "x.json", "phone"), files).depth(0)
    assert (depth[:, 0] > 0).all() != confidence and (depth[4:, 8:] > 0).all() and depth[0, -1] == 0


def test_a_recording_is_unpacked_once(tmp_path):
    path = zipped(tmp_path)
    open_cameras(path)
    picture = tmp_path / "talk_unpacked/rgb/0.jpg"
    before = picture.stat().st_mtime_ns
    open_cameras(path)
    assert picture.stat().st_mtime_ns == before
    (tmp_path / "talk_unpacked/about.json").unlink()
    open_cameras(path)
    assert picture.stat().st_mtime_ns > before


def test_files_of_others_are_not_overwritten(tmp_path):
    path = zipped(tmp_path)
    (tmp_path / "talk_unpacked").mkdir()
    (tmp_path / "talk_unpacked/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="expected to unpack the recording into a folder of its own, found other files there"):
        open_cameras(path)


def test_the_path_is_unknown_where_the_phone_did_not_follow_it(tmp_path):
    assert open_cameras(exported(tmp_path / "a", poses=None)).cameras[0].camera_from_world is None
    assert open_cameras(exported(tmp_path / "b", poses=[[0] * 7] * 3)).cameras[0].camera_from_world is None


def test_a_focus_that_breathes_gives_the_middle_lens(tmp_path):
    each = [[30.0, 31.0, 12.5, 16.5], [30.2, 31.2, 12.5, 16.5], [30.4, 31.4, 12.7, 16.5]]
    (camera,) = open_cameras(exported(tmp_path / "a", perFrameIntrinsicCoeffs=each)).cameras
    assert camera.focal_px.tolist() == [30.2, 31.2] and camera.center_px.tolist() == [12.5, 16.5]
    with pytest.raises(FormatError, match="expected one focal length in all frames, found"):
        open_cameras(exported(tmp_path / "b", perFrameIntrinsicCoeffs=[*each[:2], [36.0, 37.0, 12.5, 16.5]]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"K": None}, "expected K, w and h, found"),
        ({"K": [1, 2]}, r"expected finite numbers \(9\) as K, found \[1, 2\]"),
        ({"K": [0] * 9}, "expected intrinsics .* with fx, fy above zero"),
        ({"w": 0}, "expected a whole number of at least 1 as w, found 0"),
        ({"poses": [[0, 0, 0, 1, 0, 0, 0]]}, "expected poses of all frames up to 2, found 1"),
        ({"poses": [[0, 0, 0, 1]] * 3}, r"expected finite numbers \(any × 7\) as poses"),
        ({"frameTimestamps": [1, 0, 2]}, "expected ascending frameTimestamps up to frame 2, found"),
        ({"fps": 0}, "expected fps above zero, found 0"),
    ],
)
def test_what_is_wrong_with_the_metadata_is_said(tmp_path, changes, message):
    with pytest.raises(FormatError, match=message):
        open_cameras(exported(tmp_path, **changes))


def test_depth_of_a_wrong_size_or_packing_is_said(tmp_path):
    with pytest.raises(FormatError, match=r"expected 5×8 values of depth or confidence, found 192 bytes, in frame 0"):
        open_cameras(zipped(tmp_path, packed=True, dw=5))
    unzipped(tmp_path / "talk", packed=True)
    (tmp_path / "talk/rgbd/1.depth").write_bytes(b"nothing packed")
    with pytest.raises(FormatError, match=r"expected depth packed by LZFSE, found something else .* in frame 1"):
        open_cameras(tmp_path / "talk")


def test_a_recording_that_is_missing_or_broken_is_said(tmp_path):
    with pytest.raises(InputError, match=r"expected a recording of Record3D, found nothing at .*talk.r3d"):
        open_cameras(tmp_path / "talk.r3d")
    (tmp_path / "talk.r3d").write_bytes(b"half a zip")
    with pytest.raises(FormatError, match="found something that is no zip"):
        open_cameras(tmp_path / "talk.r3d")
    with zipfile.ZipFile(tmp_path / "talk.r3d", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    with pytest.raises(FormatError, match=r"expected metadata and rgbd, found \['notes.txt'\]"):
        open_cameras(tmp_path / "talk.r3d")


def test_pictures_without_depth_are_named(tmp_path):
    root = exported(tmp_path)
    (root / "EXR_RGBD/depth/1.exr").unlink()
    with pytest.raises(InputError, match="one of depth for every frame, found only one of frame 1"):
        open_cameras(root)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    import sys

    path = unzipped(tmp_path / "talk")
    (path / "rgbd/0.depth").write_bytes(b"packed")
    monkeypatch.setitem(sys.modules, "liblzfse", None)
    with pytest.raises(MissingExtraError, match=r"reading .r3d recordings needs the package 'pyliblzfse', .* pip install 'headcast\[record3d\]'"):
        open_cameras(path)
