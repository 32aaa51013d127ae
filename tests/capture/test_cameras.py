"""The camera file: what is written is read back, and what is wrong in it is said."""

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from headcast.capture.camera_entry import _KEYS as CAMERA_KEYS
from headcast.capture.cameras import _KEYS as FILE_KEYS
from headcast.capture.cameras import KIND, CameraFile, CameraFiles
from headcast.capture.color import TERMS, Color
from headcast.errors import ConfigError, FormatError, InputError

NUMBER = st.floats(-1e6, 1e6, allow_nan=False)
NAME = st.text(st.sampled_from("abcXYZ019 _-é"), min_size=1, max_size=8).filter(str.strip)


@st.composite
def poses(draw, count: int):
    turns = Rotation.from_rotvec(draw(st.lists(st.tuples(*[st.floats(-3, 3)] * 3), min_size=count, max_size=count))).as_matrix()
    motions = np.tile(np.eye(4), (count, 1, 1))
    motions[:, :3, :3], motions[:, :3, 3] = turns, draw(st.lists(st.lists(NUMBER, min_size=3, max_size=3), min_size=count, max_size=count))
    return motions


@st.composite
def cameras(draw, name: str):
    several = st.lists(NAME.map(lambda text: f"{text}.png"), min_size=1, max_size=4).map(tuple)
    focal = draw(st.none() | st.tuples(st.floats(1, 1e5), st.floats(1, 1e5)).map(np.array))
    lens = draw(st.sampled_from(["opencv", "fisheye"]))
    count = draw(st.sampled_from([4, 5, 8] if lens == "opencv" else [4]))
    distortion = () if focal is None else draw(st.just(()) | st.tuples(*[st.floats(-1, 1)] * count))
    terms = draw(st.sampled_from([None, *TERMS]))
    matrix = None if terms is None else np.array(draw(st.lists(NUMBER, min_size=3 * terms, max_size=3 * terms))).reshape(3, terms)
    frames = draw(st.just("") | st.sampled_from(["3:", ":10:2", "::3"]) | st.sets(st.integers(0, 99), min_size=1).map(lambda all: tuple(sorted(all))))
    return dict(
        name=name,
        pictures=draw(NAME | several),
        focal_px=focal,
        center_px=draw(st.none() | st.tuples(NUMBER, NUMBER).map(np.array)),
        size=draw(st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999))),
        distortion=distortion,
        lens=lens if distortion else "opencv",
        color=None if matrix is None else (matrix, draw(st.booleans())),
        camera_from_world=draw(st.none() | st.integers(1, 3).flatmap(poses)),
        depth=(depth := draw(st.just("") | NAME | several)),
        depth_unit_m=draw(st.floats(1e-6, 10)) if depth else 0.001,
        alpha=draw(st.just("") | NAME | several),
        frames=frames,
        time_s=draw(st.none() | st.sets(st.floats(0, 1e4), min_size=1).map(lambda all: np.array(sorted(all)))),
    )


def _same(a: CameraFile, b: CameraFile) -> bool:
    def value(one):
        return (one.matrix.tolist(), one.linear) if isinstance(one, Color) else one.tolist() if isinstance(one, np.ndarray) else one

    return all(value(getattr(a, field)) == value(getattr(b, field)) for field in CameraFile.__dataclass_fields__)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rig")
    listed = data.draw(st.lists(NAME, min_size=1, max_size=3, unique=True))
    unit_m, fps = data.draw(st.none() | st.floats(1e-6, 1e6)), data.draw(st.none() | st.floats(1, 240))
    fields = [data.draw(cameras(name)) for name in listed]
    made = tuple(CameraFile(**{**one, "color": one["color"] and Color(*one["color"])}) for one in fields)
    written = CameraFiles(folder, made, unit_m, fps)
    written.save(folder / "cameras.json")
    found = CameraFiles.load(folder / "cameras.json")
    assert (found.folder, found.unit_m, found.fps) == (folder, written.unit_m, written.fps)
    assert all(_same(a, b) for a, b in zip(found.cameras, written.cameras, strict=True))


