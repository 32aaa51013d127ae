"""A rendered frame: what of the head is visible where."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, Int

from headcast.render import rasterize_arrays
from headcast.track.light import gamma_shading
from headcast.track.observation import Window
from headcast.track.person import Person
from headcast.track.points import FrameState, Motion, move_points
from headcast.track.surface import surface_normals

_STEEPEST = 4.0
"""Depth that neighbouring pixels of one surface may differ by, in pixels; more is an outline. There the picture mixes what is before with what is
behind, and its gradient is that of the outline, not of the skin: it would pull the head's edge outwards by half a pixel."""


@dataclass(frozen=True)
class View:
    """A rendered frame: what is visible where, before colours are compared."""

    motion: Motion
    face: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray
    shading: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    inner: Float[np.ndarray, "height width"]
    """1 where a pixel and all around it show one piece of the surface, 0 along outlines."""

    def exposed(self, gain: Float[np.ndarray, "3"]) -> "View":
        """The same with a gain (gamma space) on its shading."""
        return replace(self, shading=self.shading * gain.astype(np.float32))


def view_of(person: Person, state: FrameState, window: Window, light: Float[np.ndarray, "9 3"] | None = None) -> View:
    """Moves, shades and rasterises the surface in a window."""
    surface = person.tracked.surface
    motion = move_points(
        surface.basis, person.rest, person.skeleton, person.tracked.unknowns, state, window.focal(person.focal_px), window.center(person.center_px)
    )
    positions = np.concatenate([motion.pixels, motion.camera_points[:, 2:]], 1)
    face, barycentric, depth = rasterize_arrays(positions, surface.faces, *window.size)
    normals = surface_normals(motion.camera_points, surface.faces, surface.incident_start, surface.incident_face)
    shading = gamma_shading(normals, person.light_from_camera, person.light if light is None else light)
    inner = _inner(face, depth, surface.face_weight, _STEEPEST / float(window.focal(person.focal_px).mean()))
    return View(motion, face, barycentric, depth, shading, normals, inner)


def _inner(
    face: Int[np.ndarray, "height width"], depth: Float[np.ndarray, "height width"], face_weight: Float[np.ndarray, "faces"], steepest: float
) -> Float[np.ndarray, "height width"]:
    """1 for pixels around which all faces count and no depth differs by more than `steepest` times the depth, 0 elsewhere."""
    around = np.ones((3, 3), np.uint8)
    counted = cv2.erode(np.take(np.append(face_weight > 0, False).astype(np.uint8), face), around, borderValue=0)
    nearest, farthest = cv2.erode(depth, around), cv2.dilate(depth, around)
    return (counted * (np.maximum(farthest - depth, depth - nearest) <= steepest * depth)).astype(np.float32)
