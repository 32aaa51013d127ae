"""A face keeps its expression when it changes its model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.errors import InputError
from headcast.expressions import convert_expressions
from headcast.expressions.remembered import conversion_cache_folder
from headcast.geometry import Transform
from headcast.heads import HeadPose

LIDS = {"Right": (159, 145), "Left": (386, 374)}
"""MediaPipe's middles of the upper and the lower lid."""
LIPS = (13, 14)


def with_expressions(model, *weights: dict[str, float]) -> HeadPose:
    pose = model.neutral_pose(len(weights))
    for frame, some in enumerate(weights):
        for name, value in some.items():
            pose.expression[frame, model.expression_names.index(name)] = value
    return pose


def landmarks(model, pose: HeadPose) -> np.ndarray:
    vertices = model.shaped(torch.zeros(0)).posed(pose).vertices
    return model.landmarks["mediapipe_478"].points(vertices, model.faces).numpy()


def gap(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1)


def talking(model, count: int, seed: int) -> HeadPose:
    """A few expressions at a time, as faces have them."""
    rng = np.random.default_rng(seed)
    used = rng.random((count, model.expression_count)) < 0.15
    pose = model.neutral_pose(count)
    pose.expression[:] = torch.from_numpy(rng.random(used.shape) * used)
    pose.expression[:, model.expression_names.index("tongueOut")] = 0
    return pose


def test_weights_come_back_from_a_head_without_names(arkit, to_flame, to_arkit):
    """Another surface, an orthogonal basis, a jaw that is a joint. A face with 0.08 on average is off by less than 0.03 a weight."""
    pose = talking(arkit, 40, seed=11)
    back = to_arkit.apply(to_flame.apply(pose))
    error = (back.expression - pose.expression).abs()
    assert float(error.mean()) < 0.03
    assert float(back.expression.min()) >= 0 and float(back.expression.max()) <= 1


def test_the_jaw_opens_as_a_joint_and_comes_back_as_an_expression(arkit, flame, to_flame, to_arkit):
    pose = with_expressions(arkit, {}, {"jawOpen": 0.5}, {"jawOpen": 1.0})
    found = to_flame.apply(pose)
    turned = found.joint_rotations[:, flame.joint_names.index("jaw")]
    own = float(arkit.expression_joint_rotations[arkit.expression_names.index("jawOpen"), arkit.joint_names.index("jaw"), 0])
    np.testing.assert_allclose(turned[:, 0], [0, 0.5 * own, own], atol=0.06)
    assert float(turned[:, 1:].abs().max()) < 0.02, "straight down"
    opening, wanted = gap(landmarks(flame, found), LIPS), gap(landmarks(arkit, pose), LIPS)
    np.testing.assert_allclose(opening - opening[0], wanted - wanted[0], atol=0.004)
    back = to_arkit.apply(found).expression
    np.testing.assert_allclose(back[:, arkit.expression_names.index("jawOpen")], [0, 0.5, 1.0], atol=0.05)


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_a_blink_closes_the_same_eye(arkit, flame, to_flame, side):
    """As far as the source's own, within a tenth of the opening; the landmarks of the lids' middles lie beside the rims and never quite meet."""
    pose = with_expressions(arkit, {}, {f"eyeBlink{side}": 1.0})
    own, points = landmarks(arkit, pose), landmarks(flame, to_flame.apply(pose))
    for which, pair in LIDS.items():
        wanted, share = (gap(some, pair)[1] / gap(some, pair)[0] for some in (own, points))
        assert abs(share - wanted) < 0.1, f"{which} lid after a blink of the {side}: {share:.2f} of its opening, {wanted:.2f} on the source"
    assert gap(points, LIDS[side])[1] < 0.004


def test_eyes_look_where_they_looked(arkit, flame, to_flame, to_arkit):
    pose = with_expressions(arkit, {"eyeLookOutLeft": 0.7, "eyeLookInRight": 0.7}, {"eyeLookUpLeft": 0.5, "eyeLookUpRight": 0.5})
    found = to_flame.apply(pose)
    eyes = found.joint_rotations[:, [flame.joint_names.index(name) for name in ("left_eye", "right_eye")]]
    assert (eyes[0, :, 1] > 0.15).all(), "about the vertical, to the left of the person"
    assert (eyes[1, :, 0] < -0.05).all(), "up"
    back = to_arkit.apply(found).expression
    looks = [k for k, name in enumerate(arkit.expression_names) if name.startswith("eyeLook")]
    np.testing.assert_allclose(back[:, looks], pose.expression[:, looks], atol=0.05)


