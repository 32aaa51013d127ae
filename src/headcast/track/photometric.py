"""Dense colour comparison as normal equations.

For every covered pixel the residual is the picture's colour minus albedo times shading, in gamma space. Its derivative with the unknowns is the
picture's gradient times the pixel's motion, and that motion is the barycentric mean of its triangle's corners' motions. So a triangle needs, whatever
the resolution, only the sums of (corner weight × corner weight × structure tensor) over its pixels; the normal equations follow from these sums
and the Jacobian of the vertices.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import prange

from headcast.compiled import compiled
from headcast.track.surface import Surface

GAMMA = 2.2
"""Inside the tracker colours are linear light to the power 1/2.2, so that albedo and shading still multiply."""


@dataclass(frozen=True)
class PhotometricSums:
    """What one comparison gives."""

    tensors: Float[np.ndarray, "faces 6 3"]
    """Per face and pair of corners (00, 01, 02, 11, 12, 22) the weighted structure tensor (xx, xy, yy)."""
    pulls: Float[np.ndarray, "faces 3 2"]
    """Per corner the weighted sum of gradient times residual."""
    squared_error: Float[np.ndarray, "faces"]
    """Sum of squared residuals over pixels and channels, every pixel counting alike."""
    pixels: Float[np.ndarray, "faces"]
    weight: Float[np.ndarray, "faces"]
    """Sum of the pixels' weights after robust down-weighting."""
    cost: Float[np.ndarray, "faces"]
    """Sum of the robust cost (Geman–McClure) that the tensors and pulls belong to."""


@compiled(fastmath=True)
def _sample(texture, u, v, out):
    """Bilinear look-up; u and v are in texels with the first texel's centre at 0.5."""
    height, width, channels = texture.shape
    x = min(max(u - np.float32(0.5), np.float32(0.0)), np.float32(width - 1.001))
    y = min(max(v - np.float32(0.5), np.float32(0.0)), np.float32(height - 1.001))
    x0, y0 = int(x), int(y)
    fx, fy = x - np.float32(x0), y - np.float32(y0)
    one = np.float32(1.0)
    w00, w01, w10, w11 = (one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy
    for c in range(channels):
        out[c] = w00 * texture[y0, x0, c] + w01 * texture[y0, x0 + 1, c] + w10 * texture[y0 + 1, x0, c] + w11 * texture[y0 + 1, x0 + 1, c]


@compiled(
    "i4[:,::1], f4[:,:,::1], f4[:,:,::1], f4[:,:,:,::1], f4[:,::1], f4[:,::1], i4[:,::1], f4[::1], f4[:,:,::1], f4[:,::1], f4[:,:,::1], "
    "f4, f4, f4[:,:,::1], f4[:,:,::1], f4[::1], f4[::1], f4[::1], f4[::1]",
    parallel=True,
    fastmath=True,
)
def _accumulate(
    face_buffer, barycentric, image, gradient, matte, pixels, faces, face_weight, uv, shading, texture, precision, robust,
    tensors, pulls, squared_error, pixel_count, weight_sum, cost,
):  # fmt: skip
    height, width = face_buffer.shape
    texture_height, texture_width = texture.shape[0], texture.shape[1]
    one = np.float32(1.0)
    for f in prange(len(faces)):
        for i in range(6):
            for k in range(3):
                tensors[f, i, k] = 0
        for i in range(3):
            pulls[f, i, 0] = 0
            pulls[f, i, 1] = 0
        squared_error[f] = 0
        pixel_count[f] = 0
        weight_sum[f] = 0
        cost[f] = 0
        if face_weight[f] <= 0:
            continue
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        left = min(pixels[a, 0], pixels[b, 0], pixels[c, 0])
        right = max(pixels[a, 0], pixels[b, 0], pixels[c, 0])
        top = min(pixels[a, 1], pixels[b, 1], pixels[c, 1])
        bottom = max(pixels[a, 1], pixels[b, 1], pixels[c, 1])
        if not (right > 0 and bottom > 0 and left < width and top < height):
            continue
        x0, x1 = max(int(left), 0), min(int(right) + 1, width)
        y0, y1 = max(int(top), 0), min(int(bottom) + 1, height)
        sample = np.empty(4, np.float32)
        residual = np.empty(3, np.float32)
        for y in range(y0, y1):
            for x in range(x0, x1):
                if face_buffer[y, x] != f:
                    continue
                w0, w1 = barycentric[y, x, 0], barycentric[y, x, 1]
                w2 = one - w0 - w1
                u = (w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]) * texture_width
                v = (one - (w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1])) * texture_height
                _sample(texture, u, v, sample)
                error = np.float32(0.0)
                for k in range(3):
                    shade = w0 * shading[a, k] + w1 * shading[b, k] + w2 * shading[c, k]
                    residual[k] = image[y, x, k] - sample[k] * shade
                    error += residual[k] * residual[k]
                if matte[y, x] > 0.5:
                    squared_error[f] += error
                    pixel_count[f] += 1
                # Geman–McClure weight on the residual in units of what this texel usually shows.
                scaled = one + error * precision * sample[3] * robust
                weight = face_weight[f] * matte[y, x] * precision * sample[3] / (scaled * scaled)
                weight_sum[f] += weight
                cost[f] += np.float32(0.5) * error * weight * scaled
                xx = np.float32(0.0)
                xy = np.float32(0.0)
                yy = np.float32(0.0)
                px = np.float32(0.0)
                py = np.float32(0.0)
                for k in range(3):
                    gx, gy = gradient[y, x, k, 0], gradient[y, x, k, 1]
                    xx += gx * gx
                    xy += gx * gy
                    yy += gy * gy
                    px += gx * residual[k]
                    py += gy * residual[k]
                xx *= weight
                xy *= weight
                yy *= weight
                px *= weight
                py *= weight
                w = (w0, w1, w2)
                slot = 0
                for i in range(3):
                    pulls[f, i, 0] += w[i] * px
                    pulls[f, i, 1] += w[i] * py
                    for j in range(i, 3):
                        mix = w[i] * w[j]
                        tensors[f, slot, 0] += mix * xx
                        tensors[f, slot, 1] += mix * xy
                        tensors[f, slot, 2] += mix * yy
                        slot += 1


