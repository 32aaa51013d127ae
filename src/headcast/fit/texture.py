"""The scan's colours in the head model's atlas, taken along the correspondence of the surfaces; what the scan does not show is filled."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from numpy import ndarray
from scipy.spatial import cKDTree

from headcast.fit.scan import Scan, places_on_mesh
from headcast.fit.target import Target
from headcast.geometry import vertex_normals
from headcast.geometry.closest import ClosestPoints, barycentric_of_nearest
from headcast.heads.open_head import default_albedo
from headcast.perceive.embedding import region_colors
from headcast.render import linear_from_srgb, rasterize_arrays

_REACH_M = 0.004
_FACING = 0.2
_INSIDE = ("eyeballs", "mouth_interior", "teeth", "tongue", "eye_sockets")
_CLOUD_NEIGHBOURS = 4
_SPREAD = 250_000
_BESIDE = 2.0
"""How far, as a multiple of the reach, the search goes: trees are slow where nothing is near."""


@dataclass(frozen=True)
class Albedo:
    """A texture in a head model's atlas, row 0 at v = 1."""

    albedo: Float32[ndarray, "side side 3"]
    """Linear."""
    certainty: Float32[ndarray, "side side"]
    """1 where the scan shows the texel, 0 where it was filled."""


ColorsAt = Callable[[Float[ndarray, "n 3"], Float[ndarray, "n 3"]], tuple[Float[ndarray, "n 3"], Bool[ndarray, "n"]]]
"""sRGB 0–1 for points and normals in head space, and where it is known."""


def transferred(target: Target, vertices: Float[ndarray, "vertices 3"], colors_at: ColorsAt, side_px: int) -> Albedo:
    """Colours at every texel of the model with these vertices (m, head space)."""
    model = target.model
    row, column, face, weights = _texels(model.uv.numpy(), model.uv_faces.numpy(), side_px)
    corners = target.faces[face]
    points = (vertices[corners] * weights[..., None]).sum(1)
    normals = (target.normals(vertices)[corners] * weights[..., None]).sum(1)
    inside = np.logical_or.reduce([model.regions[name].numpy() for name in _INSIDE if name in model.regions])
    wanted = ~inside[corners].all(1)
    colors, seen = np.zeros((len(row), 3)), np.zeros(len(row), bool)
    srgb, seen[wanted] = colors_at(points[wanted], normals[wanted])
    colors[wanted] = linear_from_srgb(torch.from_numpy(srgb)).numpy()
    plain = _plain(target, row, column, corners, weights, side_px)
    skin = ~inside[corners].any(1)
    if (seen & skin).any():
        # What lies inside keeps its usual colours, as bright as this person's skin is beside the usual.
        plain *= np.clip(np.median(colors[seen & skin], 0) / np.maximum(np.median(plain[skin], 0), 1e-3), 0.5, 2.0).mean()
    picture, known = np.zeros((side_px, side_px, 3), np.float32), np.zeros((side_px, side_px), bool)
    picture[row, column] = np.where(seen[:, None], colors, plain)
    known[row, column] = seen | ~skin
    certainty = np.zeros((side_px, side_px), np.float32)
    certainty[row, column] = seen
    return Albedo(_filled(picture, known), certainty)


