"""Expressions as CSV: other programs' columns, our numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation
from small_tracks import small_track
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.errors import FormatError, InputError
from headcast.export import ARKIT_NAMES, ArkitCurves, export_arkit, read_arkit
from headcast.export.arkit import arkit_text
from headcast.geometry import Transform
from headcast.heads import open_head
from headcast.heads.flame import load_flame
from headcast.solve.step import follow


def written(tmp_path, track):
    path = tmp_path / "arkit.csv"
    follow(export_arkit(track, open_head(), path))
    return path


def test_the_columns_are_those_of_the_app(tmp_path):
    lines = written(tmp_path, small_track(open_head())).read_text().splitlines()
    names = lines[0].split(",")
    assert len(names) == 63 and len(set(names)) == 63 and set(ARKIT_NAMES) == set(open_head().expression_names)
    assert names[:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert names[-10:-6] == ["TongueOut", "HeadYaw", "HeadPitch", "HeadRoll"]
    assert lines[3].startswith("00:00:00:02.000,61,") and len(lines) == 6


def test_expressions_and_times_come_back(tmp_path):
    track = small_track(open_head(), frame_count=60, invalid=())
    curves = read_arkit(written(tmp_path, track))
    order = [track.expression_names.index(name) for name in ARKIT_NAMES]
    np.testing.assert_allclose(curves.expression, track.expression[:, order], atol=1e-6)
    np.testing.assert_allclose(curves.time_s, track.time_s, atol=1e-4)


def test_yaw_turns_to_the_subjects_left_and_pitch_looks_down(tmp_path):
    """A head at rest but for its turn; the neck adds to it, the eyes' angles are those of expressions and joints together."""
    track = small_track(open_head(), frame_count=2, invalid=())
    turns = Rotation.from_euler("YXZ", [[0.4, 0.2, -0.1], [-0.3, -0.1, 0.05]])
    expression, joints = torch.zeros_like(track.expression), torch.zeros_like(track.joint_rotations)
    expression[:, track.expression_names.index("eyeLookOutLeft")] = 1
    joints[1, track.joint_names.index("neck"), 1] = 0.3
    moved = Transform(torch.from_numpy(turns.as_matrix()).float(), track.world_from_head.translation)
    track = replace(track, expression=expression, joint_rotations=joints, world_from_head=moved)
    angles = read_arkit(written(tmp_path, track)).angles
    np.testing.assert_allclose(angles[0, 0], [0.4, 0.2, -0.1], atol=1e-5)
    assert angles[1, 0, 0] == pytest.approx(0.0, abs=0.02), "0.3 rad of neck against −0.3 of the head"
    look = moved.rotation[0] @ torch.tensor([0.0, 0.0, 1.0])
    assert look[0] > 0.3 and look[1] < -0.1
    assert (angles[:, 1, 0] > 0.2).all() and np.abs(angles[:, 2]).max() < 1e-6, "the left eye looks out to the left, the right one ahead"


def test_other_expressions_without_landmarks_cannot_be_converted(tmp_path):
    write_flame_pickle(tmp_path / "flame2020.pkl", flame_arrays())
    model = load_flame(tmp_path / "flame2020.pkl")
    with pytest.raises(InputError, match="needs the landmarks"):
        follow(export_arkit(small_track(model), model, tmp_path / "a.csv"))
    assert not (tmp_path / "a.csv").exists()


@settings(max_examples=40, deadline=None)
@given(
    expression=arrays(np.float32, (3, 52), elements=some.floats(0, 1, width=32)),
    angles=arrays(np.float64, (3, 3, 3), elements=some.floats(-3, 3)),
    rate=some.sampled_from([24, 25, 30, 60]),
    start=some.integers(0, 100_000),
)
def test_what_is_written_is_read(tmp_path_factory, expression, angles, rate, start):
    path = tmp_path_factory.mktemp("arkit") / "a.csv"
    path.write_text(arkit_text(ArkitCurves(start + np.arange(3) / rate, expression, angles)))
    found = read_arkit(path, fps=float(rate))
    np.testing.assert_allclose(found.expression, expression, atol=1e-6)
    np.testing.assert_allclose(found.angles, angles, atol=1e-6)
    np.testing.assert_allclose(found.time_s, np.arange(3) / rate, atol=1e-4)


def test_order_and_case_of_columns_do_not_matter(tmp_path):
    path = written(tmp_path, small_track(open_head()))
    before = read_arkit(path)
    rows = [line.split(",")[::-1] for line in path.read_text().splitlines()]
    rows[0] = [name[0].lower() + name[1:] for name in rows[0]]
    path.write_text("\ufeff" + "\r\n".join(",".join(row) for row in rows) + "\r\n\r\n")
    after = read_arkit(path)
    for name in ("time_s", "expression", "angles"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "", "no column 'timecode'"),
        (lambda text: text.replace("JawOpen", "Jaw"), "no column 'jawopen'"),
        (lambda text: text.splitlines()[0], "at least one frame"),
        (lambda text: text.replace("00:00:00:01.000", "soon"), "line 3"),
        (lambda text: text.replace(",61,", ",61,x", 1), "line 2"),
        (lambda text: "\n".join([*text.splitlines()[:4], "00:00:00:03.000,61,0.1"]), "line 5"),
        (lambda text: "\n".join([*text.splitlines()[:2], "00:00:00:03.000,61" + ",nan" * 61]), "line 3"),
    ],
)
def test_a_broken_file_says_where(tmp_path, change, words):
    path = written(tmp_path, small_track(open_head()))
    path.write_text(change(path.read_text()))
    with pytest.raises(FormatError, match=words):
        read_arkit(path)