def compare_colours(
    surface: Surface,
    face_buffer: Int[np.ndarray, "height width"],
    barycentric: Float[np.ndarray, "height width weights"],
    image: Float[np.ndarray, "height width 3"],
    gradient: Float[np.ndarray, "height width 3 2"],
    matte: Float[np.ndarray, "height width"],
    pixels: Float[np.ndarray, "vertices 2"],
    shading: Float[np.ndarray, "vertices 3"],
    texture: Float[np.ndarray, "texture_height texture_width 4"],
    sigma: float,
    robust: float,
) -> PhotometricSums:
    """Sums over the pixels of each face.

    Args:
        face_buffer: Face seen at each pixel, −1 for none; barycentric are the weights of its first corners.
        image, gradient: Picture and its derivative per pixel, in gamma space.
        matte: Weight of each pixel, 0–1: the person's matte, less what covers the face.
        shading: Light at the vertices, gamma space.
        texture: Albedo in gamma space and, last, how sure it is (1 = as `sigma` says, 0 = not known).
        sigma: Standard deviation of the picture's noise, gamma space.
        robust: Residuals beyond 1/√robust standard deviations lose influence.
    """
    count = len(surface.faces)
    sums = PhotometricSums(
        tensors=np.empty((count, 6, 3), np.float32),
        pulls=np.empty((count, 3, 2), np.float32),
        squared_error=np.empty(count, np.float32),
        pixels=np.empty(count, np.float32),
        weight=np.empty(count, np.float32),
        cost=np.empty(count, np.float32),
    )
    _accumulate(
        face_buffer, barycentric, image, gradient, matte, pixels, surface.faces, surface.face_weight, surface.uv, shading, texture,
        np.float32(1 / (3 * sigma * sigma)), np.float32(robust), sums.tensors, sums.pulls, sums.squared_error, sums.pixels, sums.weight, sums.cost,
    )  # fmt: skip
    return sums


