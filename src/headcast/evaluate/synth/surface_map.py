"""The surface of a head model laid out as a picture: for every texel, which point of the head it paints."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt

from headcast.heads import HeadModel
from headcast.render import rasterize_arrays


@dataclass(frozen=True)
class SurfaceMap:
    """Painted texels of a square texture, as a list; row 0 of the picture is its upper edge."""

    size: int
    row: Int[np.ndarray, "texels"]
    column: Int[np.ndarray, "texels"]
    face: Int[np.ndarray, "texels"]
    weights: Float[np.ndarray, "texels 3"]
    points: Float[np.ndarray, "texels 3"]
    """On the template, head space (m)."""
    normals: Float[np.ndarray, "texels 3"]
    """Unit, outward."""

    def picture(self, colors: Float[np.ndarray, "texels 3"]) -> Float[np.ndarray, "size size 3"]:
        """The texels in place; what no face covers repeats the nearest texel, so that filtering does not bleed."""
        result = np.zeros((self.size, self.size, 3), np.float32)
        result[self.row, self.column] = colors
        empty = np.ones((self.size, self.size), bool)
        empty[self.row, self.column] = False
        nearest = distance_transform_edt(empty, return_distances=False, return_indices=True)
        return result[tuple(nearest)]


def surface_map(model: HeadModel, size: int) -> SurfaceMap:
    """Lays the model's faces out by their texture positions and notes what each texel's centre meets."""
    uv = model.uv.numpy().astype(np.float32)
    places = np.concatenate([uv[:, :1] * size, (1 - uv[:, 1:]) * size, np.ones((len(uv), 1), np.float32)], 1).astype(np.float32)
    face, weights, _ = rasterize_arrays(places, model.uv_faces.numpy().astype(np.int32), size, size, cull=False)
    row, column = np.nonzero(face >= 0)
    face, weights = face[row, column].astype(np.int64), weights[row, column].astype(np.float64)
    faces, vertices = model.faces.numpy(), model.template.numpy().astype(np.float64)
    corners = vertices[faces[face]]
    points = np.einsum("tk,tkc->tc", weights, corners)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    return SurfaceMap(size, row, column, face, weights, points, normals)


def texels_of(model: HeadModel, surface: SurfaceMap, region: str) -> Bool[np.ndarray, "texels"]:
    """Texels on faces of a region; none where the model has no such region."""
    if region not in model.regions:
        return np.zeros(len(surface.face), bool)
    return model.face_regions(region).numpy()[surface.face]
