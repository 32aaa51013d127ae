"""A textured mesh as an avatar: the texture is blended from a few components by how face and head are posed, in gamma space."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from headcast.avatars.avatar import Portrait
from headcast.avatars.mesh.bust import Bust
from headcast.avatars.mesh.features import PoseFeatures
from headcast.avatars.mesh.layers import Shape
from headcast.geometry import Camera
from headcast.heads import HeadModel, HeadPose
from headcast.render import Rendering, antialias, interpolate, mip_level, sample_texture
from headcast.store import check_arrays

_SCHEMA = {
    "identity": ("identity",),
    "offsets": ("vertices", 3),
    "skin": ("parts", "height", "width", 4),
    "fringe": ("parts", "height", "width", 4),
    "feature_scale": ("raw",),
    "feature_mean": ("raw",),
    "feature_directions": ("features", "raw"),
    "feature_reach": ("features",),
}
_FINER = 1.0
"""Mip levels by which textures are read finer than usual: their texels were solved from single pixels, and blend several already."""


@dataclass(frozen=True)
class MeshAvatar:
    """Skin and fringe of a bust, each with a texture per feature: sRGB times opacity, and opacity."""

    kind: ClassVar[str] = "mesh"
    shape: Shape
    features: PoseFeatures
    skin: Float[Tensor, "parts height width 4"]
    """The mean texture, then what a unit of each feature adds."""
    fringe: Float[Tensor, "parts height width 4"]

    @property
    def model(self) -> HeadModel:
        return self.shape.bust.model

    @cached_property
    def _flat(self) -> Float[Tensor, "parts texels_of_both"]:
        return torch.cat([self.skin.flatten(1), self.fringe.flatten(1)], 1).contiguous()

    def render(self, pose: HeadPose, camera: Camera) -> Portrait:
        skin, fringe = self.shape.layers(pose, camera)
        blended = self.features.of_pose(pose, camera) @ self._flat
        textures = blended.reshape(2, *self.skin.shape[1:])
        shape = self.shape
        color = _sampled(textures[0], skin, shape.bust.uv, shape.uv_faces) + _sampled(textures[1], fringe, shape.bust.uv, shape.fringe_uv_faces)
        color = antialias(color, skin, shape.neighbours)
        alpha = color[..., 3].clamp(0, 1)
        depth = torch.where(skin.face >= 0, skin.depth, torch.where(fringe.face >= 0, fringe.depth, torch.zeros_like(fringe.depth)))
        return Portrait(color[..., :3].clamp_min(0).minimum(alpha[..., None]), alpha, torch.where(alpha > 0, depth, torch.zeros_like(depth)))

    def arrays(self) -> dict[str, ndarray]:
        """Textures in half precision, which is finer than a step of 8 bits."""
        half = {name: getattr(self, name).numpy().astype(np.float16) for name in ("skin", "fringe")}
        return {"identity": self.shape.identity.numpy(), "offsets": self.shape.offsets.numpy(), **half, **self.features.arrays()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, ndarray], model: HeadModel, path: Path) -> "MeshAvatar":
        bust = Bust.of(model)
        raw = model.expression_count + 3 * model.joint_count + 3
        parts = arrays["feature_reach"].shape[0] + 1 if "feature_reach" in arrays and arrays["feature_reach"].ndim == 1 else 1
        fixed = {"offsets": (bust.vertex_count, 3), "feature_scale": (raw,)}
        textures = {name: (parts, "height", "width", 4) for name in ("skin", "fringe")}
        check_arrays(arrays, {**_SCHEMA, **fixed, **textures}, (), path)
        values = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in _SCHEMA}
        features = PoseFeatures(*(values[f"feature_{name}"] for name in ("scale", "mean", "directions", "reach")))
        return cls(Shape(bust, values["identity"], values["offsets"]), features, values["skin"], values["fringe"])


def _sampled(
    texture: Float[Tensor, "texture_height texture_width 4"], seen: Rendering, uv: Float[Tensor, "uvs 2"], uv_faces: Tensor
) -> Float[Tensor, "height width 4"]:
    """The texture where the surface is seen, zeros elsewhere."""
    level = (mip_level(seen, uv, uv_faces, texture.shape[:2]) - _FINER).clamp_min(0)
    return sample_texture(texture.contiguous(), interpolate(uv, seen, uv_faces), level, seen.face)
