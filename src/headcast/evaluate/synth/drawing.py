"""Draws one frame of a synthetic head: supersampled, textured, lit; and says which vertices it shows."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from headcast.evaluate.synth.rays import mean_of_rays
from headcast.geometry import Camera, Mesh, vertex_normals
from headcast.heads import HeadModel
from headcast.render import image_positions, mip_level, rasterize, rasterize_arrays

_MARGIN_PX = 4
_LEAST_LIGHT = np.float32(0.02)


@dataclass(frozen=True)
class Drawing:
    """A head in a window of the image."""

    top: int
    left: int
    color: Float[np.ndarray, "height width 3"]
    """Linear, already multiplied with alpha."""
    alpha: Float[np.ndarray, "height width"]
    visible: Bool[np.ndarray, "vertices"]
    """Vertices that face the camera and belong to a face that is seen."""

    def over(self, background: Float[np.ndarray, "image_height image_width 3"]) -> Float[np.ndarray, "image_height image_width 3"]:
        """The whole image, linear."""
        image = background.copy()
        height, width = self.alpha.shape
        window = image[self.top : self.top + height, self.left : self.left + width]
        window[:] = self.color + window * (1 - self.alpha[..., None])
        return image


def draw_head(
    model: HeadModel,
    vertices: Float[torch.Tensor, "vertices 3"],
    camera: Camera,
    albedo: Float[torch.Tensor, "texture texture 3"],
    light: Float[torch.Tensor, "9 3"],
    supersampling: int,
) -> Drawing:
    """Only the window around the head is drawn; a head outside the image gives an empty window."""
    top, left, bottom, right = _window(vertices, camera)
    seen = np.zeros(len(vertices), bool)
    if bottom <= top or right <= left:
        return Drawing(0, 0, np.zeros((0, 0, 3), np.float32), np.zeros((0, 0), np.float32), seen)
    size = (bottom - top, right - left)
    fine = camera.cropped(float(left), float(top), size).resized((size[0] * supersampling, size[1] * supersampling))
    faces = model.faces.numpy().astype(np.int32)
    face, weights, _ = rasterize_arrays(image_positions(vertices, fine).numpy(), faces, *fine.size)
    normals = vertex_normals(vertices, model.faces)
    color, alpha, met = np.empty((*size, 3), np.float32), np.empty(size, np.float32), np.zeros(len(faces), bool)
    uv, uv_faces = model.uv.numpy(), model.uv_faces.numpy().astype(np.int32)
    mean_of_rays(normals.numpy(), uv, faces, uv_faces, face, weights, albedo.numpy(), light.numpy(), _LEAST_LIGHT, supersampling, color, alpha, met)
    seen[faces[met].ravel()] = True
    eye = camera.camera_from_world.inverse().translation
    seen &= ((normals * (eye - vertices)).sum(-1) > 0).numpy()
    return Drawing(top, left, color, alpha, seen)


def fitted_albedo(
    model: HeadModel,
    vertices: Float[torch.Tensor, "vertices 3"],
    camera: Camera,
    albedo: Float[np.ndarray, "texture texture 3"],
    supersampling: int,
) -> Float[torch.Tensor, "fitted fitted 3"]:
    """The texture, halved until a texel of the face is at most one ray wide: one picture for the whole clip instead of mip levels."""
    fine = camera.resized((camera.size[0] * supersampling, camera.size[1] * supersampling))
    rendering = rasterize(Mesh(vertices, model.faces), fine)
    covered = rendering.face >= 0
    result = torch.from_numpy(albedo)
    if covered.any():
        level = mip_level(rendering, model.uv, model.uv_faces, (albedo.shape[0], albedo.shape[1]))[covered].median()
        for _ in range(int(level.clamp_min(0).round())):
            result = _reduced(result, 2) if result.shape[0] % 2 == 0 else result
    return result


def _window(vertices: torch.Tensor, camera: Camera) -> tuple[int, int, int, int]:
    """Top, left, bottom and right (exclusive) of the head in the image, with a margin."""
    places = image_positions(vertices, camera)[:, :2]
    low, high = places.amin(0) - _MARGIN_PX, places.amax(0) + _MARGIN_PX
    height, width = camera.size
    left, top = (int(n) for n in torch.minimum(low.clamp_min(0), torch.tensor([float(width), float(height)])))
    right, bottom = (int(n) for n in torch.minimum(high.clamp_min(0).ceil(), torch.tensor([float(width), float(height)])))
    return top, left, bottom, right


def _reduced(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Means of `factor` × `factor` pixels."""
    total = sum(image[row::factor, column::factor] for row in range(factor) for column in range(factor))
    return total / (factor * factor)
