"""What hangs on the skin without being skin: eyeballs that stay spheres and teeth that keep their shape under a smooth process."""

import numpy as np
from jaxtyping import Float

from open_head_build.mesh import SIDES, HeadMesh
from open_head_build.rig import JOINTS


def with_attachments(
    fields: Float[np.ndarray, "fields points 3"], mesh: HeadMesh, template: Float[np.ndarray, "vertices 3"], joints: Float[np.ndarray, "joints 3"]
) -> Float[np.ndarray, "fields points 3"]:
    """Fields over vertices and joints with each eyeball moved by a translation and a uniform scale that follow its socket best,
    and teeth by the affine map that follows them best; the eye joints go with the balls."""
    result, count = fields.copy(), len(template)
    for side, ball in zip(SIDES, ("left_eye", "right_eye")):
        joint = JOINTS.index(ball)
        centre = joints[joint]
        near = (np.linalg.norm(template - centre, axis=1) < 0.0185) & (template[:, 2] > centre[2])
        socket = np.flatnonzero(mesh.parts[f"eye_cavity.{side}"] & near)
        around = template[socket] - centre
        centred = around - around.mean(0)
        growth = np.einsum("vd,kvd->k", centred, fields[:, socket]) / (centred**2).sum()
        moved = fields[:, socket].mean(1) - growth[:, None] * around.mean(0)
        own = np.flatnonzero(mesh.parts[ball])
        result[:, own] = moved[:, None] + growth[:, None, None] * (template[own] - centre)
        result[:, count + joint] = moved
    for row in ("upper_teeth", "lower_teeth"):
        idx = np.flatnonzero(mesh.parts[row])
        rest = np.concatenate([template[idx], np.ones((len(idx), 1))], 1)
        result[:, idx] = rest @ (np.linalg.pinv(rest) @ fields[:, idx])
    return result


def with_round_eyes(
    fields: Float[np.ndarray, "fields points 3"], mesh: HeadMesh, template: Float[np.ndarray, "vertices 3"], joints: Float[np.ndarray, "joints 3"]
) -> Float[np.ndarray, "fields points 3"]:
    """Fields whose eyeballs only move and grow: what turns or deforms them is left out."""
    result = fields.copy()
    for ball in ("left_eye", "right_eye"):
        own, joint = np.flatnonzero(mesh.parts[ball]), JOINTS.index(ball)
        offset = template[own] - joints[joint]
        moved = fields[:, len(template) + joint]
        growth = np.einsum("vd,kvd->k", offset, fields[:, own] - moved[:, None]) / (offset**2).sum()
        result[:, own] = moved[:, None] + growth[:, None, None] * offset
    return result
