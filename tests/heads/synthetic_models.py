"""Small head models in other people's file formats: an ellipsoid with a neck and two eyeballs, and everything the format asks for."""

import copyreg
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import scipy.sparse

EYES = np.array([[0.031, 0.02, 0.06], [-0.031, 0.02, 0.06]])
"""Centres of the eyeballs in the files' coordinates (m), left first."""


def sphere(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed unit sphere with outward faces."""
    polar = np.linspace(0, np.pi, rows + 2)[1:-1]
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    ring = np.stack([np.sin(turn), np.zeros(columns), np.cos(turn)], 1)
    body = (np.sin(polar)[:, None, None] * ring + np.cos(polar)[:, None, None] * [0.0, 1.0, 0.0]).reshape(-1, 3)
    vertices = np.concatenate([[[0.0, 1.0, 0.0]], body, [[0.0, -1.0, 0.0]]])
    faces = []
    for column in range(columns):
        after = (column + 1) % columns
        faces.append([0, 1 + column, 1 + after])
        for row in range(rows - 1):
            a, b = 1 + row * columns + column, 1 + row * columns + after
            faces += [[a, a + columns, b + columns], [a, b + columns, b]]
        faces.append([len(vertices) - 1, 1 + (rows - 1) * columns + after, 1 + (rows - 1) * columns + column])
    return vertices, np.array(faces)


def head_mesh() -> tuple[np.ndarray, np.ndarray, list[slice]]:
    """Vertices (m), faces, and where skin, left and right eyeball are in the vertices."""
    skin, skin_faces = sphere(14, 20)
    skin = skin * [0.08, 0.13, 0.09]
    eye, eye_faces = sphere(6, 8)
    parts, faces, slices = [skin], [skin_faces], [slice(0, len(skin))]
    for centre in EYES:
        start = slices[-1].stop
        parts.append(eye * 0.012 + centre)
        faces.append(eye_faces + start)
        slices.append(slice(start, start + len(eye)))
    return np.concatenate(parts), np.concatenate(faces), slices


def flame_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of a FLAME file; the joint regressor is dense here."""
    rng = np.random.default_rng(seed)
    vertices, faces, (skin, left, right) = head_mesh()
    count = len(vertices)
    regressor = np.zeros((5, count))
    lower = np.nonzero(vertices[skin, 1] < -0.1)[0]
    upper = np.nonzero(np.abs(vertices[skin, 1] + 0.03) < 0.03)[0]
    regressor[0, lower], regressor[1, upper], regressor[2, upper] = 1 / len(lower), 1 / len(upper), 1 / len(upper)
    regressor[3, left], regressor[4, right] = 1 / (left.stop - left.start), 1 / (right.stop - right.start)
    weights = np.zeros((count, 5))
    height = np.clip((vertices[:, 1] + 0.12) / 0.1, 0, 1)
    jaw = np.clip(-vertices[:, 1] * 8, 0, 0.4) * height
    weights[:, 0], weights[:, 1], weights[:, 2] = 1 - height, height - jaw, jaw
    for column, part in ((3, left), (4, right)):
        weights[part] = np.eye(5)[column]
    return {
        "v_template": vertices,
        "shapedirs": rng.normal(0, 1e-4, (count, 3, 400)),
        "posedirs": rng.normal(0, 1e-3, (count, 3, 36)),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "f": faces.astype(np.uint32),
    }


def write_flame_pickle(path: Path, arrays: dict[str, np.ndarray], with_chumpy: bool = True) -> None:
    """Writes the pickle as FLAME's authors do: protocol 2, arrays inside chumpy objects, the regressor as a sparse matrix.

    The chumpy module exists only while this function runs.
    """
    values: dict = dict(arrays)
    values["J_regressor"] = scipy.sparse.csc_matrix(arrays["J_regressor"])
    values["bs_style"] = "lbs"
    outer, inner = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")

    class Ch:
        """Looks to pickle like chumpy's class: state in a dictionary, the array under 'x'."""

        def __reduce_ex__(self, _protocol):
            return copyreg._reconstructor, (Ch, object, None), self.__dict__

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    inner.Ch = Ch
    sys.modules |= {"chumpy": outer, "chumpy.ch": inner}
    try:
        if with_chumpy:
            for name in ("v_template", "shapedirs", "posedirs", "weights"):
                wrapped = Ch()
                wrapped.__dict__.update(x=values[name], _dirty_vars=set(), _itr=None, _depends_on_deps={}, _make_dense=False)
                values[name] = wrapped
        path.write_bytes(pickle.dumps(values, protocol=2))
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


def flame_vertices(arrays: dict[str, np.ndarray], coefficients: np.ndarray, pose: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """FLAME evaluated as its paper defines it (Li et al. 2017, eq. 1–5), in plain NumPy, root joint included.

    Args:
        coefficients: 300 of identity, then 100 of expression.
        pose: axis-angle of root, neck, jaw and the two eyes.
    """
    from scipy.spatial.transform import Rotation

    shaped = arrays["v_template"] + arrays["shapedirs"] @ coefficients
    joints = arrays["J_regressor"] @ shaped
    rotations = Rotation.from_rotvec(pose).as_matrix()
    posed = shaped + arrays["posedirs"] @ (rotations[1:] - np.eye(3)).reshape(-1)
    transforms = []
    for idx, parent in enumerate((-1, 0, 1, 1, 1)):
        local = np.eye(4)
        local[:3, :3] = rotations[idx]
        local[:3, 3] = joints[idx] - (joints[parent] if parent >= 0 else 0)
        transforms.append(local if parent < 0 else transforms[parent] @ local)
    skinned = np.zeros_like(posed)
    for idx, transform in enumerate(transforms):
        moved = posed @ transform[:3, :3].T + transform[:3, 3] - transform[:3, :3] @ joints[idx]
        skinned += arrays["weights"][:, idx : idx + 1] * moved
    return skinned + translation


def gnm_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of a GNM v3 file with a few modes."""
    rng = np.random.default_rng(seed)
    vertices, faces, (skin, left, right) = head_mesh()
    count = len(vertices)
    groups = {name: np.zeros(count, np.float32) for name in ("skin", "left_eye", "right_eye", "hockey_mask", "upper_lip", "lower_lip", "tongue")}
    groups["skin"][skin], groups["left_eye"][left], groups["right_eye"][right] = 1, 1, 1
    groups["hockey_mask"][:] = (vertices[:, 2] > 0.03) & (groups["skin"] > 0)
    joints = np.array([[0, -0.1, -0.02], [0, -0.05, -0.02], *EYES])
    weights = np.zeros((4, count))
    height = np.clip((vertices[:, 1] + 0.12) / 0.1, 0, 1)
    weights[0], weights[1] = 1 - height, height
    weights[:, left], weights[:, right] = np.eye(4)[2][:, None], np.eye(4)[3][:, None]
    return {
        "version": np.array("3.0"),
        "variant": np.array("head"),
        "template_vertex_positions": vertices,
        "template_joint_positions": joints,
        "vertex_identity_basis": rng.normal(0, 1e-3, (5, count, 3)),
        "joint_identity_basis": rng.normal(0, 1e-3, (5, 4, 3)),
        "expression_basis": rng.normal(0, 1e-3, (4, count, 3)),
        "identity_names": np.array([f"head_{k}" for k in range(5)]),
        "expression_names": np.array([f"lower_face_region_{k}" for k in range(4)]),
        "joint_names": np.array(["neck", "head", "left_eye", "right_eye"]),
        "joint_parent_indices": np.array([0, 0, 1, 1]),
        "skinning_weights": weights,
        "triangles": faces,
        "triangle_uvs": rng.uniform(0, 1, (len(faces), 3, 2)),
        "mirror_indices": np.arange(count),
        "pose_correctives_regressor": np.zeros((36, 3 * count), np.float32),
        "vertex_groups": np.stack(list(groups.values())),
        "vertex_group_names": np.array(list(groups)),
    }
