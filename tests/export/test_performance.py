"""Expressions over time in files: what is written is read, and what is wrong is said."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from synthetic_models import flame_arrays, gnm_arrays

from headcast.errors import ConfigError, FormatError, InputError
from headcast.export import Performance, read_performance, write_performance
from headcast.geometry import Transform
from headcast.heads import HeadModel, load_head, open_head


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, HeadModel]:
    folder = tmp_path_factory.mktemp("models")
    np.savez(folder / "flame.npz", **flame_arrays())
    np.savez(folder / "gnm.npz", **gnm_arrays())
    return {"open": open_head(), "flame": load_head(folder / "flame.npz"), "gnm": load_head(folder / "gnm.npz")}


def performed(model: HeadModel, frame_count: int = 5, seed: int = 0) -> Performance:
    rng = torch.Generator().manual_seed(seed)
    pose = model.neutral_pose(frame_count)
    joints = 0.2 * (torch.rand(pose.joint_rotations.shape, generator=rng) - 0.5)
    turned = Transform.from_axis_angle(0.8 * (torch.rand(frame_count, 3, generator=rng) - 0.5), torch.zeros(frame_count, 3))
    pose = replace(pose, expression=torch.rand(pose.expression.shape, generator=rng), joint_rotations=joints, world_from_head=turned)
    return Performance(np.arange(frame_count) / 25, pose)


@pytest.mark.parametrize("name", ["open", "flame", "gnm"])
def test_every_number_comes_back_from_an_npz(models, name, tmp_path):
    before = performed(models[name])
    write_performance(before, models[name], tmp_path / "a.npz")
    after = read_performance(tmp_path / "a.npz", models[name])
    torch.testing.assert_close(after.pose.expression, before.pose.expression)
    torch.testing.assert_close(after.pose.joint_rotations, before.pose.joint_rotations)
    torch.testing.assert_close(after.pose.world_from_head.rotation, before.pose.world_from_head.rotation, atol=1e-5, rtol=0)
    np.testing.assert_allclose(after.time_s, before.time_s, atol=1e-6)


def test_flame_parameters_have_the_names_that_other_programs_use(models, tmp_path):
    write_performance(performed(models["flame"]), models["flame"], tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as found:
        shapes = {name: found[name].shape for name in found.files}
    expected = {"expr": (5, 100), "jaw_pose": (5, 3), "eyes_pose": (5, 6), "neck_pose": (5, 3), "rotation": (5, 3), "time_s": (5,)}
    assert shapes == expected


def test_arkits_curves_keep_expressions_gaze_and_the_heads_turn(models, tmp_path):
    model = models["open"]
    before = performed(model)
    write_performance(before, model, tmp_path / "a.csv")
    after = read_performance(tmp_path / "a.csv", model)
    torch.testing.assert_close(after.pose.expression, before.pose.expression, atol=1e-5, rtol=0)
    write_performance(after, model, tmp_path / "b.csv")
    again = read_performance(tmp_path / "b.csv", model)
    torch.testing.assert_close(again.pose.world_from_head.rotation, after.pose.world_from_head.rotation, atol=1e-4, rtol=0)


def test_what_a_file_leaves_out_is_at_rest(models, tmp_path):
    np.savez(tmp_path / "a.npz", expr=np.ones((3, 10)), jaw_pose=np.zeros((3, 3)), eyes_pose=np.zeros((3, 6)))
    found = read_performance(tmp_path / "a.npz", models["flame"], fps=50.0)
    assert float(found.pose.expression[:, :10].min()) == 1 and not found.pose.expression[:, 10:].any()
    np.testing.assert_allclose(found.time_s, [0, 0.02, 0.04])
    np.savez(tmp_path / "b.npz", expression=np.ones((2, 1)), expression_names=np.array(["jawOpen"]))
    found = read_performance(tmp_path / "b.npz", models["open"])
    assert float(found.pose.expression.sum()) == 2 and not found.pose.joint_rotations.any()


@settings(max_examples=30, deadline=None)
@given(values=arrays(np.float32, (2, 52), elements=some.floats(-2, 2, width=32)), order=some.permutations(range(52)))
def test_coefficients_are_found_by_name_in_any_order(tmp_path_factory, values, order):
    model, path = open_head(), tmp_path_factory.mktemp("named") / "a.npz"
    np.savez(path, expression=values[:, order], expression_names=np.array(model.expression_names)[list(order)])
    np.testing.assert_array_equal(read_performance(path, model).pose.expression, values)


GOOD = {"expression": np.zeros((2, 2)), "expression_names": np.array(["jawOpen", "tongueOut"])}
TURNED = {"joint_rotations": np.zeros((2, 1, 3)), "joint_names": np.array(["jaw"])}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expression_names": np.array(["jawOpen", "jawShut"])}, "'jawShut'"),
        ({"expression_names": np.array(["jawOpen", "jawOpen"])}, "more than once"),
        ({"expression_names": np.array(["jawOpen"])}, "found shape"),
        ({"expression": np.zeros(2)}, "found shape"),
        ({"expression": np.full((2, 2), np.nan)}, "not finite"),
        ({"expression": np.zeros((0, 2))}, "at least one frame"),
        ({**TURNED, "joint_names": np.array(["hip"])}, "'hip'"),
        ({"joint_rotations": np.zeros((2, 1, 3))}, "'joint_names'"),
        ({**TURNED, "joint_rotations": np.zeros((3, 1, 3))}, "found shape"),
        ({"rotation": np.zeros((2, 4))}, "found shape"),
        ({"time_s": np.zeros(3)}, "found shape"),
    ],
)
def test_a_wrong_file_of_coefficients_says_what_is_wrong(models, tmp_path, change, words):
    np.savez(tmp_path / "a.npz", **(GOOD | change))
    with pytest.raises(FormatError, match=words):
        read_performance(tmp_path / "a.npz", models["open"])


@pytest.mark.parametrize(
    ("arrays_", "words"),
    [
        ({"expr": np.zeros((2, 100))}, "eyes_pose"),
        ({"expr": np.zeros((2, 101)), "jaw_pose": np.zeros((2, 3)), "eyes_pose": np.zeros((2, 6))}, "at most 100"),
        ({"expr": np.zeros((2, 100)), "jaw_pose": np.zeros((3, 3)), "eyes_pose": np.zeros((2, 6))}, "jaw_pose"),
        ({"expr": np.zeros((2, 100)), "jaw_pose": np.full((2, 3), np.inf), "eyes_pose": np.zeros((2, 6))}, "not finite"),
    ],
)
def test_a_wrong_file_of_flame_parameters_says_what_is_wrong(models, tmp_path, arrays_, words):
    np.savez(tmp_path / "a.npz", **arrays_)
    with pytest.raises(FormatError, match=words):
        read_performance(tmp_path / "a.npz", models["flame"])


def test_other_suffixes_and_models_are_refused(models, tmp_path):
    performance = performed(models["gnm"])
    for path, words in ((tmp_path / "a.csv", "holds ARKit's expressions"), (tmp_path / "a.txt", "ends in .npz")):
        with pytest.raises(ConfigError, match=words):
            write_performance(performance, models["gnm"], path)
    with pytest.raises(InputError, match="Use --from arkit"):
        read_performance(tmp_path / "a.csv", models["gnm"])
    with pytest.raises(InputError, match="found none"):
        read_performance(tmp_path / "not_there.npz", models["gnm"])
