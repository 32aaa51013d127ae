"""The pinhole camera: OpenCV axes (+X right, +Y down, +Z forward), pixel (0, 0) is the corner of the image."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from headcast.geometry.transform import Transform


@dataclass(frozen=True)
class Camera:
    """A batch of pinhole cameras with one image size."""

    focal_px: Float[Tensor, "*batch 2"]
    """Horizontal and vertical focal length."""
    center_px: Float[Tensor, "*batch 2"]
    """Principal point, (x, y)."""
    size: tuple[int, int]
    """(height, width) in pixels."""
    camera_from_world: Transform

    @classmethod
    def looking_along_minus_z(cls, focal_px: float, size: tuple[int, int], dtype: torch.dtype = torch.float32) -> "Camera":
        """A camera at the world's origin that looks along −Z with +Y up: the default for one still camera."""
        flip = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=dtype))
        height, width = size
        return cls(
            focal_px=torch.tensor([focal_px, focal_px], dtype=dtype),
            center_px=torch.tensor([width / 2, height / 2], dtype=dtype),
            size=size,
            camera_from_world=Transform(flip, torch.zeros(3, dtype=dtype)),
        )

    def project(self, points: Float[Tensor, "*batch n 3"]) -> Float[Tensor, "*batch n 2"]:
        """Pixel positions of world points. Points behind the camera give positions without meaning."""
        inside = self.camera_from_world.points(points)
        return inside[..., :2] / inside[..., 2:] * self.focal_px[..., None, :] + self.center_px[..., None, :]

    def rays(self, pixels: Float[Tensor, "*batch n 2"]) -> Float[Tensor, "*batch n 3"]:
        """Directions (depth one) in camera space through pixel positions."""
        xy = (pixels - self.center_px[..., None, :]) / self.focal_px[..., None, :]
        return torch.cat([xy, torch.ones_like(xy[..., :1])], -1)

    def resized(self, size: tuple[int, int]) -> "Camera":
        """The same view in an image of another size (height, width)."""
        ratio = torch.tensor([size[1] / self.size[1], size[0] / self.size[0]], dtype=self.focal_px.dtype, device=self.focal_px.device)
        return replace(self, focal_px=self.focal_px * ratio, center_px=self.center_px * ratio, size=size)

    def cropped(self, left_px: float, top_px: float, size: tuple[int, int]) -> "Camera":
        """The view through a window of the image whose upper left corner is (left_px, top_px)."""
        corner = torch.tensor([left_px, top_px], dtype=self.focal_px.dtype, device=self.focal_px.device)
        return replace(self, center_px=self.center_px - corner, size=size)

    def to(self, device: torch.device | str) -> "Camera":
        return replace(
            self, focal_px=self.focal_px.to(device), center_px=self.center_px.to(device), camera_from_world=self.camera_from_world.to(device)
        )