def test_a_file_in_another_folder_names_its_pictures_wholly(tmp_path):
    (tmp_path / "rig").mkdir()
    files = CameraFiles(tmp_path / "rig", (CameraFile("left", ("a/1.png", "../2.png"), alpha="mattes", depth="d_*.png"),))
    files.save(tmp_path / "run" / "cameras.json")
    camera = CameraFiles.load(tmp_path / "run" / "cameras.json").camera("left")
    assert camera.pictures == (str(tmp_path / "rig/a/1.png"), str(tmp_path / "2.png"))
    assert (camera.alpha, camera.depth) == (str(tmp_path / "rig/mattes"), str(tmp_path / "rig/d_*.png"))


def _load(tmp_path, camera: dict | None = None, **changes) -> CameraFiles:
    found = {"kind": KIND, "schema": 1, "cameras": [{"name": "left", "pictures": "left.mp4", **(camera or {})}], **changes}
    (tmp_path / "cameras.json").write_text(json.dumps(found))
    return CameraFiles.load(tmp_path / "cameras.json")


def test_what_is_not_said_has_a_default(tmp_path):
    files = _load(tmp_path, camera={})
    assert (files.unit_m, files.fps) == (1.0, None)
    assert _same(files.cameras[0], CameraFile("left", "left.mp4"))
    assert _load(tmp_path, unit_m=None).unit_m is None
    assert _load(tmp_path, {"focal_px": 900}).cameras[0].focal_px.tolist() == [900, 900]
    assert _load(tmp_path, {"camera_from_world": np.eye(4).tolist()}).cameras[0].camera_from_world.shape == (1, 4, 4)
    assert _load(tmp_path, cameras=[{"pictures": "a"}, {"pictures": "b"}]).camera("camera_1").pictures == "b"


def test_numbers_are_scaled_to_the_pictures(tmp_path):
    camera = _load(tmp_path, {"focal_px": [1000, 1200], "center_px": [640, 360], "size": [720, 1280]}).cameras[0]
    known = camera.calibration((360, 640))
    assert known.focal_px.tolist() == [500, 600] and known.center_px.tolist() == [320, 180] and known.camera_from_world is None
    with pytest.raises(
        InputError, match="expected pictures with the proportions of 1280×720, which the numbers of camera 'left' are for, found 720×1280"
    ):
        camera.calibration((1280, 720))


