"""The splats that training begins with: one on every triangle, more where mattes show hair beyond the mesh, in the colours that pictures show."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from headcast.avatars.gaussian.bound import BoundSplats
from headcast.avatars.gaussian.columns import POSITION
from headcast.avatars.gaussian.shots import Shot
from headcast.avatars.gaussian.triangles import TriangleFrames
from headcast.heads import HeadModel
from headcast.render import image_positions, rasterize_arrays

_SAMPLES = 24
"""Pictures, spread over all, that colours and hair are found from."""
_FACE = ("face", "nose", "lips", "eyelids", "eyeballs", "irises", "mouth_interior", "teeth", "tongue", "eye_sockets")
"""Regions on which no hair grows."""
_HEIGHTS_M = (0.004, 0.008, 0.012, 0.018, 0.025, 0.033, 0.042, 0.052)
"""Above the skin, where hair is looked for."""
_FLAT_M = 0.008
"""Height to which hair is believed in where it is never seen from the side: pictures from the front cannot tell how high it stands."""
_SIDEWAYS = 0.6
"""Cosine between a triangle's normal and the line of sight under which it counts as seen from the side."""
_INSIDE = 0.95
"""Share of the pictures in whose matte hair must lie."""
_MOST_HAIR = 4000
_SKIN_SCALE, _HAIR_SCALE_M = (0.4, 0.4, 0.12), 0.0022
_HIDDEN_M = 0.006
"""Behind the mesh by more than this, a splat is hidden."""


def first_splats(model: HeadModel, shots: Sequence[Shot], motions: int, generator: torch.Generator) -> tuple[BoundSplats, Float[Tensor, "splats"]]:
    """Splats, and how large each may become, in sizes of its triangle."""
    places = np.unique(np.linspace(0, len(shots) - 1, min(_SAMPLES, len(shots))).round().astype(int))
    sampled = [shots[place] for place in places]
    frames = [TriangleFrames.of(shot.vertices, model.faces) for shot in sampled]
    skin = torch.arange(len(model.faces))
    hair_face, hair_height = _hair(model, sampled, frames, generator)
    face = torch.cat([skin, hair_face])
    size = torch.stack([frame.scale for frame in frames]).mean(0)[face]
    position = torch.zeros(len(face), 3)
    position[len(skin) :, 2] = hair_height / size[len(skin) :]
    scale = torch.tensor(_SKIN_SCALE).repeat(len(face), 1)
    scale[len(skin) :] = _HAIR_SCALE_M / size[len(skin) :, None]
    largest = torch.full((len(face),), 0.6)
    largest[len(skin) :] = 2 * scale[len(skin) :, 0]
    splats = BoundSplats.new(face, position, scale, 0.8, torch.zeros(len(face), 3), motions)
    colors = _colors(splats, model, sampled, frames)
    return BoundSplats.new(face, position, scale, 0.8, colors, motions), largest


def _hair(
    model: HeadModel, shots: Sequence[Shot], frames: Sequence[TriangleFrames], generator: torch.Generator
) -> tuple[Int[Tensor, "hair"], Float[Tensor, "hair"]]:
    """Triangles and heights (m) of points that lie inside of the mattes."""
    bare = torch.zeros(len(model.faces), dtype=torch.bool)
    for name in _FACE:
        if name in model.regions:
            bare |= model.regions[name][model.faces].any(-1)
    hairy = (~bare).nonzero()[:, 0]
    face, height = hairy.repeat(len(_HEIGHTS_M)), torch.tensor(_HEIGHTS_M).repeat_interleave(len(hairy))
    inside, sideways = torch.zeros(len(face)), torch.ones(len(face))
    for shot, frame in zip(shots, frames):
        points = frame.origin[face] + height[:, None] * frame.rotation[face, :, 2]
        _, matte, _ = _looked_up(shot, points)
        inside += (matte > 0.5).float() / len(shots)
        sight = torch.nn.functional.normalize(points - shot.camera.camera_from_world.inverse().translation, dim=-1)
        sideways = torch.minimum(sideways, (sight * frame.rotation[face, :, 2]).sum(-1).abs())
    found = ((inside >= _INSIDE) & ((height <= _FLAT_M) | (sideways < _SIDEWAYS))).nonzero()[:, 0]
    if len(found) > _MOST_HAIR:
        found = found[torch.randperm(len(found), generator=generator)[:_MOST_HAIR]]
    return face[found], height[found]


def _looked_up(shot: Shot, points: Float[Tensor, "points 3"]) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points"], Float[Tensor, "points 3"]]:
    """Colours and matte where points lie in a picture, zeros outside of it; and (x_px, y_px, depth_m)."""
    placed = image_positions(points, shot.camera)
    height, width = shot.camera.size
    columns, rows = placed[:, 0].floor().long(), placed[:, 1].floor().long()
    inside = (placed[:, 2] > 0) & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    colors, matte = shot.colors()
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    return colors[rows, columns] * inside[:, None], matte[rows, columns] * inside, placed


def _colors(splats: BoundSplats, model: HeadModel, shots: Sequence[Shot], frames: Sequence[TriangleFrames]) -> Float[Tensor, "splats 3"]:
    """Mean colours where splats are seen; those of the nearest seen one elsewhere."""
    total, weight = torch.zeros(len(splats), 3), torch.zeros(len(splats))
    for shot, frame in zip(shots, frames):
        points = frame.origin[splats.face] + frame.scale[splats.face, None] * (frame.rotation[splats.face] @ splats.values[:, POSITION, None])[..., 0]
        colors, matte, placed = _looked_up(shot, points)
        own = matte * _unhidden(model, shot, placed) * (matte > 0.9)
        total += own[:, None] * colors
        weight += own
    seen = (weight > 0).numpy()
    if not seen.any():
        return torch.full_like(total, 0.5)
    colors = (total / weight.clamp_min(1e-6)[:, None]).numpy()
    rest = (frames[0].origin[splats.face]).numpy()
    colors[~seen] = colors[seen][cKDTree(rest[seen]).query(rest[~seen])[1]]
    return torch.from_numpy(colors)


def _unhidden(model: HeadModel, shot: Shot, placed: Float[Tensor, "points 3"]) -> Bool[Tensor, "points"]:
    """Which points the mesh does not hide."""
    height, width = shot.camera.size
    positions = image_positions(shot.vertices, shot.camera).numpy()
    _, _, depth = rasterize_arrays(positions, model.faces.int().numpy(), height, width)
    surface = torch.from_numpy(np.where(depth > 0, depth, np.inf))
    rows, columns = placed[:, 1].long().clamp(0, height - 1), placed[:, 0].long().clamp(0, width - 1)
    return placed[:, 2] < surface[rows, columns] + _HIDDEN_M
