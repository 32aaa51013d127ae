"""GNM files become head models that give GNM's vertices."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_models import gnm_arrays

from headcast.errors import FormatError
from headcast.geometry import Transform
from headcast.heads import HeadPose
from headcast.heads.gnm import load_gnm
from headcast.heads.regions import REGION_NAMES


@pytest.fixture
def arrays():
    return gnm_arrays()


def _written(arrays, tmp_path):
    np.savez(tmp_path / "gnm_head.npz", **arrays)
    return tmp_path / "gnm_head.npz"


def _gnm_vertices(arrays, identity, expression, rotations):
    """GNM as its documents define it, in NumPy: linear bases, joints from identity, skinning through the chain of joints."""
    shaped = arrays["template_vertex_positions"] + np.einsum("i,ivc->vc", identity, arrays["vertex_identity_basis"])
    shaped = shaped + np.einsum("e,evc->vc", expression, arrays["expression_basis"])
    matrices = Rotation.from_rotvec(rotations).as_matrix()
    features = (matrices - np.eye(3)).reshape(-1)
    shaped = shaped + (features @ arrays["pose_correctives_regressor"]).reshape(-1, 3)
    joints = arrays["template_joint_positions"] + np.einsum("i,ijc->jc", identity, arrays["joint_identity_basis"])
    chain, result = [], np.zeros_like(shaped)
    for idx, parent in enumerate(arrays["joint_parent_indices"]):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = matrices[idx], joints[idx] - (joints[parent] if idx else 0)
        chain.append(chain[parent] @ local if idx else local)
        moved = shaped @ chain[-1][:3, :3].T + chain[-1][:3, 3] - chain[-1][:3, :3] @ joints[idx]
        result += arrays["skinning_weights"][idx][:, None] * moved
    return result


@pytest.mark.parametrize("with_correctives", [False, True])
def test_vertices_are_those_of_gnm(arrays, tmp_path, with_correctives):
    rng = np.random.default_rng(2)
    if with_correctives:
        arrays["pose_correctives_regressor"][9:] = rng.normal(0, 1e-3, arrays["pose_correctives_regressor"][9:].shape)
    model = load_gnm(_written(arrays, tmp_path)).to(dtype=torch.float64)
    assert (model.pose_correctives is not None) == with_correctives
    identity, expression, rotations = rng.normal(0, 1, 5), rng.normal(0, 1, 4), rng.normal(0, 0.4, (4, 3))
    root = arrays["template_joint_positions"][0] + identity @ arrays["joint_identity_basis"][:, 0]
    origin = arrays["template_joint_positions"][2:].mean(0)
    turn = Rotation.from_rotvec(rotations[0]).as_matrix()
    world = Transform(torch.from_numpy(turn), torch.from_numpy(turn @ (origin - root) + root))
    pose = HeadPose(torch.from_numpy(expression), torch.from_numpy(rotations[1:]), world)
    found = model.shaped(torch.from_numpy(identity)).posed(pose).vertices.numpy()
    np.testing.assert_allclose(found, _gnm_vertices(arrays, identity, expression, rotations), atol=3e-7)


def test_joints_are_named_as_in_our_other_models(arrays, tmp_path):
    model = load_gnm(_written(arrays, tmp_path))
    assert model.joint_names == ("neck", "left_eye", "right_eye") and model.joint_parents == (-1, 0, 0)
    assert set(REGION_NAMES) <= set(model.regions)
    assert int(model.regions["eyeballs"].sum()) == 100
    assert model.about["licence"] == "Apache-2.0"


def test_parts_do_not_share_the_texture(arrays, tmp_path):
    model = load_gnm(_written(arrays, tmp_path))
    corners = model.uv[model.uv_faces]
    eye, skin = corners[model.face_regions("eyeballs")], corners[~model.face_regions("eyeballs")]
    assert float(eye[..., 0].min()) >= 0.7 and float(skin[..., 0].max()) <= 0.7
    assert float(corners.min()) >= 0 and float(corners.max()) <= 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("expression_basis"), "expression_basis"),
        (lambda a: a.update(joint_names=np.array(["neck", "skull", "left_eye", "right_eye"])), "head"),
        (lambda a: a.update(joint_parent_indices=np.array([0, 0, 3, 1])), "one root joint"),
        (lambda a: a["template_vertex_positions"].__setitem__((3, 1), np.inf), "not finite"),
        (lambda a: a.update(triangles=a["triangles"] + 900), "triangles of"),
        (lambda a: a["pose_correctives_regressor"].__setitem__((0, 0), 1.0), "root joint 'neck'"),
        (lambda a: a.update(pose_correctives_regressor=np.ones((9, 3))), "pose_correctives_regressor"),
    ],
)
def test_a_broken_file_says_what_is_wrong(arrays, tmp_path, change, said):
    change(arrays)
    with pytest.raises(FormatError, match=said):
        load_gnm(_written(arrays, tmp_path))
