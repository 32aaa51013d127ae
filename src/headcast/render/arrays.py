"""Rasterising NumPy arrays without gradients: what is called many times a second, one view at a time or several."""

import numpy as np
from jaxtyping import Float32, Int32
from numpy import ndarray

from headcast.errors import InputError
from headcast.render.kernels.cpu import rasterize

NEAR_M = 0.01
"""Faces with a corner nearer than this (m), or behind the camera, are not drawn."""

Coverage = tuple[
    Int32[ndarray, "*views height width"],
    Float32[ndarray, "*views height width 3"],
    Float32[ndarray, "*views height width"],
]
"""Face (−1 = nothing), perspective-correct weights of its corners, depth (m); zeros where there is nothing."""


def new_coverage(*shape: int) -> Coverage:
    """Buffers for `rasterize_arrays(out=)` of shape (*views, height, width)."""
    return np.empty(shape, np.int32), np.empty((*shape, 3), np.float32), np.empty(shape, np.float32)


def rasterize_arrays(
    positions: Float32[ndarray, "*views vertices 3"],
    faces: Int32[ndarray, "faces 3"],
    height: int,
    width: int,
    cull: bool = True,
    out: Coverage | None = None,
) -> Coverage:
    """What is seen at each pixel centre: the nearest face, where on it, and how far away.

    Args:
        positions: (x_px, y_px, depth_m) of each vertex; (0, 0) is the corner of the image.
        faces: counter-clockwise seen from outside. With `cull`, faces that show their inside are left out.
        out: buffers to fill, for example last frame's result.

    Returns:
        Face (−1 = nothing), weights of the face's three corners, and depth (m). The result does not depend on the number of threads.
    """
    shape = (*positions.shape[:-2], height, width)
    face, weights, depth = new_coverage(*shape) if out is None else out
    if face.shape != shape or weights.shape != (*shape, 3) or depth.shape != shape:
        found = f"{face.shape}, {weights.shape} and {depth.shape}"
        raise InputError(f"the buffers given as out must have the shapes {shape}, {(*shape, 3)} and {shape}; found {found}")
    rasterize(
        np.ascontiguousarray(positions, np.float32).reshape(-1, *positions.shape[-2:]),
        np.ascontiguousarray(faces, np.int32),
        NEAR_M,
        cull,
        face.reshape(-1, height, width),
        weights.reshape(-1, height, width, 3),
        depth.reshape(-1, height, width),
    )
    return face, weights, depth
