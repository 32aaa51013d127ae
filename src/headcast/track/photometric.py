"""Dense colour comparison as normal equations.

For every covered pixel the residual is the picture's colour minus albedo times shading, in gamma space. Its derivative with the unknowns is the
picture's gradient times the pixel's motion, and that motion is the barycentric mean of its triangle's corners' motions. So a triangle needs, whatever
the resolution, only the sums of (corner weight × corner weight × structure tensor) over its pixels; the normal equations follow from these sums
and the Jacobian of the vertices.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from headcast.compiled import compiled
from headcast.threads import in_parts, meanwhile
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


@compiled("i4[:,::1], f4[::1], f4[:,::1], i4[::1], i4[::1]")
def _chain_pixels(face_buffer, face_weight, matte, latest, before):
    """Chains the pixels that count, face by face: latest[face] is one, before[pixel] the next, −1 the end; latest is −1 on entry."""
    height, width = face_buffer.shape
    for y in range(height):
        for x in range(width):
            f = face_buffer[y, x]
            if f >= 0 and matte[y, x] > 0 and face_weight[f] > 0:
                before[y * width + x] = latest[f]
                latest[f] = y * width + x


@compiled(
    "i8, i8, i8[::1], i4[::1], i4[::1], f4[:,::1], f4[:,::1], f4[:,:,::1], f4[::1], i4[:,::1], f4[::1], f4[:,:,::1], f4[:,::1], f4[:,:,::1], "
    "f4, f4, f4, f4[:,:,::1], f4[:,:,::1], f4[:,::1]",
    fastmath=True,
)
def _accumulate(
    first, last, shown, latest, before, barycentric, image, gradient, matte, faces, face_weight, uv, shading, texture, variance, slack, robust,
    tensors, pulls, sums,
):  # fmt: skip
    height, width, _ = texture.shape
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    sample, w = np.empty(4, np.float32), np.empty(3, np.float32)
    tensor = np.empty((9, 3), np.float32)  # of the six pairs of corners; then the pulls of the three corners
    for place in range(first, last):
        f = shown[place]
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        for i in range(9):
            for k in range(3):
                tensor[i, k] = zero
        error_sum, pixel_count, weight_sum, cost = zero, zero, zero, zero
        p = latest[f]
        while p >= 0:
            w[0], w[1] = barycentric[p, 0], barycentric[p, 1]
            w[2] = one - w[0] - w[1]
            u, v = zero, zero
            for k in range(3):
                u += w[k] * uv[f, k, 0]
                v += w[k] * uv[f, k, 1]
            x = min(max(u * width - half, zero), np.float32(width - 1.001))
            y = min(max((one - v) * height - half, zero), np.float32(height - 1.001))
            column, row = int(x), int(y)
            across, down = x - np.float32(column), y - np.float32(row)
            for k in range(4):
                upper = texture[row, column, k] + across * (texture[row, column + 1, k] - texture[row, column, k])
                lower = texture[row + 1, column, k] + across * (texture[row + 1, column + 1, k] - texture[row + 1, column, k])
                sample[k] = upper + down * (lower - upper)
            error, xx, xy, yy, px, py = zero, zero, zero, zero, zero, zero
            for k in range(3):
                residual = image[p, k] - sample[k] * (w[0] * shading[a, k] + w[1] * shading[b, k] + w[2] * shading[c, k])
                gx, gy = gradient[p, k, 0], gradient[p, k, 1]
                error += residual * residual
                xx += gx * gx
                xy += gx * gy
                yy += gy * gy
                px += gx * residual
                py += gy * residual
            if matte[p] > half:
                error_sum += error
                pixel_count += one
            # Geman–McClure weight on the residual in units of what this texel usually shows.
            trust = sample[3] / (variance + slack * (xx + yy) * sample[3])
            scaled = one + error * trust * robust
            weight = face_weight[f] * matte[p] * trust / (scaled * scaled)
            weight_sum += weight
            cost += half * error * weight * scaled
            slot = 0
            for i in range(3):
                share = weight * w[i]
                tensor[6 + i, 0] += share * px
                tensor[6 + i, 1] += share * py
                for j in range(i, 3):
                    tensor[slot, 0] += share * w[j] * xx
                    tensor[slot, 1] += share * w[j] * xy
                    tensor[slot, 2] += share * w[j] * yy
                    slot += 1
            p = before[p]
        for k in range(3):
            for i in range(6):
                tensors[f, i, k] = tensor[i, k]
            for i in range(2):
                pulls[f, k, i] = tensor[6 + k, i]
        sums[f, 0], sums[f, 1], sums[f, 2], sums[f, 3] = error_sum, pixel_count, weight_sum, cost


def compare_colours(
    surface: Surface,
    face_buffer: Int[np.ndarray, "height width"],
    barycentric: Float[np.ndarray, "height width weights"],
    image: Float[np.ndarray, "height width 3"],
    gradient: Float[np.ndarray, "height width 3 2"],
    matte: Float[np.ndarray, "height width"],
    shading: Float[np.ndarray, "vertices 3"],
    texture: Float[np.ndarray, "texture_height texture_width 4"],
    sigma: float,
    robust: float,
    slack_px: float,
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
        slack_px: How exactly places can be compared: this many pixels' worth of gradient adds to the noise, so that edges which are a little
            out of place are no outliers, and no edge is trusted to know its place better than this.
    """
    count = len(surface.faces)
    latest, before = np.full(count, -1, np.int32), np.empty(face_buffer.size, np.int32)
    _chain_pixels(face_buffer, surface.face_weight, matte, latest, before)
    shown = np.flatnonzero(latest >= 0)
    tensors, pulls, sums = np.zeros((count, 6, 3), np.float32), np.zeros((count, 3, 2), np.float32), np.zeros((count, 4), np.float32)
    in_parts(
        _accumulate, len(shown), shown, latest, before, barycentric.reshape(-1, 3), image.reshape(-1, 3), gradient.reshape(-1, 3, 2),
        matte.reshape(-1), surface.faces, surface.face_weight, surface.uv, shading, texture,
        np.float32(3 * sigma * sigma), np.float32(slack_px**2), np.float32(robust), tensors, pulls, sums, grain=512,
    )  # fmt: skip
    return PhotometricSums(tensors, pulls, squared_error=sums[:, 0], pixels=sums[:, 1], weight=sums[:, 2], cost=sums[:, 3])