MIRROR = np.diag([1.0, 1, -1, 1]).tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "recipe"}, 'expected a camera file with "kind": "headcast cameras", found '),
        ({"schema": 2}, "expected schema 1 of camera files, found 2; a newer Headcast may read it"),
        ({"unit": 1}, "found 'unit', in the camera file"),
        ({"cameras": []}, r"expected a list of cameras, found \[\]"),
        ({"cameras": "left"}, "expected a list of cameras, found 'left'"),
        ({"cameras": ["left"]}, "expected camera 0 as an object, found 'left'"),
        ({"cameras": [{"name": "a"}]}, r"expected 'pictures' \(a video, a folder, a pattern or a list of files\) of camera 'a'"),
        ({"cameras": [{"name": "a", "pictures": "x"}] * 2}, r"expected every camera to have a name of its own, found \['a'\] more than once"),
        ({"unit_m": 0}, "expected unit_m above zero, found 0"),
        ({"unit_m": "1"}, "expected unit_m above zero, found '1'"),
        ({"fps": True}, "expected fps above zero, found True"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(changes, message, tmp_path):
    with pytest.raises(FormatError, match=message):
        _load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ({"focal": 3}, "expected any of alpha, camera_from_world, .* found 'focal', in camera 'left'"),
        ({"name": "a/b"}, "expected the name of a camera to be usable as the name of a folder, found 'a/b'"),
        ({"name": "a#b"}, "usable as the name of a folder, found 'a#b'"),
        ({"name": ".."}, "usable as the name of a folder, found '..'"),
        ({"name": "a\n"}, "usable as the name of a folder"),
        ({"name": 3}, "usable as the name of a folder, found 3"),
        ({"pictures": ""}, "expected pictures to be a name or a list of names, found ''"),
        ({"pictures": []}, r"expected pictures to be a name or a list of names, found \[\]"),
        ({"pictures": ["a", ""]}, "expected pictures to be a name or a list of names"),
        ({"alpha": 3}, "expected alpha to be a name or a list of names, found 3"),
        ({"depth": None}, "expected depth to be a name or a list of names, found None"),
        ({"depth_unit_m": -1}, "expected depth_unit_m above zero, found -1"),
        ({"focal_px": 0}, r"expected a focal length above zero, found \[0.0, 0.0\]"),
        ({"focal_px": "900"}, r"expected finite numbers \(2\) as focal_px, found '900'"),
        ({"focal_px": [1, 2, 3]}, r"expected finite numbers \(2\) as focal_px, found \[1, 2, 3\]"),
        ({"focal_px": [1, [2]]}, r"expected finite numbers \(2\) as focal_px"),
        ({"center_px": [1]}, r"expected finite numbers \(2\) as center_px, found \[1\]"),
        ({"center_px": [True, False]}, r"expected finite numbers \(2\) as center_px"),
        ({"size": [480.5, 640]}, r"expected a whole number of at least 1 as size \(height, width\), found 480.5"),
        ({"size": [0, 640]}, r"expected a whole number of at least 1 as size \(height, width\), found 0"),
        ({"lens": ["opencv"]}, r"expected lens to be one of \['fisheye', 'opencv'\], found \['opencv'\]"),
        ({"lens": "fov"}, "expected lens to be one of .* found 'fov'"),
        ({"focal_px": 9, "distortion": [0.1]}, r"expected \(4, 5, 8\) coefficients of a lens 'opencv', found 1"),
        ({"focal_px": 9, "distortion": [0.1] * 5, "lens": "fisheye"}, r"expected \(4,\) coefficients of a lens 'fisheye', found 5"),
        ({"distortion": [0.1] * 4}, "expected focal_px where there is distortion, found none, of camera 'left'"),
        ({"color": [[1]]}, 'expected color as {"matrix": …, "space": "srgb" or "linear"}, found '),
        ({"color": {"matrix": [[1, 0, 0]], "gamma": 2}}, "expected color as"),
        ({"color": {"matrix": [[1, 0, 0]]}}, r"expected finite numbers \(3 × any\) as color.matrix"),
        ({"color": {"matrix": np.ones((3, 6)).tolist()}}, "expected a colour matrix of 3 rows and .* columns, found 6 columns"),
        ({"camera_from_world": np.eye(3).tolist()}, r"expected finite numbers \(4 × 4\) as camera_from_world"),
        ({"camera_from_world": [np.eye(4).tolist(), [[1]]]}, r"expected finite numbers \(any × 4 × 4\) as camera_from_world"),
        ({"camera_from_world": [np.eye(4).tolist(), MIRROR]}, "expected rigid motions .* as pose 1 of camera 'left'"),
        ({"camera_from_world": (2 * np.eye(4)).tolist()}, "expected rigid motions .* as pose 0 of camera 'left'"),
        ({"frames": "all"}, "expected frames as start:stop:step or a list of numbers, found 'all'"),
        ({"frames": "5:1:-1"}, "expected frames as start:stop:step or a list of numbers, found '5:1:-1'"),
        ({"frames": []}, r"expected a list of frames, or start:stop:step, found \[\]"),
        ({"frames": [2, 1]}, r"expected ascending frames, found \[2, 1\]"),
        ({"frames": [-1]}, "expected a whole number of at least 0 as a frame, found -1"),
        ({"time_s": [0, 0]}, r"expected ascending times as time_s, found \[0, 0\]"),
    ],
)
def test_what_is_wrong_with_a_camera_is_said(camera, message, tmp_path):
    with pytest.raises(FormatError, match=message):
        _load(tmp_path, camera)


