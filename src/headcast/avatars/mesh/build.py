"""A mesh avatar from the pictures of a run: its outline first, then its textures in closed form, then what is still wrong once more."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int32
from numpy import ndarray

from headcast.avatars.frames import AvatarFrame, Footage
from headcast.avatars.mesh.bust import Bust
from headcast.avatars.mesh.features import PoseFeatures
from headcast.avatars.mesh.layers import Shape
from headcast.avatars.mesh.mesh_avatar import MeshAvatar
from headcast.avatars.mesh.outline import grown
from headcast.avatars.mesh.texels import CHANNELS, Equations, add_equations, find_taps
from headcast.errors import ConfigError
from headcast.render import Rendering, mip_level
from headcast.solve.step import Step
from headcast.track.appearance import pull_push

_FIRM = 0.05
"""Pixels that the belief in an empty mean texture counts for: only so that every system can be solved."""
_SEEN = 0.5
"""Pixels from which on a texel counts as seen."""
_OPAQUE = 0.9
"""Opacity from which on a texel's colour is spread to those that were never seen."""
_LARGEST_PX, _SMALLEST_PX = 512, 96
_DENSER = 0.3
"""Mip levels by which a texture may be coarser than the densest half of the pictures' pixels."""


@dataclass(frozen=True)
class MeshConfig:
    """How a mesh avatar is built. Nothing in it is random."""

    components: int = 16
    """Most textures that are blended by expression and pose, beside the mean one."""
    most_frames: int = 400
    """Training frames, spread over all of them, that textures are solved from."""
    outline_frames: int = 16
    """Training frames that the outline is found from."""
    outline_rounds: int = 4
    """Times that the outline is searched and followed."""
    refinements: int = 1
    """Passes over the frames that solve for what the passes before left."""
    ridge: float = 10.0
    """Pixels that the belief in a texture which follows nothing counts for."""
    texture_px: int = 0
    """Side of the textures; 0 takes the density of the pictures."""

    def __post_init__(self) -> None:
        least = {"components": 0, "most_frames": 4, "outline_frames": 1, "outline_rounds": 0, "refinements": 0}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ConfigError(f"{name} must be at least {smallest}, found {getattr(self, name)}")
        if self.ridge <= 0:
            raise ConfigError(f"ridge must be above 0, found {self.ridge}")
        if self.texture_px and not 16 <= self.texture_px <= 2048:
            raise ConfigError(f"texture_px must be 0 or from 16 to 2048, found {self.texture_px}")


def mesh_steps(footage: Footage, train: Sequence[int], config: MeshConfig) -> Generator[Step, None, MeshAvatar]:
    """Builds the avatar from the training frames; the generator's value is the avatar. Memory does not grow with the clip."""
    run, bust = footage.run, Bust.of(footage.run.model)
    start = torch.zeros(bust.vertex_count, 3)
    if run.track.offsets is not None:
        start[: len(run.model.template)] = run.track.offsets
    outlined = list(footage.shots(_spread(train, config.outline_frames)))
    offsets = yield from grown(bust, run.track.identity, start, outlined, config.outline_rounds)
    shape = Shape(bust, run.track.identity, offsets)
    side = config.texture_px or _texture_side(shape, outlined)
    del outlined
    features = PoseFeatures.of(run.model, [run.track.pose(frame) for frame in train], [footage.camera(frame) for frame in train], config.components)
    return (yield from _painted(shape, features, footage, _spread(train, config.most_frames), side, config))


def _spread(frames: Sequence[int], most: int) -> list[int]:
    places = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))
    return [frames[place] for place in places]


def _texture_side(shape: Shape, frames: Sequence[AvatarFrame]) -> int:
    """Texels about as dense as the pixels of the pictures, in steps of 32."""
    levels = []
    for frame in frames:
        skin, _ = shape.layers(frame.pose, frame.camera)
        level = mip_level(skin, shape.bust.uv, shape.uv_faces, shape.bust.texture_size(_LARGEST_PX))
        levels.append(level[skin.face >= 0].numpy())
    side = _LARGEST_PX / 2 ** (float(np.median(np.concatenate(levels))) - _DENSER)
    return int(np.clip(round(side / 32) * 32, _SMALLEST_PX, _LARGEST_PX))


