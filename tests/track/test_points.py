"""Points of a head and their derivatives."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.geometry import Transform
from headcast.heads import HeadPose, open_head
from headcast.track.points import FrameState, PointBasis, Skeleton, Unknowns, move_points
from headcast.track.rig import WORLD_FROM_CAMERA

FOCAL, CENTER = np.array([500.0, 500.0]), np.array([128.0, 128.0])


@pytest.fixture(scope="module")
def some():
    model = open_head()
    generator = np.random.default_rng(4)
    identity = generator.normal(size=model.identity_count)
    state = FrameState(
        rotation=WORLD_FROM_CAMERA @ Transform.from_axis_angle(torch.tensor([0.2, -0.5, 0.1]), torch.zeros(3)).rotation.numpy().astype(np.float64),
        translation=np.array([0.02, -0.01, 0.6]),
        joint_rotations=0.1 * generator.normal(size=(model.joint_count, 3)),
        expression=generator.uniform(0, 0.5, model.expression_count),
    )
    vertex_idx = generator.choice(len(model.template), 300, replace=False)
    return model, identity, state, vertex_idx


def move(model, identity, state, vertex_idx):
    basis = PointBasis.of_vertices(model, vertex_idx)
    skeleton, unknowns = Skeleton.of(model, identity), Unknowns.of(model)
    return move_points(basis, basis.shaped(identity), skeleton, unknowns, state, FOCAL, CENTER), unknowns


def test_points_are_those_of_the_head_model(some):
    model, identity, state, vertex_idx = some
    motion, _ = move(model, identity, state, vertex_idx)
    camera_from_head = Transform(torch.from_numpy(state.rotation).float(), torch.from_numpy(state.translation).float())
    pose = HeadPose(torch.from_numpy(state.expression).float(), torch.from_numpy(state.joint_rotations).float(), camera_from_head)
    expected = model.shaped(torch.from_numpy(identity).float()).posed(pose).vertices[vertex_idx].numpy()
    np.testing.assert_allclose(motion.camera_points, expected, atol=2e-6)


def test_jacobian_agrees_with_finite_differences(some):
    """Central differences; angles of turned joints are vectors, so those are compared at rest, where both readings agree."""
    model, identity, state, vertex_idx = some
    state = replace(state, joint_rotations=np.zeros_like(state.joint_rotations))
    quiet = state.expression.copy()
    quiet[[name.startswith(("eyeLook", "jaw")) for name in model.expression_names]] = 0
    state = replace(state, expression=quiet)
    motion, unknowns = move(model, identity, state, vertex_idx)
    jacobian = motion.derivatives().jacobian
    worst = 0.0
    for unknown in range(unknowns.count):
        size = 1e-2 if unknown >= 6 else 2e-3
        change = np.zeros(unknowns.count)
        change[unknown] = size
        after, _ = move(model, identity, state.moved(change, unknowns), vertex_idx)
        before, _ = move(model, identity, state.moved(-change, unknowns), vertex_idx)
        numeric = (after.pixels.astype(np.float64) - before.pixels) / (2 * size)
        scale = max(np.abs(numeric).max(), 1.0)
        worst = max(worst, np.abs(numeric - jacobian[:, :, unknown]).max() / scale)
    # Pixels are float32 (3e-5 px), so differences carry about 2e-3 px per unit; the joints' own motion with expression is left out.
    assert worst < 0.01


def test_rest_jacobian_times_identity_basis_is_the_motion_with_identity(some):
    model, identity, state, vertex_idx = some
    state = replace(state, joint_rotations=np.zeros_like(state.joint_rotations), expression=np.zeros_like(state.expression))
    basis = PointBasis.of_vertices(model, vertex_idx)
    motion, _ = move(model, identity, state, vertex_idx)
    predicted = motion.derivatives().rest_jacobian @ basis.identity_basis
    for mode in (0, 5, 30):
        step = np.zeros_like(identity)
        step[mode] = 0.05
        after, _ = move(model, identity + step, state, vertex_idx)
        before, _ = move(model, identity - step, state, vertex_idx)
        numeric = (after.pixels.astype(np.float64) - before.pixels) / 0.1
        np.testing.assert_allclose(predicted[:, :, mode], numeric, atol=0.02 * max(np.abs(numeric).max(), 0.1))