@compiled(
    "i8, i8, f4[:,:,::1], f4[:,:,::1], i4[::1], i4[::1], i4[::1], i4[::1], i4[::1], i4[:,::1], f4[:,:,::1], i8[::1], i8[::1], f4[:,:,::1], f4[:,::1]",
    fastmath=True,
)
def _weigh_rows(
    first, last, tensors, pulls, neighbour_start, neighbour, incident_start, incident_face, incident_corner, incident_slot, jacobian, active, place,
    weighted, pull_rows,
):  # fmt: skip
    count, zero = jacobian.shape[2], np.float32(0)
    for index in range(first, last):
        v = active[index]
        start = neighbour_start[v]
        slots = neighbour_start[v + 1] - start
        mix = np.zeros((slots, 3), np.float32)
        pull_rows[index, 0], pull_rows[index, 1] = zero, zero
        for i in range(incident_start[v], incident_start[v + 1]):
            f, k = incident_face[i], incident_corner[i]
            for axis in range(2):
                pull_rows[index, axis] += pulls[f, k, axis]
            for other in range(3):
                low, high = min(k, other), max(k, other)
                pair = high if low == 0 else low + high + 1 if low == 1 else 5
                for t in range(3):
                    mix[incident_slot[i, other], t] += tensors[f, pair, t]
        for p in range(count):
            weighted[index, 0, p], weighted[index, 1, p] = zero, zero
        for slot in range(slots):
            xx, xy, yy = mix[slot, 0], mix[slot, 1], mix[slot, 2]
            if xx == 0 and yy == 0:
                continue
            row = place[neighbour[start + slot]]
            for p in range(count):
                dx, dy = jacobian[row, 0, p], jacobian[row, 1, p]
                weighted[index, 0, p] += xx * dx + xy * dy
                weighted[index, 1, p] += xy * dx + yy * dy


def touched_vertices(surface: Surface, sums: PhotometricSums) -> Int[np.ndarray, "active"]:
    """Vertices of faces whose colours count."""
    touched = np.zeros(len(surface.basis.template), bool)
    touched[surface.faces[sums.weight > 0]] = True
    return np.flatnonzero(touched)


@dataclass(frozen=True)
class WeightedRows:
    """The colour term's rows: two for each of the vertices that it touches."""

    rows: Float[np.ndarray, "active 2 unknowns"]
    """J: how their pixels move with the unknowns."""
    weighted: Float[np.ndarray, "active 2 unknowns"]
    """M·J, M being the picture's structure tensor between vertices."""
    pulls: Float[np.ndarray, "active 2"]
    """Sums of gradient times residual, less by which the term grows."""

    def equations(self) -> tuple[Float[np.ndarray, "unknowns unknowns"], Float[np.ndarray, "unknowns"]]:
        """JᵀMJ and −Jᵀr."""
        rows = self.rows.reshape(-1, self.rows.shape[2])
        weighted, half = self.weighted.reshape(rows.shape), len(self.rows)
        lower = meanwhile(np.matmul, rows[half:].T, weighted[half:])
        matrix = (rows[:half].T @ weighted[:half] + lower.result()).astype(np.float64)
        return 0.5 * (matrix + matrix.T), -(rows.T @ self.pulls.reshape(-1)).astype(np.float64)


def weighted_rows(
    surface: Surface, sums: PhotometricSums, active: Int[np.ndarray, "active"], jacobian: Float[np.ndarray, "active 2 unknowns"]
) -> WeightedRows:
    """What the normal equations of the colour term are made of.

    Args:
        active: The vertices that the colour term touches, from `touched_vertices`.
        jacobian: How their pixels move with the unknowns.
    """
    place = np.zeros(len(surface.basis.template), np.int64)
    place[active] = np.arange(len(active))
    weighted, pulls = np.empty_like(jacobian), np.empty((len(active), 2), np.float32)
    in_parts(
        _weigh_rows, len(active), sums.tensors, sums.pulls, surface.neighbour_start, surface.neighbour, surface.incident_start, surface.incident_face,
        surface.incident_corner, surface.incident_slot, jacobian, active, place, weighted, pulls, grain=512,
    )  # fmt: skip
    return WeightedRows(jacobian, weighted, pulls)


def vertex_tensors(surface: Surface, sums: PhotometricSums) -> Float[np.ndarray, "vertices 3"]:
    """Weighted structure tensor (xx, xy, yy) of each vertex's surroundings: what a shift of all of them together would cost."""
    own = np.zeros((len(surface.basis.template), 3))
    pairs = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
    for corner in range(3):
        tensor = sums.tensors[:, pairs[corner]].sum(1)
        for part in range(3):
            own[:, part] += np.bincount(surface.faces[:, corner], tensor[:, part], len(own))
    return own