@dataclass(frozen=True)
class _Seen:
    """One layer of a picture: the texels of its pixels."""

    taps: Int32[ndarray, "height width 4"]
    shares: Float32[ndarray, "height width 4"]

    @classmethod
    def of(cls, layer: Rendering, shape: Shape, uv_faces: torch.Tensor, size: tuple[int, int]) -> "_Seen":
        taps = np.empty((*layer.face.shape, 4), np.int32)
        shares = np.zeros((*layer.face.shape, 4), np.float32)
        find_taps(shape.bust.uv.numpy(), uv_faces.numpy(), layer.face.numpy(), layer.barycentric.numpy(), *size, taps, shares)
        return cls(taps, shares)

    def shown(self, texture: Float32[ndarray, "texels 4"]) -> Float32[ndarray, "height width 4"]:
        """The texture where the layer is seen, zeros elsewhere."""
        picture = np.zeros((*self.taps.shape[:2], CHANNELS), np.float32)
        here = self.taps[..., 0] >= 0
        picture[here] = np.einsum("pt,ptc->pc", self.shares[here], texture[self.taps[here]])
        return picture


def _painted(
    shape: Shape, features: PoseFeatures, footage: Footage, frames: Sequence[int], side: int, config: MeshConfig
) -> Generator[Step, None, MeshAvatar]:
    """Solves both textures from the frames."""
    size = shape.bust.texture_size(side)
    parts, texels = 1 + len(features.reach), size[0] * size[1]
    ridge = np.full(parts, config.ridge, np.float32)
    ridge[0] = _FIRM
    matrices = [Equations.zeros(texels, parts) for _ in range(2)]
    textures = [np.zeros((texels, parts, CHANNELS), np.float32) for _ in range(2)]
    for turn in range(1 + config.refinements):
        gathered = matrices if turn == 0 else [Equations.zeros(texels, parts, with_matrix=False) for _ in range(2)]
        stage, squares, pixels = "texture" if turn == 0 else "refine", 0.0, 0
        for done, frame in enumerate(footage.shots(frames), start=1):
            feature = features.of_pose(frame.pose, frame.camera).numpy()
            layers = shape.layers(frame.pose, frame.camera)
            seen = [_Seen.of(layer, shape, faces, size) for layer, faces in zip(layers, (shape.uv_faces, shape.fringe_uv_faces))]
            wanted = np.concatenate([frame.image * frame.head[..., None], frame.head[..., None]], -1)
            if turn:
                wanted -= sum(one.shown(np.einsum("k,tkc->tc", feature, texture)) for one, texture in zip(seen, textures))
                squares, pixels = squares + float((wanted[..., :3] ** 2).sum()), pixels + wanted[..., :3].size
            trust = np.ones(wanted.shape[:2], np.float32)
            for one, equations in zip(seen, gathered):
                add_equations(one.taps, one.shares, wanted, trust, feature, equations.gram, equations.right)
            yield Step(stage, done, len(frames), {"mean_square": squares / pixels} if pixels else {}, frame_idx=frame.frame_idx)
        textures = [part.step(matrix, texture, ridge) for part, matrix, texture in zip(gathered, matrices, textures)]
    whole = [np.ascontiguousarray(texture.transpose(1, 0, 2)).reshape(parts, *size, CHANNELS) for texture in textures]
    skin = filled(whole[0], matrices[0].weight.reshape(size), shape.bust.texture_size(side)[0] - side)
    fringe = whole[1] * (matrices[1].weight.reshape(size) > _SEEN)[..., None]
    return MeshAvatar(shape, features, torch.from_numpy(skin), torch.from_numpy(np.ascontiguousarray(fringe, np.float32)))


def filled(
    skin: Float32[ndarray, "parts height width 4"], weight: Float32[ndarray, "height width"], strip_px: int
) -> Float32[ndarray, "parts height width 4"]:
    """Texels that no frame showed: opaque, in the colours around them, following nothing; on the added neck as opaque as others of their height.

    Args:
        strip_px: rows of the added neck at the lower end.
    """
    seen, mean = weight > _SEEN, skin[0]
    opaque = seen & (mean[..., 3] > _OPAQUE)
    color = mean[..., :3] / np.maximum(mean[..., 3:], _OPAQUE)
    spread = pull_push(np.ascontiguousarray(color, np.float32), opaque.astype(np.float32)) if opaque.any() else np.full_like(color, 0.5)
    opacity = np.ones(weight.shape, np.float32)
    for row in range(weight.shape[0] - strip_px, weight.shape[0]):
        opacity[row] = mean[row, seen[row], 3].mean() if seen[row].any() else 0.0
    opacity = opacity.clip(0, 1)[..., None]
    result = np.where(seen[..., None], skin, 0).astype(np.float32)
    result[0] = np.where(seen[..., None], mean, np.concatenate([spread * opacity, opacity], -1))
    return np.ascontiguousarray(result)