def test_a_tongue_is_missing_where_there_is_none(to_flame):
    assert "tongueOut" in to_flame.missing
    assert not {"jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "eyeLookOutLeft", "browInnerUp"} & set(to_flame.missing)


def test_a_tongue_comes_out_where_there_is_one(arkit):
    """A larger head with the same parts and expressions in another order, under names that say nothing."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(arkit.expression_count))
    other = replace(
        arkit,
        name="other",
        template=1.1 * arkit.template,
        joint_template=1.1 * arkit.joint_template,
        expression_basis=1.1 * arkit.expression_basis[order],
        expression_joint_rotations=arkit.expression_joint_rotations[order],
        joint_expression_basis=arkit.joint_expression_basis[order],
        expression_names=tuple(f"shape_{k}" for k in range(arkit.expression_count)),
    )
    conversion = convert_expressions(arkit, other)
    assert not conversion.missing
    found = conversion.apply(with_expressions(arkit, {"tongueOut": 1.0, "jawOpen": 0.4})).expression[0]
    assert float(found[order == arkit.expression_names.index("tongueOut")]) > 0.9
    tongue = other.regions["tongue"]
    out = other.shaped(torch.zeros(0)).posed(replace(other.neutral_pose(), expression=found)).vertices[tongue, 2].max()
    assert float(out - other.template[tongue, 2].max()) > 0.01, "the tip comes forward"


def test_equal_frames_give_equal_results_wherever_they_stand(arkit, to_flame):
    pose = talking(arkit, 3, seed=2)
    many = HeadPose(pose.expression.repeat(15, 1), pose.joint_rotations.repeat(15, 1, 1), Transform.identity(45))
    found = to_flame.apply(many)
    np.testing.assert_allclose(found.expression.reshape(15, 3, -1), found.expression[:3].expand(15, -1, -1), atol=1e-6)
    np.testing.assert_allclose(to_flame.apply(pose).expression, found.expression[:3], atol=1e-6)


def test_rest_stays_at_rest(arkit, flame, to_flame, to_arkit):
    for conversion in (to_flame, to_arkit):
        found = conversion.apply(conversion.source.neutral_pose(1))
        assert float(found.expression.abs().max()) < 0.01 and float(found.joint_rotations.abs().max()) < 1e-3


def test_neck_and_place_are_kept(arkit, flame, to_flame):
    pose = arkit.neutral_pose(1)
    pose.joint_rotations[0, arkit.joint_names.index("neck")] = torch.tensor([0.1, -0.2, 0.05])
    pose = replace(pose, world_from_head=Transform.from_axis_angle(torch.tensor([[0.0, 0.5, 0.0]]), torch.tensor([[0.1, 0.2, -0.7]])))
    found = to_flame.apply(pose)
    torch.testing.assert_close(found.joint_rotations[0, flame.joint_names.index("neck")], pose.joint_rotations[0, arkit.joint_names.index("neck")])
    torch.testing.assert_close(found.world_from_head.matrix(), pose.world_from_head.matrix())
    assert float(found.expression.abs().max()) < 0.01, "a turned neck is no expression"


def test_the_error_of_every_expression_is_measured(arkit, flame, to_flame, to_arkit):
    assert set(to_flame.error_mm) == set(arkit.expression_names)
    assert {"jaw pitch", "left_eye yaw"} <= set(to_arkit.error_mm)
    mean = np.mean([mean for mean, _ in to_flame.error_mm.values()])
    assert 0 < mean < 0.5, "mm: one head's face, another person's size"
    for error in to_flame.errors:
        assert error.mean_mm <= error.worst_mm and error.motion_mm <= error.largest_motion_mm and error.kept <= 1
    assert to_flame.worst.mean_mm == max(error.mean_mm for error in to_flame.errors)


def test_curves_by_name_are_poses(arkit, to_flame):
    curves = np.array([[0.3, 0.2], [0.0, 1.0]], np.float32)
    pose = with_expressions(arkit, {"jawOpen": 0.3, "mouthSmileLeft": 0.2}, {"mouthSmileLeft": 1.0})
    torch.testing.assert_close(to_flame.apply_curves(("jawOpen", "mouthSmileLeft"), curves).expression, to_flame.apply(pose).expression)
    with pytest.raises(InputError, match="no expression 'jawOpened'"):
        to_flame.apply_curves(("jawOpened",), curves[:, :1])
    with pytest.raises(InputError, match="twice"):
        to_flame.apply_curves(("jawOpen", "jawOpen"), curves)


def test_a_pose_that_is_none_of_the_source_is_refused(arkit, flame, to_flame):
    with pytest.raises(InputError, match="52 expressions"):
        to_flame.apply(flame.neutral_pose(2))
    with pytest.raises(InputError, match="several frames"):
        to_flame.apply(arkit.neutral_pose())
    pose = arkit.neutral_pose(2)
    pose.expression[1, 0] = float("nan")
    with pytest.raises(InputError, match="finite"):
        to_flame.apply(pose)


def test_matched_faces_are_remembered(arkit, flame, to_flame, monkeypatch):
    assert list(conversion_cache_folder().glob("*.npz"))
    monkeypatch.setattr("headcast.expressions.remembered.correspond", None)
    again = convert_expressions(arkit, flame)
    assert again.error_mm == to_flame.error_mm
