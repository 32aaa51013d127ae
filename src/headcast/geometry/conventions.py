"""Other people's axes and origins. Ours: cameras look along +Z with +X right and +Y down (OpenCV); pixel (0, 0) is the upper left corner."""

import torch

from headcast.geometry.transform import Transform


def _axes(x: float, y: float, z: float) -> Transform:
    return Transform(torch.diag(torch.tensor([x, y, z], dtype=torch.float32)), torch.zeros(3))


OPENGL_FROM_OPENCV = _axes(1.0, -1.0, -1.0)
"""OpenGL, Blender and glTF cameras: +X right, +Y up, look along −Z."""

PYTORCH3D_FROM_OPENCV = _axes(-1.0, -1.0, 1.0)
"""PyTorch3D view space: +X left, +Y up, look along +Z."""


def from_lower_edge(y_px: float, height_px: int) -> float:
    """A picture position counted from the lower edge instead of the upper one, or the other way round."""
    return height_px - y_px
