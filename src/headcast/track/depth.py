"""Measured depth as normal equations: points of the head's surface against the surface that the depth camera saw, along their normals."""

import numpy as np
from jaxtyping import Float, Int

from headcast.track.equations import Equations
from headcast.track.observation import Picture
from headcast.track.person import Person
from headcast.track.view import View

_HIDDEN_M = 0.004
"""A vertex that lies this far behind what is drawn at its pixel is not seen."""
_STEEP = 0.35
"""Cosine between sight and normal below which depth cameras measure badly."""


def depth_residuals(
    person: Person, view: View, picture: Picture
) -> tuple[Int[np.ndarray, "seen"], Float[np.ndarray, "seen"], Float[np.ndarray, "seen 3"]]:
    """Vertices whose depth was measured, by how much the measured surface lies outside of each along its normal (m), and the measured points.

    The tangent plane of the model stands for the surface around a vertex (point to plane, Chen & Medioni 1992), and the vertex's pixel says which
    measurement belongs to it (Blais & Levine 1995).
    """
    assert picture.depth is not None
    points, surface = view.motion.camera_points, person.tracked.surface
    height, width = picture.depth.shape
    column, row = np.floor(view.motion.pixels).astype(int).T
    inside = (column >= 1) & (column < width - 1) & (row >= 1) & (row < height - 1) & (points[:, 2] > 0)
    column, row = np.where(inside, column, 0), np.where(inside, row, 0)
    measured, drawn = picture.depth[row, column], view.depth[row, column]
    sight = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    facing = -(view.normals * sight).sum(1)
    seen = inside & (measured > 0) & (view.face[row, column] >= 0) & (points[:, 2] < drawn + _HIDDEN_M) & (facing > _STEEP)
    # A vertex counts where it belongs to skin, as much as the picture's matte gives its pixel to the person.
    seen &= (surface.vertex_weight > 0) & (picture.matte[row, column] > 0.5)
    chosen = np.flatnonzero(seen)
    focal, center = picture.window.focal(person.focal_px), picture.window.center(person.center_px)
    at = (view.motion.pixels[chosen] - center) / focal
    target = measured[chosen, None] * np.concatenate([at, np.ones((len(chosen), 1))], 1)
    return chosen, ((target - points[chosen]) * view.normals[chosen]).sum(1), target


def depth_equations(person: Person, view: View, picture: Picture, sigma: float, share: float, shared: bool) -> Equations:
    """Equations of the depth term; with `shared` the unknowns go on with identity coefficients and the logarithm of the focal length.

    Args:
        sigma: Standard deviation of a measurement (m); residuals of several are outliers.
        share: Of each measurement's evidence that counts: neighbours err alike.
    """
    chosen, residual, target = depth_residuals(person, view, picture)
    moves = view.motion.point_derivatives(chosen)
    normals = view.normals[chosen].astype(np.float32)
    rows = np.einsum("na,nau->nu", normals, moves.jacobian)
    if shared:
        rest = np.einsum("na,nab->nb", normals, moves.rest_jacobian)
        identity = np.einsum("nb,nbi->ni", rest, person.tracked.surface.basis.identity_basis[chosen])
        # With a longer focal length the measured point lies nearer to the axis.
        zoom = (normals[:, :2] * target[:, :2]).sum(1, keepdims=True)
        rows = np.concatenate([rows, identity, zoom.astype(np.float32)], 1)
    scaled = 1 + 0.1 * (residual / sigma) ** 2
    weight = share * person.tracked.surface.vertex_weight[chosen] / (sigma**2 * scaled**2)
    weighted = rows * weight[:, None].astype(np.float32)
    cost = 0.5 * float((weight * scaled * residual**2).sum())
    return Equations((rows.T @ weighted).astype(np.float64), (weighted.T @ residual.astype(np.float32)).astype(np.float64), {"depth": cost})
