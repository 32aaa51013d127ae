"""Key poses as a file: what is between them, and what is wrong with a bad one."""

import json

import numpy as np
import pytest
import torch

from headcast.animate import read_key_poses
from headcast.errors import FormatError
from headcast.heads import open_head


@pytest.fixture(scope="module")
def model():
    return open_head()


def written(tmp_path, **changes):
    file = {
        "kind": "headcast key poses",
        "schema": 1,
        "poses": [
            {"time_s": 0},
            {"time_s": 1, "expression": {"jawOpen": 0.8}, "head_deg": [20, 0, 0], "shift_m": [0.01, 0, 0]},
            {"time_s": 2, "expression": {"mouthSmileLeft": 1}, "joints_deg": {"neck": [10, 0, 0]}},
        ],
    }
    path = tmp_path / "poses.json"
    path.write_text(json.dumps({**file, **changes}))
    return path


@pytest.mark.parametrize("between", ["smooth", "linear", "hold"])
def test_every_pose_is_reached(model, tmp_path, between):
    found = read_key_poses(written(tmp_path, between=between), model, fps=10.0)
    np.testing.assert_allclose(found.time_s, np.arange(21) / 10)
    jaw, smile = (found.pose.expression[:, model.expression_names.index(name)] for name in ("jawOpen", "mouthSmileLeft"))
    torch.testing.assert_close(jaw[[0, 10, 20]], torch.tensor([0.0, 0.8, 0.0]))
    torch.testing.assert_close(smile[[0, 10, 20]], torch.tensor([0.0, 0.0, 1.0]))
    assert float(jaw[5]) == {"smooth": pytest.approx(0.4, abs=0.01), "linear": pytest.approx(0.4), "hold": 0.0}[between]


def test_smooth_motion_does_not_overshoot(model, tmp_path):
    poses = [{"time_s": t, "expression": {"jawOpen": v}} for t, v in ((0, 0), (0.1, 0.9), (1, 1), (2, 0.2))]
    jaw = read_key_poses(written(tmp_path, poses=poses), model).pose.expression[:, model.expression_names.index("jawOpen")]
    assert float(jaw.max()) <= 1.0 and float(jaw.min()) >= 0.0


def test_yaw_turns_the_head_to_its_own_left(model, tmp_path):
    found = read_key_poses(written(tmp_path), model, fps=1.0)
    nose = found.pose.world_from_head.rotation[1] @ torch.tensor([0.0, 0.0, 1.0])
    assert float(nose[0]) == pytest.approx(np.sin(np.radians(20)), abs=1e-5) and float(nose[1]) == pytest.approx(0, abs=1e-6)
    assert float(found.pose.world_from_head.translation[1, 0]) == pytest.approx(0.01)


def test_one_pose_is_a_still(model, tmp_path):
    assert len(read_key_poses(written(tmp_path, poses=[{"time_s": 3.0}]), model).time_s) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "poses"}, "headcast key poses"),
        ({"schema": 2}, "schema 1"),
        ({"between": "cubic"}, "smooth, linear, hold"),
        ({"poses": []}, "at least one pose"),
        ({"poses": [{"time_s": 0}, {"time_s": 0}]}, "grow"),
        ({"poses": [{"time_s": 0, "expression": {"jawopen": 1}}]}, "jawopen"),
        ({"poses": [{"time_s": 0, "head_deg": [1, 2]}]}, "3 numbers"),
        ({"poses": [{"time_s": 0, "yaw": 3}]}, "yaw"),
        ({"poses": [{"expression": {}}]}, "time_s"),
        ({"poses": ["smile"]}, "an object"),
        ({"poses": [{"time_s": 0, "joints_deg": {"jaw": [0, 0, "x"]}}]}, "3 numbers"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(model, tmp_path, changes, said):
    with pytest.raises(FormatError, match=said):
        read_key_poses(written(tmp_path, **changes), model)


def test_numbers_that_are_not_finite_are_refused(model, tmp_path):
    path = tmp_path / "poses.json"
    path.write_text('{"kind": "headcast key poses", "schema": 1, "poses": [{"time_s": 0, "expression": {"jawOpen": NaN}}]}')
    with pytest.raises(FormatError, match="jawOpen"):
        read_key_poses(path, model)
