"""A head model with more neck: the surface that mesh avatars are painted on."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from headcast.heads import HeadModel, HeadPose

_RINGS = 5
_DROP_M, _FORWARD, _WIDEN = 0.11, 0.25, 0.2
"""How far the neck is prolonged; how far forward it goes for each metre down; how much wider it ends."""
_STRIP = 0.12
"""Height of the added neck's strip below the model's atlas, as a share of the atlas."""


@dataclass(frozen=True)
class Bust:
    """The model's vertices and faces, then those of the added neck. The added neck follows the rim that it hangs on."""

    model: HeadModel
    faces: Int[Tensor, "all_faces 3"]
    uv: Float[Tensor, "all_uvs 2"]
    """The model's atlas pressed together, with a strip below it."""
    uv_faces: Int[Tensor, "all_faces 3"]
    rim: Int[Tensor, "added"]
    """The model's vertex that each added vertex hangs on."""
    drop: Float[Tensor, "added 3"]
    """From there to the added vertex (m, head space at rest)."""

    @classmethod
    def of(cls, model: HeadModel) -> "Bust":
        """A model whose neck has no open end is taken as it is."""
        loop = _rim(model)
        if len(loop) < 3:
            nothing = torch.zeros(0, dtype=torch.int64)
            return cls(model, model.faces, model.uv, model.uv_faces, nothing, torch.zeros(0, 3))
        count, size = len(loop), len(model.template)
        share = np.linspace(0, 1, _RINGS + 1)[1:]
        places = model.template.numpy()[loop]
        across = (places - places.mean(0)) * [1, 0, 1]
        drop = share[:, None, None] * (_DROP_M * np.array([0.0, -1.0, _FORWARD]) + _WIDEN * across)
        rings = np.concatenate([loop[None], size + np.arange(_RINGS * count).reshape(_RINGS, count)])
        around = np.arange(count + 1) / count
        strip = np.stack(np.broadcast_arrays(around, 1 - np.linspace(0, 1, _RINGS + 1)[:, None]), -1)
        strip = (0.01 + 0.98 * strip) * [1.0, _STRIP / (1 + _STRIP)]
        old = (model.uv.numpy() * [1.0, 1 / (1 + _STRIP)]) + [0.0, _STRIP / (1 + _STRIP)]
        return cls(
            model,
            torch.cat([model.faces, torch.from_numpy(_ring_faces(rings, closed=True))]),
            torch.from_numpy(np.concatenate([old, strip.reshape(-1, 2)])).float(),
            torch.cat(
                [model.uv_faces, torch.from_numpy(len(model.uv) + _ring_faces(np.arange(strip.shape[0] * (count + 1)).reshape(-1, count + 1)))]
            ),
            torch.from_numpy(np.tile(loop, _RINGS)),
            torch.from_numpy(drop.reshape(-1, 3)).float(),
        )

    @property
    def vertex_count(self) -> int:
        return len(self.model.template) + len(self.rim)

    def texture_size(self, side_px: int) -> tuple[int, int]:
        """Height and width of a texture whose atlas has sides of about `side_px`."""
        return (round(side_px * (1 + _STRIP)) if len(self.rim) else side_px), side_px

    def region(self, name: str) -> Bool[ndarray, "all_vertices"]:
        """The model's region; the added neck belongs to "neck" alone."""
        own = self.model.regions.get(name, torch.zeros(len(self.model.template), dtype=torch.bool)).numpy()
        return np.concatenate([own, np.full(len(self.rim), name == "neck")])

    def posed(self, identity: Float[Tensor, "identity"], offsets: Float[Tensor, "all_vertices 3"], pose: HeadPose) -> Float[Tensor, "all_vertices 3"]:
        """All vertices in world space (m). `offsets` add to the head at rest, in head space."""
        own = len(self.model.template)
        vertices = self.model.shaped(identity, offsets[:own]).posed(pose).vertices
        if not len(self.rim):
            return vertices
        hanging = (self.drop + offsets[own:]) @ pose.world_from_head.rotation.transpose(-1, -2)
        return torch.cat([vertices, vertices[self.rim] + hanging])


def _rim(model: HeadModel) -> Int[ndarray, "loop"]:
    """The neck's lower end, in order, so that faces hung on it show their outside."""
    faces = model.faces.numpy()
    inside = model.regions["boundary"].numpy() if "boundary" in model.regions else np.zeros(len(model.template), bool)
    start, end = faces.reshape(-1), np.roll(faces, -1, 1).reshape(-1)
    edges = set(zip(start.tolist(), end.tolist()))
    follows = {a: b for a, b in edges if inside[a] and inside[b] and (b, a) not in edges}
    loops: list[list[int]] = []
    while follows:
        first, here = next(iter(follows.items()))
        del follows[first]
        loop = [first]
        while here in follows and here != first:
            loop.append(here)
            here = follows.pop(here)
        if here == first:
            loops.append(loop)
    return np.array(max(loops, key=len, default=[]), np.int64)


def _ring_faces(rings: Int[ndarray, "rings around"], closed: bool = False) -> Int[ndarray, "faces 3"]:
    """Two triangles for each field between neighbouring rings; the boundary edge a → b of the mesh above is their b → a."""
    if closed:
        rings = np.concatenate([rings, rings[:, :1]], 1)
    a, b, c, d = rings[:-1, :-1], rings[:-1, 1:], rings[1:, :-1], rings[1:, 1:]
    return np.concatenate([np.stack([b, a, c], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]).astype(np.int64)
