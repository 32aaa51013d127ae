"""Joints, skinning weights, and the expressions rewritten so that eyes and jaw turn about their joints."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import spsolve
from scipy.spatial.transform import Rotation

from open_head_build.eyes import RADIUS_M
from open_head_build.mesh import JAWS, HeadMesh
from open_head_build.source import Source

JOINTS = ("neck", "jaw", "left_eye", "right_eye", "tongue_base", "tongue_tip")
PARENTS = (-1, 0, 0, 0, 1, 4)
_BONES = {"neck": "head", "jaw": "jaw", "tongue_base": "tongue01", "tongue_tip": "tongue03"}
"""The base mesh's bone at whose head each joint lies; eyes lie at the centres of their balls."""
_LOOK = ("eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp")


@dataclass(frozen=True)
class Expressions:
    """Linear shapes and the rotations of joints that go with them, at full strength."""

    names: tuple[str, ...]
    basis: Float[np.ndarray, "expression vertices 3"]
    joint_rotations: Float[np.ndarray, "expression joints 3"]


def joints_of_people(
    mesh: HeadMesh, base: Float[np.ndarray, "people source 3"], bones: Float[np.ndarray, "people bones 3"]
) -> Float[np.ndarray, "people joints 3"]:
    """Where the joints of each person lie."""
    labels = mesh.source.anny.bone_labels
    eyes = dict(zip(("left_eye", "right_eye"), (centre for centre, _ in mesh.eyes_of_people(base))))
    places = [eyes[name] if name in eyes else bones[:, labels.index(_BONES[name])] for name in JOINTS]
    places[1] = places[1] + _jaw_opening(mesh.source)[1]
    return np.stack(places, 1)


def skinning_weights(mesh: HeadMesh, boundary: Bool[np.ndarray, "vertices"]) -> Float[np.ndarray, "vertices joints"]:
    """Weights of the joints: the open edge stays with the root, everything above the neck moves with the neck joint."""
    source, count = mesh.source, mesh.vertex_count
    weights = np.zeros((count, len(JOINTS)))
    neck, jaw = _neck_weights(mesh, boundary), _jaw_weights(mesh)
    weights[:, 0], weights[:, 1] = neck * (1 - jaw), neck * jaw
    tongue = mesh.parts["tongue"]
    labels = source.anny.bone_labels
    towards_tip = [labels.index(name) for name in labels if name.startswith(("tongue03", "tongue04", "tongue06", "tongue07"))]
    tip = np.zeros(count)
    tip[: len(mesh.kept)] = source.bone_weights[mesh.kept][:, towards_tip].sum(1)
    tip = (tip + tip[mesh.mirror]) / 2
    weights[tongue] = 0
    weights[tongue, 4], weights[tongue, 5] = 1 - tip[tongue], tip[tongue]
    for name, row in (("left_eye", 2), ("right_eye", 3), ("upper_teeth", 0), ("lower_teeth", 1)):
        weights[mesh.parts[name]] = np.eye(len(JOINTS))[row]
    return weights


def expressions(
    mesh: HeadMesh, template: Float[np.ndarray, "vertices 3"], joints: Float[np.ndarray, "joints 3"], weights: Float[np.ndarray, "vertices joints"]
) -> Expressions:
    """The 52 shapes for this template. Shapes that open the jaw or turn an eye do so by its joint; their linear part is what remains."""
    source = mesh.source
    names = tuple(source.expression_names)
    shapes = np.zeros((len(names), mesh.vertex_count, 3))
    raw = source.blendshapes[source.expression_rows()]
    shapes[:, : len(mesh.kept)] = raw[:, mesh.kept]
    lower = mesh.parts["lower_teeth"]
    shapes[:, lower] = raw[:, source.helpers[JAWS[1]]].mean(1, keepdims=True)
    rotations = np.zeros((len(names), len(JOINTS), 3))
    for idx, name in enumerate(names):
        if name.startswith(_LOOK):
            rotations[idx, 2 if name.endswith("Left") else 3] = _eye_turn(source, raw[idx], name)
    opening = names.index("jawOpen")
    rotations[opening, 1] = _jaw_opening(source)[0]
    turn = Rotation.from_rotvec(rotations[opening, 1]).as_matrix()
    jaw = weights[:, [1, 4, 5]].sum(1)
    blended = np.eye(3) + jaw[:, None, None] * (turn - np.eye(3))
    carried = jaw[:, None] * ((template - joints[1]) @ (turn - np.eye(3)).T)
    shapes[opening] = _unblended(blended, shapes[opening] - carried)
    shapes[opening, mesh.parts["tongue"] | lower] = 0
    closing = names.index("mouthClose")
    shapes[closing] = _unblended(blended, shapes[closing])
    return Expressions(names, shapes, rotations)


