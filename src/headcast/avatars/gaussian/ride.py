"""From the rows of bound splats to Gaussians in the world, and back with gradients: one pass over the splats each way."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.avatars.gaussian.columns import COLOR, OPACITY, POSITION, ROTATION, SCALE, SHIFT_FROM
from headcast.avatars.gaussian.triangles import TriangleFrames
from headcast.compiled import compiled
from headcast.geometry import Transform
from headcast.render import Splats
from headcast.threads import in_parts

_GRAIN = 1000
_P, _Q, _S, _O, _C = POSITION.start, ROTATION.start, SCALE.start, OPACITY.start, COLOR.start
_ONE, _TWO, _HALF, _ZERO = np.float32(1), np.float32(2), np.float32(0.5), np.float32(0)
_C0, _C1 = np.float32(0.5 / math.sqrt(math.pi)), np.float32(math.sqrt(3 / (4 * math.pi)))


def ridden(
    values: Float[Tensor, "splats columns"],
    face: Int[Tensor, "splats"],
    frames: TriangleFrames,
    motion: Float[Tensor, "motions"],
    head_from_world: Transform,
    eye: Float[Tensor, "3"],
) -> Splats:
    """The Gaussians of rows on posed triangles, seen from a point in the world.

    Gradients go to the rows; not through the direction in which a splat is seen to its place.
    """
    view = torch.cat([head_from_world.rotation.reshape(9), head_from_world.translation, head_from_world.points(eye[None])[0]])
    parts = _Ride.apply(values, face, frames.origin, frames.rotation, frames.scale, motion, view)
    return Splats(*parts)


class _Ride(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, face, origin, rotation, scale, motion, view):
        inputs = [part.detach().contiguous() for part in (values, face, origin, rotation, scale, motion, view)]
        count = len(values)
        made = [values.new_empty(count, *shape) for shape in ((3,), (3, 3), (3,), (), (3,))]
        in_parts(_ride, count, *(part.numpy() for part in (*inputs, *made)), grain=_GRAIN)
        ctx.save_for_backward(*inputs, *made)
        return tuple(made)

    @staticmethod
    def backward(ctx, *gradients):
        saved = ctx.saved_tensors
        gradient = torch.empty_like(saved[0])
        given = [part.contiguous().numpy() for part in gradients]
        in_parts(_ride_gradient, len(gradient), *(part.numpy() for part in saved), *given, gradient.numpy(), grain=_GRAIN)
        return gradient, *(None,) * 6


@compiled()
def _harmonics(mean, view):
    """The four harmonics of the direction in the head from the eye to a point in the world."""
    x = view[0] * mean[0] + view[1] * mean[1] + view[2] * mean[2] + view[9] - view[12]
    y = view[3] * mean[0] + view[4] * mean[1] + view[5] * mean[2] + view[10] - view[13]
    z = view[6] * mean[0] + view[7] * mean[1] + view[8] * mean[2] + view[11] - view[14]
    length = np.float32(math.sqrt(x * x + y * y + z * z))
    return _C0, -_C1 * y / length, _C1 * z / length, -_C1 * x / length


@compiled()
def _ride(first, last, values, face, origin, turn, size, motion, view, means, rotations, scales, opacities, colors):
    motions = motion.shape[0]
    own = np.empty((3, 3), np.float32)
    place = np.empty(3, np.float32)
    for s in range(first, last):
        f = face[s]
        for k in range(3):
            place[k] = values[s, _P + k]
            for m in range(motions):
                place[k] += motion[m] * values[s, SHIFT_FROM + 3 * m + k]
        w, x, y, z = values[s, _Q], values[s, _Q + 1], values[s, _Q + 2], values[s, _Q + 3]
        length = np.float32(math.sqrt(w * w + x * x + y * y + z * z))
        w, x, y, z = w / length, x / length, y / length, z / length
        own[0, 0], own[0, 1], own[0, 2] = _ONE - _TWO * (y * y + z * z), _TWO * (x * y - w * z), _TWO * (x * z + w * y)
        own[1, 0], own[1, 1], own[1, 2] = _TWO * (x * y + w * z), _ONE - _TWO * (x * x + z * z), _TWO * (y * z - w * x)
        own[2, 0], own[2, 1], own[2, 2] = _TWO * (x * z - w * y), _TWO * (y * z + w * x), _ONE - _TWO * (x * x + y * y)
        for i in range(3):
            means[s, i] = origin[f, i] + size[f] * (turn[f, i, 0] * place[0] + turn[f, i, 1] * place[1] + turn[f, i, 2] * place[2])
            scales[s, i] = size[f] * np.float32(math.exp(values[s, _S + i]))
            for j in range(3):
                rotations[s, i, j] = turn[f, i, 0] * own[0, j] + turn[f, i, 1] * own[1, j] + turn[f, i, 2] * own[2, j]
        opacities[s] = _ONE / (_ONE + np.float32(math.exp(-values[s, _O])))
        h0, h1, h2, h3 = _harmonics(means[s], view)
        for k in range(3):
            color = _HALF + h0 * values[s, _C + k] + h1 * values[s, _C + 3 + k] + h2 * values[s, _C + 6 + k] + h3 * values[s, _C + 9 + k]
            for m in range(motions):
                color += h0 * motion[m] * values[s, SHIFT_FROM + 3 * (motions + m) + k]
            colors[s, k] = max(color, _ZERO)


@compiled()
def _ride_gradient(
    first, last, values, face, origin, turn, size, motion, view, means, rotations, scales, opacities, colors, to_means, to_rotations, to_scales,
    to_opacities, to_colors, gradient,
):  # fmt: skip
    motions = motion.shape[0]
    own = np.empty((3, 3), np.float32)
    for s in range(first, last):
        f = face[s]
        for k in range(3):
            along = size[f] * (turn[f, 0, k] * to_means[s, 0] + turn[f, 1, k] * to_means[s, 1] + turn[f, 2, k] * to_means[s, 2])
            gradient[s, _P + k] = along
            for m in range(motions):
                gradient[s, SHIFT_FROM + 3 * m + k] = motion[m] * along
            gradient[s, _S + k] = to_scales[s, k] * scales[s, k]
            for j in range(3):
                own[k, j] = turn[f, 0, k] * to_rotations[s, 0, j] + turn[f, 1, k] * to_rotations[s, 1, j] + turn[f, 2, k] * to_rotations[s, 2, j]
        w, x, y, z = values[s, _Q], values[s, _Q + 1], values[s, _Q + 2], values[s, _Q + 3]
        length = np.float32(math.sqrt(w * w + x * x + y * y + z * z))
        w, x, y, z = w / length, x / length, y / length, z / length
        to_w = _TWO * (z * (own[1, 0] - own[0, 1]) + y * (own[0, 2] - own[2, 0]) + x * (own[2, 1] - own[1, 2]))
        to_x = _TWO * (y * (own[0, 1] + own[1, 0]) + z * (own[0, 2] + own[2, 0]) + w * (own[2, 1] - own[1, 2]) - _TWO * x * (own[1, 1] + own[2, 2]))
        to_y = _TWO * (x * (own[0, 1] + own[1, 0]) + z * (own[1, 2] + own[2, 1]) + w * (own[0, 2] - own[2, 0]) - _TWO * y * (own[0, 0] + own[2, 2]))
        to_z = _TWO * (x * (own[0, 2] + own[2, 0]) + y * (own[1, 2] + own[2, 1]) + w * (own[1, 0] - own[0, 1]) - _TWO * z * (own[0, 0] + own[1, 1]))
        radial = w * to_w + x * to_x + y * to_y + z * to_z
        gradient[s, _Q] = (to_w - radial * w) / length
        gradient[s, _Q + 1] = (to_x - radial * x) / length
        gradient[s, _Q + 2] = (to_y - radial * y) / length
        gradient[s, _Q + 3] = (to_z - radial * z) / length
        gradient[s, _O] = to_opacities[s] * opacities[s] * (_ONE - opacities[s])
        h0, h1, h2, h3 = _harmonics(means[s], view)
        for k in range(3):
            along = to_colors[s, k] if colors[s, k] > _ZERO else _ZERO
            gradient[s, _C + k] = h0 * along
            gradient[s, _C + 3 + k] = h1 * along
            gradient[s, _C + 6 + k] = h2 * along
            gradient[s, _C + 9 + k] = h3 * along
            for m in range(motions):
                gradient[s, SHIFT_FROM + 3 * (motions + m) + k] = h0 * motion[m] * along
