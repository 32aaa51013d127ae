"""Drawing a mesh over a photograph, fast and without gradients: for overlays and previews."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, UInt8
from numpy import ndarray

from headcast.geometry import Camera
from headcast.render.arrays import NEAR_M, Coverage, rasterize_arrays
from headcast.render.kernels import cpu
from headcast.render.kernels.overlay_cpu import draw_surface
from headcast.render.rendering import image_positions


def draw_mesh(
    picture: UInt8[ndarray, "height width 3"],
    vertices: Float32[ndarray, "vertices 3"],
    faces: Int[ndarray, "faces 3"],
    camera: Camera,
    color: Sequence[float] | Float[ndarray, "vertices 3"] = (0.8, 0.8, 0.8),
    opacity: float = 1.0,
    neighbours: Int[ndarray, "faces 3"] | None = None,
    cover: Coverage | None = None,
) -> UInt8[ndarray, "height width 3"]:
    """The photograph with a matt mesh over it, lit from the camera.

    Args:
        picture: sRGB; its size is the camera's.
        vertices: in world space.
        color: of the mesh, sRGB 0–1, one for all or one per vertex.
        opacity: 1 hides what is behind.
        neighbours: `face_neighbours(faces)`; with it outlines are smooth.
        cover: buffers to reuse (see `new_coverage`).
    """
    faces = np.ascontiguousarray(faces, np.int32)
    positions = image_positions(torch.from_numpy(vertices), camera).numpy()
    face, weights, depth = rasterize_arrays(positions, faces, *camera.size, out=cover)
    blends = np.empty((1, *camera.size, 2) if neighbours is not None else (1, 0, 0, 2), np.float32)
    if neighbours is not None:
        adjacent = np.ascontiguousarray(neighbours, np.int32)
        cpu.edge_blends(positions[None], faces, adjacent, face[None], depth[None], NEAR_M, blends)
    normals, sums = np.empty((2, 1, *vertices.shape), np.float32)
    cpu.vertex_normals(np.ascontiguousarray(vertices)[None], faces, sums, normals)
    colors = np.ascontiguousarray(np.broadcast_to(np.asarray(color, np.float32), vertices.shape))
    axis = np.ascontiguousarray(camera.camera_from_world.rotation[2].numpy(), np.float32)
    out = np.empty_like(picture)
    draw_surface(normals[0], colors, faces, face, weights, blends[0], axis, np.float32(opacity), np.ascontiguousarray(picture), out)
    return out