@compiled(
    "f4[:,:,::1], f4[:,:,::1], i4[::1], i4[::1], i4[::1], i4[::1], i4[::1], i4[:,::1], f4[:,:,::1], i8[::1], f4[:,::1], f4[:,::1], f4[::1]",
    parallel=True,
    fastmath=True,
)
def _weigh_rows(
    tensors, pulls, neighbour_start, neighbour, incident_start, incident_face, incident_corner, incident_slot, jacobian, active,
    rows, weighted, pull_rows,
):  # fmt: skip
    count = jacobian.shape[2]
    for index in prange(len(active)):
        v = active[index]
        first = neighbour_start[v]
        slots = neighbour_start[v + 1] - first
        mix = np.zeros((slots, 3), np.float32)
        pull_x = np.float32(0.0)
        pull_y = np.float32(0.0)
        for i in range(incident_start[v], incident_start[v + 1]):
            f, k = incident_face[i], incident_corner[i]
            pull_x += pulls[f, k, 0]
            pull_y += pulls[f, k, 1]
            for other in range(3):
                low, high = min(k, other), max(k, other)
                pair = high if low == 0 else low + high + 1 if low == 1 else 5
                slot = incident_slot[i, other]
                for t in range(3):
                    mix[slot, t] += tensors[f, pair, t]
        pull_rows[2 * index] = pull_x
        pull_rows[2 * index + 1] = pull_y
        for p in range(count):
            rows[2 * index, p] = jacobian[v, 0, p]
            rows[2 * index + 1, p] = jacobian[v, 1, p]
            weighted[2 * index, p] = 0
            weighted[2 * index + 1, p] = 0
        for slot in range(slots):
            xx, xy, yy = mix[slot, 0], mix[slot, 1], mix[slot, 2]
            if xx == 0 and yy == 0:
                continue
            other_vertex = neighbour[first + slot]
            for p in range(count):
                dx, dy = jacobian[other_vertex, 0, p], jacobian[other_vertex, 1, p]
                weighted[2 * index, p] += xx * dx + xy * dy
                weighted[2 * index + 1, p] += xy * dx + yy * dy


@dataclass(frozen=True)
class WeightedRows:
    """The colour term's rows, two per vertex that it touches."""

    active: Int[np.ndarray, "active"]
    """Vertices."""
    rows: Float[np.ndarray, "two_active unknowns"]
    """J: how their pixels move with the unknowns."""
    weighted: Float[np.ndarray, "two_active unknowns"]
    """M·J, M being the picture's structure tensor between vertices."""
    pulls: Float[np.ndarray, "two_active"]
    """Sums of gradient times residual, less by which the term grows."""

    def equations(self) -> tuple[Float[np.ndarray, "unknowns unknowns"], Float[np.ndarray, "unknowns"]]:
        """JᵀMJ and −Jᵀr."""
        matrix = (self.rows.T @ self.weighted).astype(np.float64)
        return 0.5 * (matrix + matrix.T), -(self.rows.T @ self.pulls).astype(np.float64)


def weighted_rows(surface: Surface, sums: PhotometricSums, jacobian: Float[np.ndarray, "vertices 2 unknowns"]) -> WeightedRows:
    """What the normal equations of the colour term are made of."""
    touched = np.zeros(len(jacobian), bool)
    touched[surface.faces[sums.weight > 0]] = True
    active = np.flatnonzero(touched)
    count = jacobian.shape[2]
    rows = np.empty((2 * len(active), count), np.float32)
    weighted = np.empty_like(rows)
    pulls = np.empty(2 * len(active), np.float32)
    _weigh_rows(
        sums.tensors, sums.pulls, surface.neighbour_start, surface.neighbour, surface.incident_start, surface.incident_face,
        surface.incident_corner, surface.incident_slot, jacobian, active, rows, weighted, pulls,
    )  # fmt: skip
    return WeightedRows(active, rows, weighted, pulls)


def normal_equations(
    surface: Surface, sums: PhotometricSums, jacobian: Float[np.ndarray, "vertices 2 unknowns"]
) -> tuple[Float[np.ndarray, "unknowns unknowns"], Float[np.ndarray, "unknowns"]]:
    """Gauss–Newton matrix JᵀMJ and right-hand side −Jᵀr of the colour term."""
    return weighted_rows(surface, sums, jacobian).equations()


def vertex_tensors(surface: Surface, sums: PhotometricSums) -> Float[np.ndarray, "vertices 3"]:
    """Weighted structure tensor (xx, xy, yy) of each vertex's surroundings: what a shift of all of them together would cost."""
    own = np.zeros((len(surface.basis.template), 3))
    pairs = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
    for corner in range(3):
        tensor = sums.tensors[:, pairs[corner]].sum(1)
        for part in range(3):
            own[:, part] += np.bincount(surface.faces[:, corner], tensor[:, part], len(own))
    return own
