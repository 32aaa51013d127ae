"""Which cameras and frames are used, and that each keeps its name, time and number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import number_of, numbered
from rig_layouts import save_picture
from test_rig_nersemble import v1

from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.capture.rigs import Subset, open_cameras
from headcast.capture.rigs.subset import _chosen, _parts
from headcast.errors import ConfigError, InputError

SIXTEEN = tuple(f"{222200030 + k}" for k in range(16))


@pytest.fixture(scope="module")
def sixteen(tmp_path_factory):
    return open_cameras(v1(tmp_path_factory.mktemp("sixteen"), serials=SIXTEEN, frames=[f"{k:05d}" for k in range(0, 33, 3)]))


def _cameras(files: CameraFiles) -> list[int]:
    return [SIXTEEN.index(camera.name) for camera in files.cameras]


@pytest.mark.parametrize(
    ("division", "expected"),
    [
        ("all", list(range(16))),
        ("train", [0, 1, 2, 4, 5, 7, 8, 9, 10, 12, 13, 14]),
        ("val", [3, 6, 11, 15]),
        ("front-view", [8]),
        ("side-view", [0]),
        ("six-view", [0, 1, 7, 8, 14, 15]),
    ],
)
def test_divisions_are_places_in_the_calibration(sixteen, division, expected):
    assert _cameras(Subset(division=division).of(sixteen)) == expected


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("", None),
        ("ti4", (4,)),
        ("ti2tj5", (2, 3, 4, 5)),
        ("tn3", (0, 3, 7)),
        ("ts5", (0, 5, 10)),
        ("ti1tj10_ts4", (1, 5, 9)),
        ("ti1tj10_tn2", (1, 6)),
    ],
)
def test_frames_are_chosen_by_their_number_in_the_recording(sixteen, text, frames):
    chosen = Subset(subset=text).of(sixteen)
    assert len(chosen.cameras) == 16 and all(camera.frames == (frames or "") for camera in chosen.cameras)


@pytest.mark.parametrize(("text", "expected"), [("ci3", [4]), ("cn4", [0, 4, 8, 12]), ("cs5", [0, 7, 13]), ("ti0_ci11", [14])])
def test_cameras_are_counted_among_those_of_the_division(sixteen, text, expected):
    assert _cameras(Subset(division="train", subset=text).of(sixteen)) == expected


def test_cameras_are_chosen_by_name_in_the_order_of_the_file(sixteen):
    assert _cameras(Subset(cameras=(SIXTEEN[9], SIXTEEN[2])).of(sixteen)) == [2, 9]
    with pytest.raises(InputError, match=r"expected one of the cameras .* found 'left'"):
        Subset(cameras=("left",)).of(sixteen)
    with pytest.raises(ConfigError, match="expected some of the cameras in division 'val', found none of"):
        Subset(cameras=(SIXTEEN[0],), division="val").of(sixteen)


@given(span=st.integers(1, 200), spread=st.integers(1, 200))
def test_evenly_spread_frames_are_even_and_as_many_as_asked(span, spread):
    if spread > span:
        with pytest.raises(ConfigError, match=f"expected 1 to {span} frames for tn, found {spread}"):
            _chosen(_parts(f"tn{spread}"), "t", span, "frames")
        return
    chosen = _chosen(_parts(f"tn{spread}"), "t", span, "frames")
    gaps = np.diff([*chosen, span])
    assert len(chosen) == spread and chosen[0] == 0 and gaps.min() >= 1 and gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frames", "expected a subset of ti, tj, tn, ts, ci, cn, cs, each once and with a number, such as ti10tj50_cn4, found 'frames'"),
        ("ti", "each once and with a number, such as ti10tj50_cn4, found 'ti'"),
        ("ti1ti2", "each once and with a number"),
        ("tj5", "expected ti, the first frame, beside tj, the last, found 'tj5'"),
        ("tn2ts2", "expected only one of tn, ts, found 'tn2ts2'"),
        ("ti1tn2", "expected only one of ti, tn, found 'ti1tn2'"),
        ("ci1cs2", "expected only one of ci, cn, cs, found"),
        ("ti11", "expected frames from 0 to 10, found 11 to 11"),
        ("ti5tj4", "expected frames from 0 to 10, found 5 to 4"),
        ("ci16", "expected cameras from 0 to 15, found 16 to 16"),
        ("ts0", "expected a stride above zero for ts, found 0"),
        ("tn0", "expected 1 to 11 frames for tn, found 0"),
    ],
)
def test_texts_that_say_nothing_or_too_much_are_refused(sixteen, text, message):
    with pytest.raises(ConfigError, match=message):
        Subset(subset=text).of(sixteen)


def test_divisions_are_refused_of_other_rigs(tmp_path):
    save_picture(tmp_path / "a.png")
    files = CameraFiles(tmp_path, (CameraFile("a", "a.png"),))
    with pytest.raises(InputError, match=r"expected NeRSemble's 16 cameras, which divisions are of, found 1. Choose by name"):
        Subset(division="train").of(files)


def test_a_subset_of_a_subset_still_shows_the_right_pictures(tmp_path):
    from PIL import Image

    for k, picture in enumerate(numbered(12)):
        Image.fromarray(picture).save(tmp_path / f"{k:03d}.png")
    poses = np.tile(np.eye(4), (12, 1, 1))
    poses[:, 0, 3] = np.arange(12)
    camera = CameraFile("a", tuple(f"{k:03d}.png" for k in range(12)), camera_from_world=poses)
    files = Subset(subset="ti1tj3").of(Subset(subset="ti2tj10_ts2").of(CameraFiles(tmp_path, (camera,), fps=10.0)))
    files.save(tmp_path / "cameras.json")
    source = CameraSource(camera_path(tmp_path / "cameras.json", "a"))
    assert [(number_of(frame.image), round(frame.time_s, 6)) for frame in source.frames()] == [(4, 0.4), (6, 0.6), (8, 0.8)]
    assert source.camera.camera_from_world[:, 0, 3].tolist() == [4, 6, 8] and source.camera.frames == (4, 6, 8)