def laplacian(faces: Int[np.ndarray, "faces 3"], count: int) -> csr_matrix:
    """Degree minus adjacency of the mesh's edges."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    adjacency = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count)).tocsr()
    adjacency = ((adjacency + adjacency.T) > 0).astype(float)
    return (diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency).tocsr()


def _unblended(blended: Float[np.ndarray, "vertices 3 3"], moved: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "vertices 3"]:
    """Offsets at rest that become `moved` once skinning has applied its blended matrices (the jaw fully open)."""
    return np.linalg.solve(blended, moved[..., None])[..., 0]


def _jaw_opening(source: Source) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Axis-angle of the fully opened jaw about ±X, and the axis' place relative to the base mesh's jaw bone.

    The artist's shape moves the lower helper teeth rigidly; a rotation and a translation in the median plane are one rotation about
    the point that stays where it is.
    """
    idx = source.helpers[JAWS[1]]
    before = source.template[idx]
    after = before + source.blendshapes[source.expression_rows()][source.expression_names.index("jawOpen")][idx]
    u, _, vt = np.linalg.svd((after - after.mean(0)).T @ (before - before.mean(0)))
    turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    angle = np.arctan2(turn[2, 1], turn[1, 1])
    turn = Rotation.from_rotvec([angle, 0, 0]).as_matrix()
    shift = after.mean(0) - turn @ before.mean(0)
    fixed = np.linalg.solve((np.eye(3) - turn)[1:, 1:], shift[1:])
    bone = source.bone_heads[source.anny.bone_labels.index("jaw")]
    return np.array([angle, 0, 0]), np.array([0, fixed[0] - bone[1], fixed[1] - bone[2]])


def _eye_turn(source: Source, shape: np.ndarray, name: str) -> Float[np.ndarray, "3"]:
    """Axis-angle of our eyeball that moves the pupil as far as the artist moved it on the larger ball; straight up, down or sideways."""
    side = "L" if name.endswith("Left") else "R"
    idx = source.part(f"eye_front.{side}", f"eye_back.{side}")
    before, after = source.template[idx], source.template[idx] + shape[idx]
    centre = before.mean(0)
    u, _, vt = np.linalg.svd((after - centre).T @ (before - centre))
    turn = Rotation.from_matrix(u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt).as_rotvec()
    main = np.abs(turn).argmax()
    old_radius = np.linalg.norm(before - centre, axis=1).mean()
    return np.eye(3)[main] * np.arcsin(np.sin(turn[main]) * old_radius / RADIUS_M)


def _neck_weights(mesh: HeadMesh, boundary: np.ndarray) -> Float[np.ndarray, "vertices"]:
    """1 on the head, 0 on the open edge, harmonic on the neck between them."""
    source = mesh.source
    labels, parents = source.anny.bone_labels, source.anny.bone_parents
    of_head = np.array([_descends(idx, labels.index("head"), parents) for idx in range(len(labels))])
    value = np.ones(mesh.vertex_count)
    value[: len(mesh.kept)] = source.bone_weights[mesh.kept][:, of_head].sum(1)
    value = (value + value[mesh.mirror]) / 2
    fixed = (value > 0.97) | ~mesh.parts["head"] | boundary
    value[fixed], value[boundary] = 1.0, 0.0
    system = laplacian(mesh.faces, mesh.vertex_count)
    free = ~fixed
    value[free] = spsolve(system[free][:, free].tocsc(), -system[free][:, fixed] @ value[fixed])
    return value


def _jaw_weights(mesh: HeadMesh) -> Float[np.ndarray, "vertices"]:
    """How much of the jaw's rotation each vertex follows when the artist opens the mouth, smoothed over the surface.

    Minimises Σ|D|²(w − w₀)² + λ wᵀLw, where D is the jaw's own motion at a vertex and w₀ the share of it that the artist's shape has.
    """
    source, count = mesh.source, mesh.vertex_count
    angle, place = _jaw_opening(source)
    pivot = source.bone_heads[source.anny.bone_labels.index("jaw")] + place
    rest = source.template[mesh.kept]
    rigid = (rest - pivot) @ (Rotation.from_rotvec(angle).as_matrix() - np.eye(3)).T
    drawn = source.blendshapes[source.expression_rows()][source.expression_names.index("jawOpen")][mesh.kept]
    strength, share = np.zeros(count), np.zeros(count)
    strength[: len(mesh.kept)] = (rigid**2).sum(1) / 1e-4
    share[: len(mesh.kept)] = np.clip((drawn * rigid).sum(1) / (rigid**2).sum(1), 0, 1)
    system = diags(strength + 1e-6) + 0.15 * laplacian(mesh.faces, count)
    weights = np.clip(spsolve(system.tocsc(), (strength + 1e-6) * share), 0, 1)
    weights = (weights + weights[mesh.mirror]) / 2
    return np.where(weights < 0.01, 0.0, weights)


def _descends(idx: int, ancestor: int, parents: list[int]) -> bool:
    while idx >= 0 and idx != ancestor:
        idx = parents[idx]
    return idx == ancestor
