"""The twin of every kernel in plain PyTorch: it defines what is right, in any precision, and differentiates by autograd.

One view at a time, unhurried; the tests compare the kernels with it, values and gradients.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headcast.geometry import vertex_normals
from headcast.render.arrays import NEAR_M
from headcast.render.kernels.edges import MOST_STEPS
from headcast.render.light import sh_basis, srgb_from_linear

__all__ = [
    "blend_edges",
    "edge_blends",
    "interpolate",
    "mip_level",
    "rasterize",
    "sample_texture",
    "shade",
    "surface_color",
    "vertex_normals",
]


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _drawn(positions: Tensor, faces: Tensor, cull: bool) -> Bool[Tensor, "faces"]:
    a, b, c = (positions[faces[:, k]] for k in range(3))
    area = _cross((b - a)[:, :2], (c - a)[:, :2])
    in_front = (positions[faces][..., 2] > NEAR_M).all(-1)
    return in_front & ((area < 0) if cull else (area != 0))


def _fragments(
    positions: Tensor, faces: Tensor, size: tuple[int, int], cull: bool
) -> tuple[Int[Tensor, "fragments"], Int[Tensor, "fragments"], Int[Tensor, "fragments"]]:
    """Face, row and column of every pixel centre in a drawn face; a centre on an edge belongs to the face below or to the right of it."""
    height, width = size
    drawn = _drawn(positions, faces, cull).nonzero()[:, 0]
    corners = positions[faces[drawn], :2]
    limit = corners.new_tensor([width, height])
    first = (corners.amin(1) - 0.5).ceil().clamp_min(0).minimum(limit).long()
    last = (corners.amax(1) - 0.5).floor().add(1).minimum(limit).long().maximum(first)
    counts = (last - first).prod(-1)
    which = torch.repeat_interleave(torch.arange(len(drawn)), counts)
    within = torch.arange(len(which)) - (counts.cumsum(0) - counts)[which]
    spans = (last - first)[which, 0]
    column, row = first[which, 0] + within % spans, first[which, 1] + within // spans
    centre = torch.stack([column, row], -1) + 0.5
    a, b, c = corners[which].unbind(1)
    sign = _cross(b - a, c - a).sign()
    inside = torch.ones_like(which, dtype=torch.bool)
    for start, end in ((a, b), (b, c), (c, a)):
        along = (end - start) * sign[:, None]
        side = _cross(along, centre - start)
        upper_or_left = torch.where(along[:, 1] == 0, along[:, 0] > 0, along[:, 1] < 0)
        inside &= (side > 0) | ((side == 0) & upper_or_left)
    return drawn[which[inside]], row[inside], column[inside]


def _weights(
    positions: Tensor, faces: Tensor, face: Int[Tensor, "points"], centre: Float[Tensor, "points 2"]
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points"]]:
    """Perspective-correct weights and depth at points of faces."""
    corners = positions[faces[face]]
    to_corner = corners[..., :2] - centre[:, None]
    edge = _cross(to_corner[:, [1, 2, 0]], to_corner[:, [2, 0, 1]])
    over_depth = edge / corners[..., 2]
    total = over_depth.sum(-1)
    return over_depth / total[:, None], edge.sum(-1) / total


def rasterize(
    positions: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"], size: tuple[int, int], cull: bool = True
) -> tuple[Int[Tensor, "height width"], Float[Tensor, "height width 3"], Float[Tensor, "height width"]]:
    """Face, barycentric and depth of the nearest face at every pixel centre; of equally near ones the first."""
    faces = faces.long()
    with torch.no_grad():
        fragment_face, row, column = _fragments(positions, faces, size, cull)
        centre = torch.stack([column, row], -1) + 0.5
        distance = _weights(positions, faces, fragment_face, centre)[1]
        pixel = row * size[1] + column
        nearest = distance.new_full((size[0] * size[1],), torch.inf).scatter_reduce(0, pixel, distance, "amin")
        wins = distance == nearest[pixel]
        none = len(faces)
        face = torch.full((size[0] * size[1],), none).scatter_reduce(0, pixel[wins], fragment_face[wins], "amin")
        face = torch.where(face == none, -1, face).reshape(size)
        rows, columns = (face >= 0).nonzero(as_tuple=True)
    weights, depth = _weights(positions, faces, face[rows, columns], torch.stack([columns, rows], -1) + 0.5)
    image = positions.new_zeros(*size, 3).index_put((rows, columns), weights)
    return face, image, positions.new_zeros(size).index_put((rows, columns), depth)


def interpolate(
    attributes: Float[Tensor, "n channels"],
    faces: Int[Tensor, "faces 3"],
    face: Int[Tensor, "height width"],
    barycentric: Float[Tensor, "height width 3"],
    unit: bool = False,
) -> Float[Tensor, "height width channels"]:
    """Attributes at every pixel; zeros where there is nothing."""
    rows, columns = (face >= 0).nonzero(as_tuple=True)
    values = (attributes[faces.long()[face[rows, columns]]] * barycentric[rows, columns][..., None]).sum(-2)
    values = values / values.norm(dim=-1, keepdim=True) if unit else values
    return attributes.new_zeros(*face.shape, attributes.shape[-1]).index_put((rows, columns), values)


def mip_level(positions: Tensor, faces: Tensor, uv: Tensor, uv_faces: Tensor, face: Tensor, size: tuple[int, int]) -> Float[Tensor, "height width"]:
    """Mip levels from the derivatives of uv along the image axes, which autograd finds."""
    rows, columns = (face >= 0).nonzero(as_tuple=True)
    centre = (torch.stack([columns, rows], -1) + 0.5).to(positions).requires_grad_()
    weights, _ = _weights(positions.detach(), faces.long(), face[rows, columns], centre)
    texel = (uv[uv_faces.long()[face[rows, columns]]] * weights[..., None]).sum(-2) * uv.new_tensor([size[1], size[0]])
    steps = [torch.autograd.grad(texel[:, k].sum(), centre, retain_graph=True)[0] for k in range(2)]
    longest = torch.stack(steps, -1).norm(dim=-1).amax(-1)
    return positions.new_zeros(face.shape).index_put((rows, columns), longest.log2())


def _bilinear(texture: Tensor, uv: Tensor) -> Tensor:
    height, width = texture.shape[:2]
    x = (uv[:, 0] * width - 0.5).clamp(0, width - 1)
    y = ((1 - uv[:, 1]) * height - 0.5).clamp(0, height - 1)
    left, top = x.detach().floor().long().clamp_max(max(width - 2, 0)), y.detach().floor().long().clamp_max(max(height - 2, 0))
    right, bottom = (left + 1).clamp_max(width - 1), (top + 1).clamp_max(height - 1)
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    upper = texture[top, left] * (1 - fx) + texture[top, right] * fx
    lower = texture[bottom, left] * (1 - fx) + texture[bottom, right] * fx
    return upper * (1 - fy) + lower * fy


def sample_texture(texture: Tensor, uv: Tensor, level: Tensor | None, face: Tensor) -> Float[Tensor, "height width channels"]:
    """Trilinear colours; each level is the mean of 2×2 texels of the finer one."""
    pyramid = [texture]
    while level is not None and max(pyramid[-1].shape[:2]) > 1:
        finer = pyramid[-1]
        rows = torch.arange(max(finer.shape[0] // 2, 1)) * 2
        columns = torch.arange(max(finer.shape[1] // 2, 1)) * 2
        lower, right = (rows + 1).clamp_max(finer.shape[0] - 1), (columns + 1).clamp_max(finer.shape[1] - 1)
        pyramid.append(sum(finer[r][:, c] for r in (rows, lower) for c in (columns, right)) / 4)
    covered = (face >= 0).nonzero(as_tuple=True)
    clamped = torch.zeros_like(uv[covered][:, 0]) if level is None else level[covered].clamp(0, len(pyramid) - 1)
    colors = uv.new_zeros(len(clamped), texture.shape[-1])
    for idx, texels in enumerate(pyramid):
        colors = colors + (1 - (clamped - idx).abs()).clamp_min(0)[:, None] * _bilinear(texels, uv[covered])
    return uv.new_zeros(*face.shape, texture.shape[-1]).index_put(covered, colors)


def shade(normals: Float[Tensor, "*n 3"], light: Float[Tensor, "9 3"]) -> Float[Tensor, "*n 3"]:
    """Light on unit normals; zero where the normal is zero."""
    return torch.where((normals != 0).any(-1, keepdim=True), sh_basis(normals) @ light, torch.zeros_like(normals))


def surface_color(albedo: Tensor, shading: Tensor, face: Tensor, background: Tensor, srgb: bool = True) -> Float[Tensor, "height width 4"]:
    """Lit colour before a background, with alpha."""
    covered = (face >= 0)[..., None]
    lit = srgb_from_linear(albedo * shading) if srgb else albedo * shading
    return torch.cat([torch.where(covered, lit, background), covered.to(lit.dtype)], -1)


def _silhouette_edges(positions, faces, neighbours, start, other, begin, end) -> tuple[Tensor, Tensor]:
    """First and second vertex of the edge that ends the surface between two points; −1 where it does not end."""
    current, walking = start.clone(), torch.ones_like(start, dtype=torch.bool)
    first, second = torch.full_like(start, -1), torch.full_like(start, -1)
    corners_of = positions[faces][..., :2]
    area_of = _cross(corners_of[:, 1] - corners_of[:, 0], corners_of[:, 2] - corners_of[:, 0])
    area_of = torch.where(_drawn(positions, faces, cull=False), area_of, torch.zeros_like(area_of))
    beside = (neighbours[start] == other[:, None]).any(-1) & (other >= 0)
    walking &= ~(beside & (area_of[start] * area_of[other] > 0))
    for _ in range(MOST_STEPS):
        corners, area = corners_of[current], area_of[current]
        edges = corners[:, [1, 2, 0]] - corners
        inside = [area.sign()[:, None] * _cross(edges, point[:, None] - corners) for point in (begin, end)]
        leaving = inside[1] < inside[0]
        fraction = torch.where(leaving, inside[0] / (inside[0] - inside[1]), torch.inf)
        exit_fraction, corner = fraction.min(-1)
        walking &= exit_fraction < 1
        across = neighbours[current].gather(1, corner[:, None])[:, 0]
        across_area = torch.where(across >= 0, area_of[across], torch.zeros_like(area))
        ends = walking & (across_area * area <= 0)
        first = torch.where(ends, faces[current].gather(1, corner[:, None])[:, 0], first)
        second = torch.where(ends, faces[current].gather(1, (corner[:, None] + 1) % 3)[:, 0], second)
        walking &= ~ends & (across != other)
        current = torch.where(walking, across, current)
    return first, second


def edge_blends(
    positions: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    neighbours: Int[Tensor, "faces 3"],
    face: Int[Tensor, "height width"],
    depth: Float[Tensor, "height width"],
) -> Float[Tensor, "height width 2"]:
    """How far past the middle between two neighbouring pixels an outline passes."""
    faces, neighbours = faces.long(), neighbours.long()
    blends = positions.new_zeros(*face.shape, 2)
    distance = torch.where(face >= 0, depth, torch.inf).detach()
    for axis in range(2):
        here, there = (face[:, :-1], face[:, 1:]) if axis == 0 else (face[:-1], face[1:])
        row, column = (here != there).nonzero(as_tuple=True)
        other_row, other_column = row + axis, column + 1 - axis
        swap = distance[row, column] > distance[other_row, other_column]
        here, there = face[row, column], face[other_row, other_column]
        begin, end = (torch.stack(pair, -1).to(positions) + 0.5 for pair in ((column, row), (other_column, other_row)))
        near, far = torch.where(swap, there, here), torch.where(swap, here, there)
        start, stop = torch.where(swap[:, None], end, begin), torch.where(swap[:, None], begin, end)
        p, q = _silhouette_edges(positions.detach(), faces, neighbours, near, far, start, stop)
        extent = (positions[q, :2] - positions[p, :2]).abs().detach()
        steep = extent[:, 1 - axis] > extent[:, axis] if axis == 0 else extent[:, 1 - axis] >= extent[:, axis]
        kept = ((p >= 0) & steep).nonzero()[:, 0]
        p, q, row, column, begin = p[kept], q[kept], row[kept], column[kept], begin[kept]
        fraction = (begin[:, 1 - axis] - positions[p, 1 - axis]) / (positions[q, 1 - axis] - positions[p, 1 - axis])
        place = positions[p, axis] + fraction * (positions[q, axis] - positions[p, axis])
        past_middle = (place - begin[:, axis] - 0.5).clamp(-0.5, 0.5)
        blends = blends.index_put((row, column, torch.full_like(row, axis)), past_middle)
    return blends


def blend_edges(color: Float[Tensor, "height width channels"], blends: Float[Tensor, "height width 2"]) -> Float[Tensor, "height width channels"]:
    """The colours mixed across outlines."""
    out = color
    for axis in range(2):
        share = blends[:, :-1, 0, None] if axis == 0 else blends[:-1, :, 1, None]
        here, there = (color[:, :-1], color[:, 1:]) if axis == 0 else (color[:-1], color[1:])
        taken_here, taken_there = (-share).clamp_min(0) * (there - here), share.clamp_min(0) * (here - there)
        last = (0, 0, 0, 1) if axis == 0 else (0, 0, 0, 0, 0, 1)
        first = (0, 0, 1, 0) if axis == 0 else (0, 0, 0, 0, 1, 0)
        out = out + torch.nn.functional.pad(taken_here, last) + torch.nn.functional.pad(taken_there, first)
    return out
