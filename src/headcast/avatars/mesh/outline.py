"""A head's shape grown to its outline: offsets of the head at rest so that, in all frames, the mesh ends where the matte ends."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from scipy.sparse.linalg import splu
from torch import Tensor

from headcast.avatars.frames import AvatarFrame
from headcast.avatars.mesh.bust import Bust
from headcast.geometry import edges_of, vertex_normals
from headcast.render import image_positions, rasterize_arrays
from headcast.solve.step import Step

_REACH_M = 0.045
"""How far from the mesh its outline is searched."""
_SIGMA_PX = 1.0
_BEND_MM = 0.4
"""How far a vertex may move otherwise than the middle of its neighbours."""
_SMALL_MM = {"nose": 0.3, "lips": 0.3, "eyelids": 0.3}
"""How large offsets may be where colours have placed the skin already."""
_SMALL_FACE_MM, _SMALL_ELSEWHERE_MM = 1.0, 40.0
"""The same of the face's front, and of everything that does not look forward: hair, ears, the sides of the face."""
_ROBUST_M = (0.05, 0.006)
"""Distances beyond which an outline is doubted, in the first and the last round."""
_INNER = ("eyeballs", "teeth", "tongue", "mouth_interior", "eye_sockets")
_INNER_MM = 0.3
_STEP_M = 0.001
"""Of the finite difference."""
_RIM_PX = 1.5
"""How near to the mesh's outline in the picture a vertex is to count."""
_SAME_PX = 1.0
"""How near the outlines of the person and of the head must be to each other: elsewhere clothes end the head, and may move."""


@dataclass(frozen=True)
class _Outline:
    """Where vertices of one frame's outline should go."""

    vertices: Int[ndarray, "found"]
    distance_px: Float[ndarray, "found"]
    """Away from the mesh."""
    slope: Float[ndarray, "found 3"]
    """How far that way a vertex goes in the picture (px) for an offset in head space at rest (m)."""


def grown(
    bust: Bust, identity: Float[Tensor, "identity"], start: Float[Tensor, "all_vertices 3"], frames: Sequence[AvatarFrame], rounds: int
) -> Generator[Step, None, Float[Tensor, "all_vertices 3"]]:
    """The offsets (m, head space at rest) after some rounds of finding outlines and solving for a smooth field.

    Args:
        start: offsets that the track has already.
    """
    belief = _belief(bust, identity, start)
    field = np.zeros((bust.vertex_count, 3))
    for done in range(rounds):
        offsets = start + torch.from_numpy(field).float()
        found = [_outline(bust, identity, offsets, frame) for frame in frames]
        doubt = float(np.geomspace(*_ROBUST_M, rounds)[done])
        field = _solved(found, field, belief, doubt)
        errors = np.concatenate([one.distance_px for one in found])
        yield Step("outline", done + 1, rounds, {"distance_px": float(np.abs(errors).mean()) if len(errors) else 0.0})
    return start + torch.from_numpy(field).float()


def _outline(bust: Bust, identity: Float[Tensor, "identity"], offsets: Float[Tensor, "all_vertices 3"], frame: AvatarFrame) -> _Outline:
    def projected(more: Float[Tensor, "3"]) -> Float32[ndarray, "all_vertices 3"]:
        return image_positions(bust.posed(identity, offsets + more, frame.pose), frame.camera).numpy()

    here = projected(torch.zeros(3))
    px_per_m = float(frame.camera.focal_px.mean()) / float(np.median(here[:, 2]))
    face, _, _ = rasterize_arrays(here, bust.faces.numpy().astype(np.int32), *frame.camera.size)
    covered = (face >= 0).astype(np.uint8)
    away = cv2.distanceTransform(1 - covered, cv2.DIST_L2, 5) - cv2.distanceTransform(covered, cv2.DIST_L2, 5)
    away = cv2.GaussianBlur(away, (0, 0), 1.5)
    height, width = covered.shape
    framed = (here[:, :2] > 2).all(1) & (here[:, 0] < width - 2) & (here[:, 1] < height - 2)
    candidates = np.flatnonzero(framed & (np.abs(_at(away, here[:, :2], 99.0)) < _RIM_PX))
    gradient = np.stack([_at(np.ascontiguousarray(slope), here[candidates, :2], 0.0) for slope in np.gradient(away)[::-1]], -1)
    direction = gradient / np.maximum(np.linalg.norm(gradient, axis=-1, keepdims=True), 1e-6)
    distance, good = _searched(frame, here[candidates, :2], direction, _REACH_M * px_per_m)
    chosen, direction = candidates[good], direction[good]
    moved = [(projected(_STEP_M * axis)[chosen, :2] - here[chosen, :2]) / _STEP_M for axis in torch.eye(3)]
    return _Outline(chosen, distance[good], np.stack([(step * direction).sum(-1) for step in moved], -1))


