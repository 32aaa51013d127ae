"""One head's motion on another: differences of expressions, composed turns, strengths, rest."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.animate import Strengths, resampled, retarget
from headcast.avatars.rest import neutral_pose
from headcast.errors import ConfigError
from headcast.export import Performance
from headcast.geometry import Transform, angle_between, matrix_from_axis_angle
from headcast.heads import HeadPose, open_head


@pytest.fixture(scope="module")
def model():
    return open_head()


def random_poses(model, count: int, seed: int) -> HeadPose:
    random = torch.Generator().manual_seed(seed)
    turned = matrix_from_axis_angle(0.3 * torch.randn(count, 3, generator=random))
    return HeadPose(
        expression=0.6 * torch.rand(count, model.expression_count, generator=random),
        joint_rotations=0.1 * torch.randn(count, model.joint_count, 3, generator=random),
        world_from_head=Transform(turned, torch.randn(count, 3, generator=random)),
    )


def one(poses: HeadPose, frame: int) -> HeadPose:
    return HeadPose(poses.expression[frame], poses.joint_rotations[frame], poses.world_from_head[frame])


def assert_same(found: HeadPose, wanted: HeadPose) -> None:
    torch.testing.assert_close(found.expression, wanted.expression, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.joint_rotations, wanted.joint_rotations, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.world_from_head.matrix(), wanted.world_from_head.matrix(), atol=1e-4, rtol=0)


def test_a_head_that_drives_itself_moves_as_it_did(model):
    poses = random_poses(model, 5, seed=1)
    assert_same(retarget(poses, one(poses, 2), one(poses, 2), model), poses)


def test_the_drivers_rest_becomes_the_driven_heads_rest(model):
    driver, own = random_poses(model, 4, seed=2), one(random_poses(model, 1, seed=3), 0)
    found = retarget(driver, one(driver, 1), own, model)
    assert_same(one(found, 1), own)


def test_a_turn_seen_from_the_camera_is_the_same_turn_on_the_other_head(model):
    driver, own = random_poses(model, 2, seed=4), one(random_poses(model, 1, seed=5), 0)
    found = retarget(driver, one(driver, 0), own, model)
    turn = driver.world_from_head.rotation[1] @ driver.world_from_head.rotation[0].T
    torch.testing.assert_close(found.world_from_head.rotation[1], turn @ own.world_from_head.rotation, atol=1e-4, rtol=0)
    shift = driver.world_from_head.translation[1] - driver.world_from_head.translation[0]
    torch.testing.assert_close(found.world_from_head.translation[1], own.world_from_head.translation + shift, atol=1e-5, rtol=0)


def test_half_the_strength_is_half_the_turn_and_half_the_expression(model):
    driver, own = random_poses(model, 2, seed=6), model.neutral_pose()
    strengths = Strengths(expression=0.5, head=0.5, channels={"jawOpen": 2.0})
    found = retarget(driver, model.neutral_pose(), own, model, strengths)
    whole = angle_between(torch.eye(3).expand(2, 3, 3), driver.world_from_head.rotation)
    torch.testing.assert_close(angle_between(torch.eye(3).expand(2, 3, 3), found.world_from_head.rotation), whole / 2, atol=1e-4, rtol=0)
    jaw = model.expression_names.index("jawOpen")
    torch.testing.assert_close(found.expression[:, jaw], driver.expression[:, jaw])
    other = model.expression_names.index("mouthSmileLeft")
    torch.testing.assert_close(found.expression[:, other], driver.expression[:, other] / 2)


def test_expressions_stay_within_the_models_bounds(model):
    driver = random_poses(model, 3, seed=7)
    found = retarget(driver, model.neutral_pose(), one(driver, 0), model, Strengths(expression=9.0))
    assert (found.expression <= model.expression_upper).all() and (found.expression >= model.expression_lower).all()


def test_a_strength_of_an_unknown_expression_is_refused(model):
    with pytest.raises(ConfigError, match="jawopen"):
        retarget(model.neutral_pose(2), model.neutral_pose(), model.neutral_pose(), model, Strengths(channels={"jawopen": 1.0}))


def test_the_resting_face_of_a_performance_is_found(model):
    poses = random_poses(model, 60, seed=8)
    poses.expression[20:26] = 0.01
    poses.joint_rotations[20:26] = 0.0
    poses.world_from_head.rotation[:] = matrix_from_axis_angle(torch.tensor([0.1, 0.0, 0.0]))
    found = neutral_pose(poses, model)
    assert float(found.expression.max()) < 0.011
    torch.testing.assert_close(found.world_from_head.rotation, poses.world_from_head.rotation[0], atol=1e-5, rtol=0)


def test_frames_without_a_face_are_no_rest(model):
    poses = random_poses(model, 20, seed=9)
    poses.expression[3] = 0.0
    poses.joint_rotations[3] = 0.0
    valid = np.arange(20) != 3
    assert float(neutral_pose(poses, model, valid).expression.max()) > 0.1


def test_a_performance_at_other_moments_goes_through_its_own(model):
    poses = random_poses(model, 6, seed=10)
    performance = Performance(np.arange(6) / 25, poses)
    fine = resampled(performance, np.arange(21) / 100)
    assert_same(HeadPose(fine.pose.expression[::4], fine.pose.joint_rotations[::4], fine.pose.world_from_head[::4]), poses)
    middle = resampled(performance, np.array([0.02]))
    torch.testing.assert_close(middle.pose.expression[0], poses.expression[:2].mean(0), atol=1e-5, rtol=0)
    half = angle_between(middle.pose.world_from_head.rotation[0], poses.world_from_head.rotation[0])
    torch.testing.assert_close(half, angle_between(poses.world_from_head.rotation[1], poses.world_from_head.rotation[0]) / 2, atol=1e-4, rtol=0)


def test_after_its_end_a_performance_stands_still(model):
    poses = random_poses(model, 3, seed=11)
    late = resampled(Performance(np.arange(3) / 25, poses), np.array([5.0])).pose
    assert_same(one(late, 0), one(poses, 2))


def test_one_frame_is_a_performance(model):
    poses = random_poses(model, 1, seed=12)
    found = resampled(Performance(np.zeros(1), poses), np.arange(3) / 30).pose
    assert_same(one(found, 2), one(poses, 0))
    assert replace(found).expression.shape == (3, model.expression_count)
