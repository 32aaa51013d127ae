"""The splats that training begins with: one on every triangle, more where mattes show hair beyond the mesh, in the colours that pictures show."""

from collections.abc import Sequence

import cv2
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
_FACE = ("face", "nose", "lips", "eyelids", "eyeballs", "irises", "mouth_interior", "teeth", "tongue", "eye_sockets", "ears")
"""Regions on which no hair grows."""
_HEIGHTS_M = (0.004, 0.008, 0.012, 0.018, 0.025, 0.033, 0.042, 0.052)
"""Above the skin, where hair is looked for."""
_FLAT_M = 0.004
"""Height to which hair is believed in everywhere; what is higher must be seen. Pictures from the front cannot tell how high hair stands towards
them, and nothing of what stands behind the head."""
_SIDEWAYS = 0.35
"""Cosine between a triangle's normal and the line of sight under which it counts as seen from the side."""
_BEYOND = 0.25
"""Share of the pictures in which hair must be seen beyond the outline of the mesh."""
_FACING = 0.2
"""Cosine of the angle at which a triangle must at least face a camera that gives it its colour."""
_EDGE_PX = 5
"""Window in which a pixel must be all person for its colour to be taken: at the edge the background shines through."""
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
    inside, beyond, sideways = torch.zeros(len(face)), torch.zeros(len(face)), torch.ones(len(face))
    for shot, frame in zip(shots, frames):
        points = frame.origin[face] + height[:, None] * frame.rotation[face, :, 2]
        own, here = _placed(shot, points)
        person, covered = here & (shot.colors()[1][own] > 0.5), _surface(model, shot)[own].isfinite()
        inside += person / len(shots)
        beyond += (person & ~covered) / len(shots)
        sight = torch.nn.functional.normalize(points - shot.camera.camera_from_world.inverse().translation, dim=-1)
        sideways = torch.minimum(sideways, (sight * frame.rotation[face, :, 2]).sum(-1).abs())
    found = ((inside >= _INSIDE) & ((height <= _FLAT_M) | ((sideways < _SIDEWAYS) & (beyond >= _BEYOND)))).nonzero()[:, 0]
    if len(found) > _MOST_HAIR:
        found = found[torch.randperm(len(found), generator=generator)[:_MOST_HAIR]]
    return face[found], height[found]


def _placed(shot: Shot, points: Float[Tensor, "points 3"]) -> tuple[tuple[Int[Tensor, "points"], Int[Tensor, "points"]], Bool[Tensor, "points"]]:
    """Row and column of the pixel in which each point lies, the nearest one for points outside of the picture; and which lie inside."""
    pixels = shot.camera.project(points).floor().long()
    held = [pixels[:, axis].clamp(0, shot.camera.size[1 - axis] - 1) for axis in range(2)]
    return (held[1], held[0]), (held[0] == pixels[:, 0]) & (held[1] == pixels[:, 1])


def _colors(splats: BoundSplats, model: HeadModel, shots: Sequence[Shot], frames: Sequence[TriangleFrames]) -> Float[Tensor, "splats 3"]:
    """Mean colours where splats are seen; elsewhere those of the nearest one of the same part of the head that is."""
    total, weight = torch.zeros(len(splats), 3), torch.zeros(len(splats))
    for shot, frame in zip(shots, frames):
        points = frame.origin[splats.face] + frame.scale[splats.face, None] * (frame.rotation[splats.face] @ splats.values[:, POSITION, None])[..., 0]
        own, here = _placed(shot, points)
        colors, matte = shot.colors()
        solid = torch.from_numpy(cv2.erode(matte.numpy(), np.ones((_EDGE_PX, _EDGE_PX)))) > 0.9
        depth = shot.camera.camera_from_world.points(points)[:, 2]
        sight = torch.nn.functional.normalize(points - shot.camera.camera_from_world.inverse().translation, dim=-1)
        facing = -(sight * frame.rotation[splats.face, :, 2]).sum(-1)
        seen = (here & solid[own] & (depth < _surface(model, shot)[own] + _HIDDEN_M)) * (facing - _FACING).clamp_min(0)
        total += seen[:, None] * colors[own]
        weight += seen
    seen = (weight > 0).numpy()
    if not seen.any():
        return torch.full_like(total, 0.5)
    means = (total / weight.clamp_min(1e-6)[:, None]).numpy()
    places, part = frames[0].origin[splats.face].numpy(), _parts(model)[splats.face].numpy()
    for own in np.unique(part):
        donors = seen & (part == own) if (seen & (part == own)).any() else seen
        needy = ~seen & (part == own)
        means[needy] = means[donors][cKDTree(places[donors]).query(places[needy])[1]]
    return torch.from_numpy(means)


def _parts(model: HeadModel) -> Int[Tensor, "faces"]:
    """Which triangles may lend each other their colour: all but ears and neck, ears, neck."""
    part = torch.zeros(len(model.faces), dtype=torch.int64)
    for number, name in enumerate(("neck", "ears"), start=1):
        if name in model.regions:
            part[model.regions[name][model.faces].any(-1)] = number
    return part


def _surface(model: HeadModel, shot: Shot) -> Float[Tensor, "height width"]:
    """Distance (m) to the mesh at each pixel; infinite where there is none."""
    positions = image_positions(shot.vertices, shot.camera).numpy()
    _, _, depth = rasterize_arrays(positions, model.faces.int().numpy(), *shot.camera.size)
    return torch.from_numpy(np.where(depth > 0, depth, np.float32(np.inf)))
