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
    "solid": ("height", "width", 5),
    "feature_scale": ("raw",),
    "feature_mean": ("raw",),
    "feature_directions": ("features", "raw"),
    "feature_reach": ("features",),
}
_MORE_FACING = (0.15, 0.4)
"""By how much the cosine between normal and view must exceed that of the training frames for the solid texture to show, and to show wholly."""
_OPAQUE = 0.97
"""Opacity that counts as whole."""
_FINER = 1.0
"""Mip levels by which textures are read finer than usual: their texels were solved from single pixels, and blend several already."""


@dataclass(frozen=True)
class MeshAvatar:
    """Skin and fringe of a bust, each with a texture per feature: sRGB times opacity, and opacity.

    Along outlines pictures are half background, and texels that were only ever seen there are half transparent. Where such a texel turns to the
    camera, what is missing to opaque comes from a solid texture.
    """

    kind: ClassVar[str] = "mesh"
    shape: Shape
    features: PoseFeatures
    skin: Float[Tensor, "parts height width 4"]
    """The mean texture, then what a unit of each feature adds."""
    fringe: Float[Tensor, "parts height width 4"]
    solid: Float[Tensor, "height width 5"]
    """What lies under the skin: sRGB times opacity, opacity, and the mean cosine between normal and view at which training frames saw the texel.
    Nothing on the neck, which ends in a collar."""

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
        px_per_m = float(camera.focal_px.mean() / camera.camera_from_world.points(pose.world_from_head.translation[None])[0, 2].clamp_min(1e-6))
        fine = self._texels_per_m <= 2**_FINER * px_per_m
        color = _sampled(textures[0], skin, shape.bust.uv, shape.uv_faces, fine)
        color = self._on_solid(color, skin, camera) + _sampled(textures[1], fringe, shape.bust.uv, shape.fringe_uv_faces, fine)
        color = antialias(color, skin, shape.neighbours)
        alpha = color[..., 3].clamp(0, 1)
        depth = torch.where(skin.face >= 0, skin.depth, torch.where(fringe.face >= 0, fringe.depth, torch.zeros_like(fringe.depth)))
        return Portrait(color[..., :3].clamp_min(0).minimum(alpha[..., None]), alpha, torch.where(alpha > 0, depth, torch.zeros_like(depth)))

    def _on_solid(self, color: Float[Tensor, "height width 4"], skin: Rendering, camera: Camera) -> Float[Tensor, "height width 4"]:
        """Fills up opacity where the surface faces the camera more than it did while it was learned."""
        rows, columns = torch.nonzero((skin.face >= 0) & (color[..., 3] < _OPAQUE), as_tuple=True)
        if not len(rows):
            return color
        face = skin.face[rows, columns].long()
        weights = skin.barycentric[rows, columns, :, None]
        uv = (weights * self.shape.bust.uv[self.shape.uv_faces[face].long()]).sum(1)
        under = sample_texture(self.solid, uv[None])[0]
        more = facing(skin.positions[skin.faces[face].long()], camera) - under[:, 4]
        share = ((more - _MORE_FACING[0]) / (_MORE_FACING[1] - _MORE_FACING[0])).clamp(0, 1)
        own = color[rows, columns]
        color[rows, columns] = own + (share * (1 - own[:, 3]).clamp(0, 1))[:, None] * under[:, :4]
        return color

    @cached_property
    def _texels_per_m(self) -> float:
        """How dense the textures are on the skin, in the mean."""
        rest = self.shape.bust.posed(self.shape.identity, self.shape.offsets, self.model.neutral_pose())
        a, b, c = (rest[self.shape.faces[:, k].long()] for k in range(3))
        u, v, w = (self.shape.bust.uv[self.shape.uv_faces[:, k].long()] for k in range(3))
        on_skin = torch.linalg.cross(b - a, c - a).norm(dim=-1).sum()
        (s, t), (x, y) = (v - u).T, (w - u).T
        height, width = self.skin.shape[1:3]
        return float(((s * y - t * x).abs().sum() * height * width / on_skin).sqrt())

    def arrays(self) -> dict[str, ndarray]:
        """Textures in half precision, which is finer than a step of 8 bits."""
        half = {name: getattr(self, name).numpy().astype(np.float16) for name in ("skin", "fringe", "solid")}
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
        return cls(Shape(bust, values["identity"], values["offsets"]), features, values["skin"], values["fringe"], values["solid"])


def facing(corners: Float[Tensor, "faces 3 3"], camera: Camera) -> Float[Tensor, "faces"]:
    """Cosine between normal and view of faces given as (x_px, y_px, depth_m)."""
    depth = corners[..., 2:]
    places = torch.cat([(corners[..., :2] - camera.center_px) / camera.focal_px * depth, depth], -1)
    normal = torch.linalg.cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0])
    view = places.mean(1)
    return -(normal * view).sum(-1) / (normal.norm(dim=-1) * view.norm(dim=-1)).clamp_min(1e-20)


def _sampled(
    texture: Float[Tensor, "texture_height texture_width 4"], seen: Rendering, uv: Float[Tensor, "uvs 2"], uv_faces: Tensor, fine: bool
) -> Float[Tensor, "height width 4"]:
    """The texture where the surface is seen, zeros elsewhere; `fine` where pixels are small enough to need no mip levels."""
    level = None if fine else (mip_level(seen, uv, uv_faces, texture.shape[:2]) - _FINER).clamp_min(0)
    return sample_texture(texture, interpolate(uv, seen, uv_faces), level, seen.face)