@settings(max_examples=30, deadline=None)
@given(entry=st.recursive(st.none() | st.booleans() | NUMBER | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3)), data=st.data())
def test_whatever_stands_in_a_field_is_read_or_refused(entry, data, tmp_path_factory):
    """No traceback, whatever the value."""
    key = data.draw(st.sampled_from(["name", "pictures", "focal_px", "center_px", "size", "distortion", "lens", "color", "camera_from_world"]))
    with contextlib.suppress(FormatError):
        _load(tmp_path_factory.mktemp("rig"), {key: entry})


def test_a_broken_file_is_said_to_be_broken(tmp_path):
    (tmp_path / "cameras.json").write_text("{")
    with pytest.raises(FormatError, match="is not valid JSON"):
        CameraFiles.load(tmp_path / "cameras.json")


def test_a_camera_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="expected one of the cameras 'left', found 'right'"):
        _load(tmp_path).camera("right")


def test_frames_say_which_pictures_are_used(tmp_path):
    used = {text: list(_load(tmp_path, {"frames": text}).cameras[0].used(10)) for text in ("3:", ":4:2", "::5")}
    assert used == {"3:": list(range(3, 10)), ":4:2": [0, 2], "::5": [0, 5]}
    assert list(_load(tmp_path, {"frames": [1, 9]}).cameras[0].used(10)) == [1, 9]
    for frames in ("10:", [10]):
        with pytest.raises(InputError, match=r"expected frames within the 10 pictures of camera 'left', found frames "):
            _load(tmp_path, {"frames": frames}).cameras[0].used(10)


def test_a_subset_keeps_times_poses_and_numbers():
    motions = np.tile(np.eye(4), (4, 1, 1))
    motions[:, 0, 3] = range(4)
    camera = CameraFile("left", "left.mp4", camera_from_world=motions, frames="10:18:2", time_s=np.array([1.0, 1.2, 1.4, 1.6]))
    part = camera.subset([1, 3], 100)
    assert part.frames == (12, 16) and part.time_s.tolist() == [1.2, 1.6] and part.camera_from_world[:, 0, 3].tolist() == [1, 3]
    assert part.subset([1], 100).frames == (16,)
    for wrong in ([], [3, 1], [4], [-1], [1, 1]):
        with pytest.raises(ConfigError, match="expected ascending frames among the 4 of camera 'left', found"):
            camera.subset(wrong, 100)


def test_a_subset_of_cameras_keeps_their_order(tmp_path):
    files = CameraFiles(tmp_path, tuple(CameraFile(name, name) for name in "abc"), None)
    assert [camera.name for camera in files.subset([2, 0]).cameras] == ["c", "a"]
    with pytest.raises(ConfigError, match=r"expected some of the cameras 0 to 2, found \[3\]"):
        files.subset([0, 3])
    with pytest.raises(ConfigError, match=r"expected some of the cameras 0 to 2, found \[\]"):
        files.subset([])


DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["formats.md", "guides/rigs.md"])
def test_the_examples_in_the_documentation_are_camera_files(page, tmp_path):
    (example,) = re.findall(r"^```json\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.M | re.S)
    (tmp_path / "cameras.json").write_text(example)
    assert [camera.name for camera in CameraFiles.load(tmp_path / "cameras.json").cameras] == ["front", "left"]


def test_every_field_is_documented():
    section = (DOCS / "formats.md").read_text(encoding="utf-8").split("## Camera file")[1].split("\n## ")[0]
    named = {name for line in section.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named == FILE_KEYS | CAMERA_KEYS