def _searched(
    frame: AvatarFrame, places: Float[ndarray, "candidates 2"], direction: Float[ndarray, "candidates 2"], reach_px: float
) -> tuple[Float[ndarray, "candidates"], ndarray]:
    """How far along each direction the opacity of the head crosses one half, nearest first, and whether that of the person does so there too."""
    steps = np.arange(-np.ceil(reach_px), np.ceil(reach_px) + 1)
    line = places[:, None] + steps[:, None] * direction[:, None]
    head, person = (_crossing(_at(opacity, line, 0.0), steps) for opacity in (frame.head, frame.person))
    both = np.isfinite(head) & np.isfinite(person)
    return head, both & (np.abs(np.where(both, head, 0) - np.where(both, person, 0)) < _SAME_PX)


def _crossing(values: Float[ndarray, "lines steps"], steps: Float[ndarray, "steps"]) -> Float[ndarray, "lines"]:
    """Of each line the step nearest to zero where it falls below one half; infinite where it does not."""
    falls = (values[:, :-1] >= 0.5) & (values[:, 1:] < 0.5)
    drop = values[:, :-1] - values[:, 1:]
    place = steps[:-1] + (values[:, :-1] - 0.5) / np.where(falls, drop, 1)
    away = np.where(falls, np.abs(place), np.inf)
    best = away.argmin(1)
    return np.where(np.isfinite(away.min(1)), place[np.arange(len(values)), best], np.inf)


def _at(picture: Float32[ndarray, "height width"], places: Float[ndarray, "*n 2"], outside: float) -> ndarray:
    """Bilinear values; (0.5, 0.5) is the first pixel's centre."""
    flat = np.ascontiguousarray(places.reshape(-1, 1, 2) - 0.5, np.float32)
    values = [
        cv2.remap(picture.astype(np.float32), part, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=float(outside))
        for part in np.array_split(flat, len(flat) // 30000 + 1)
    ]
    return np.concatenate(values).reshape(places.shape[:-1])


def _solved(
    found: Sequence[_Outline], field: Float[ndarray, "all_vertices 3"], belief: sp.csr_matrix, doubt_m: float
) -> Float[ndarray, "all_vertices 3"]:
    """The field after one robust step."""
    size = len(field)
    blocks, right = np.zeros((size, 3, 3)), np.zeros((size, 3))
    for one in found:
        speed = np.linalg.norm(one.slope, axis=1)
        robust = 1 / (1 + (one.distance_px / (doubt_m * speed)) ** 2) ** 2
        weight = robust / _SIGMA_PX**2 / len(found)
        wanted = one.distance_px + (one.slope * field[one.vertices]).sum(1)
        np.add.at(blocks, one.vertices, weight[:, None, None] * one.slope[:, :, None] * one.slope[:, None])
        np.add.at(right, one.vertices, (weight * wanted)[:, None] * one.slope)
    information = sp.block_diag(list(blocks), format="csr")
    return splu((sp.kron(belief, sp.eye(3)) + information).tocsc()).solve(right.ravel()).reshape(size, 3)


def _belief(bust: Bust, identity: Float[Tensor, "identity"], offsets: Float[Tensor, "all_vertices 3"]) -> sp.csr_matrix:
    """Precision of each coordinate of the field: smooth everywhere, small where colours have placed the skin."""
    normals = vertex_normals(bust.posed(identity, offsets, bust.model.neutral_pose()), bust.faces).double().numpy()
    size = bust.vertex_count
    a, b = edges_of(bust.faces).numpy().T
    adjacency = sp.csr_matrix((np.ones(2 * len(a)), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(size, size))
    degree = np.maximum(np.asarray(adjacency.sum(1))[:, 0], 1)
    laplacian = sp.eye(size) - sp.diags(1 / degree) @ adjacency
    forward = np.clip((normals[:, 2] - 0.3) / 0.4, 0, 1) * bust.region("face")
    small = _SMALL_ELSEWHERE_MM * (_SMALL_FACE_MM / _SMALL_ELSEWHERE_MM) ** forward
    for name, width in {**_SMALL_MM, **dict.fromkeys(_INNER, _INNER_MM)}.items():
        small[bust.region(name)] = width
    return (1e6 / _BEND_MM**2 * laplacian.T @ laplacian + sp.diags(1e6 / small**2)).tocsr()