def _texels(uv: ndarray, uv_faces: ndarray, side_px: int) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Row, column, face and place on it of every texel that the atlas uses."""
    flat = uv[uv_faces].reshape(-1, 2)
    positions = np.stack([flat[:, 0] * side_px, (1 - flat[:, 1]) * side_px, np.ones(len(flat))], 1).astype(np.float32)
    order = np.arange(len(flat), dtype=np.int32).reshape(-1, 3)
    face, weights, _ = rasterize_arrays(positions, order, side_px, side_px, cull=False)
    row, column = np.nonzero(face >= 0)
    return row, column, face[row, column], weights[row, column].astype(np.float64)


def colors_of_scan(scan: Scan, points: Float[ndarray, "n 3"], normals: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "n 3"], Bool[ndarray, "n"]]:
    """sRGB colours of the place on a scan (in head space) that is nearest to each point, and whether it is near and faces the same way."""
    if scan.faces is None:
        distance, nearest = cKDTree(scan.vertices).query(points, k=_CLOUD_NEIGHBOURS, workers=-1, distance_upper_bound=_BESIDE * _REACH_M)
        nearest = np.minimum(nearest, len(scan.vertices) - 1)
        weight = 1 / np.maximum(distance, 1e-5) + 1e-12
        srgb = (scan.color_of_points()[nearest] * (weight / weight.sum(1, keepdims=True))[..., None]).sum(1)
        seen = distance[:, 0] < _REACH_M
    else:
        low, high = points.min(0) - 0.02, points.max(0) + 0.02
        near = np.flatnonzero(((scan.vertices > low) & (scan.vertices < high)).all(1)[scan.faces].any(1))
        found = _nearest_on_mesh(scan.vertices, scan.faces[near], points)
        seen = found.distance < _REACH_M
        own = vertex_normals(torch.from_numpy(scan.vertices), torch.from_numpy(scan.faces)).numpy()
        facing = (own[scan.faces[near[found.faces]]] * found.barycentric[..., None]).sum(1)
        # Files may wind their faces either way; most of the surface says which.
        agreement = (facing * normals).sum(1)
        seen &= agreement * np.sign(np.median(agreement[seen])) > _FACING if seen.any() else seen
        srgb = scan.color_at(near[found.faces], found.barycentric)
    return srgb, seen


def _nearest_on_mesh(vertices: ndarray, faces: ndarray, points: ndarray) -> ClosestPoints:
    """The nearest place on the face of the nearest of many points spread over a mesh: not always the nearest place, but beside it."""
    spread, weights = places_on_mesh(vertices, faces, _SPREAD, np.random.default_rng(0))
    _, nearest = cKDTree((vertices[faces[spread]] * weights[..., None]).sum(1)).query(points, workers=-1, distance_upper_bound=_BESIDE * _REACH_M)
    near = nearest < len(spread)
    face = spread[np.where(near, nearest, 0)]
    weights = barycentric_of_nearest(points, vertices[faces[face]])
    places = (vertices[faces[face]] * weights[..., None]).sum(1)
    return ClosestPoints(face, weights, places, np.where(near, np.linalg.norm(places - points, axis=1), np.inf))


def _plain(target: Target, row: ndarray, column: ndarray, corners: ndarray, weights: ndarray, side_px: int) -> Float[ndarray, "n 3"]:
    """The model's usual linear colours: its painted texture, or those of its regions."""
    if target.model.name == "open":
        picture = cv2.resize(default_albedo().numpy(), (side_px, side_px), interpolation=cv2.INTER_LINEAR)
        return picture[row, column].astype(np.float64)
    return (region_colors(target.model).double().numpy()[corners] * weights[..., None]).sum(1)


def _filled(picture: Float32[ndarray, "side side 3"], known: ndarray) -> Float32[ndarray, "side side 3"]:
    """Unknown texels from those around: means over ever larger squares (push and pull, Gortler et al. 1996)."""
    levels = [(picture * known[..., None], known.astype(np.float32))]
    while levels[-1][1].shape[0] > 1:
        color, weight = levels[-1]
        size = (max(color.shape[1] // 2, 1), max(color.shape[0] // 2, 1))
        levels.append((cv2.resize(color, size, interpolation=cv2.INTER_AREA), cv2.resize(weight, size, interpolation=cv2.INTER_AREA)))
    color, weight = levels[-1]
    result = color / np.maximum(weight, 1e-6)[..., None]
    for color, weight in reversed(levels[:-1]):
        above = cv2.resize(result, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share = np.clip(weight, 0, 1)[..., None]
        result = np.where(share > 0, color / np.maximum(weight, 1e-6)[..., None] * share + above * (1 - share), above)
    return np.where(known[..., None], picture, result).astype(np.float32)
