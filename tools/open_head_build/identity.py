"""The identity basis: the principal components of sampled people together with a smooth process for what artists' controls cannot make.

A field is a displacement (m) at every vertex, followed by one at every joint. A set of fields, each with a coefficient of variance one,
describes a Gaussian; two sets side by side describe the sum of two independent ones.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist


@dataclass(frozen=True)
class SmoothProcess:
    """What real faces have beyond the controls: a Gaussian process of displacements in space, known by its values at some points.

    Cov(u(x), u(y)) = w(x) w(y) [r² g(|x−y|/R) n(x) n(y)ᵀ + d² g(|x−y|/D) I], g(t) = exp(−t²/2): broad relief along n, the direction
    away from the middle of the head, and finer drift in all directions; w fades both out behind the face. Being a function of space
    and not of the surface, it keeps touching lips and lids together (Lüthi et al. 2018, sections 2–3).

    The four numbers maximise the marginal likelihood of a dozen heads made by others (a scan, a scan-based model's people, an artist's
    head), rounded.
    """

    relief_m: float = 0.0025
    relief_length_m: float = 0.065
    drift_m: float = 0.0015
    drift_length_m: float = 0.020
    spacing_m: float = 0.011
    """Between the points by which the process is known; well under `drift_length_m`."""
    asymmetry: float = 0.4
    """Standard deviation of the antisymmetric half over that of the symmetric one; one would be a process that knows no sides."""

    def directions(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        away = points - [0.0, -0.03, -0.075]
        return away / np.linalg.norm(away, axis=1, keepdims=True)

    def window(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """1 on the face, 0 behind the ears and below the throat."""
        return _ramp((points[:, 2] + 0.085) / 0.05) * _ramp((points[:, 1] + 0.150) / 0.03)

    def fields(self, at: Float[np.ndarray, "n 3"], skin: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "fields n 3"]:
        """The process at some positions as fields with coefficients of variance one; `skin` (symmetric) is where it must be right.

        With points Z and features k(x, Z) k(Z, Z)^(−½) the covariance is Nyström's approximation, exact at Z.
        """
        known_at = _spread_points(skin[self.window(skin) > 0], self.spacing_m)
        relief = self.relief_m * _features(at, known_at, self.relief_length_m)
        drift = self.drift_m * _features(at, known_at, self.drift_length_m)
        along = relief.T[:, :, None] * self.directions(at)
        free = (drift.T[:, None, :, None] * np.eye(3)[:, None, :]).reshape(-1, len(at), 3)
        return np.concatenate([along, free]) * self.window(at)[:, None]


def less_asymmetric(
    fields: Float[np.ndarray, "fields points 3"], mirror: Int[np.ndarray, "points"], asymmetry: float
) -> Float[np.ndarray, "fields points 3"]:
    """The same Gaussian with its antisymmetric half scaled down by `asymmetry` and its symmetric half scaled up to make good for it."""
    mirrored = fields[:, mirror] * [-1.0, 1.0, 1.0]
    symmetric = np.sqrt(2 / (1 + asymmetry**2))
    return symmetric * ((fields + mirrored) / 2 + asymmetry * (fields - mirrored) / 2)


def without_turn(
    fields: Float[np.ndarray, "fields points 3"], points: Float[np.ndarray, "points 3"], weight: Float[np.ndarray, "points"]
) -> Float[np.ndarray, "fields points 3"]:
    """Fields less the rigid motion (to first order) that explains them best where there is weight."""
    centred = points - (weight @ points) / weight.sum()
    turns = np.stack([np.cross(np.broadcast_to(axis, centred.shape), centred) for axis in np.eye(3)], -1)
    rows = np.concatenate([turns, np.broadcast_to(np.eye(3), (len(points), 3, 3))], -1)
    weighted = rows * weight[:, None, None]
    motion = np.linalg.solve(np.einsum("pca,pcb->ab", rows, weighted), np.einsum("pca,fpc->af", weighted, fields))
    return fields - np.einsum("pca,af->fpc", rows, motion)


def strongest(
    fields: Float[np.ndarray, "fields points 3"],
    metric: Float[np.ndarray, "points"],
    mirror: Int[np.ndarray, "points"],
    count: int,
) -> Float[np.ndarray, "count points 3"]:
    """The principal components of a set of fields, scaled to coefficients of variance one, strongest first, orthogonal in the metric.

    Mirror images count as much as the fields themselves, therefore every component is symmetric or antisymmetric and the two kinds
    are found apart; a Gaussian that is symmetric already stays what it is.
    """
    modes, variances = [], []
    for sign in (1.0, -1.0):
        part = (fields + sign * fields[:, mirror] * [-1.0, 1.0, 1.0]) / 2
        weighted = (part * np.sqrt(metric)[:, None]).reshape(len(part), -1)
        variance, scores = np.linalg.eigh(weighted @ weighted.T)
        best = np.argsort(variance)[::-1][:count]
        modes += list(np.tensordot(scores[:, best].T, part, 1))
        variances += list(variance[best])
    order = np.argsort(variances)[::-1][:count]
    return _oriented(np.array([modes[idx] for idx in order]))


def area_metric(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"], skin: Bool[np.ndarray, "vertices"], importance: np.ndarray
) -> Float[np.ndarray, "vertices"]:
    """Each vertex's share of the skin's area times its importance, in sum one; nothing but skin counts."""
    corner = vertices[faces]
    third = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1) / 6
    area = np.zeros(len(vertices))
    for k in range(3):
        np.add.at(area, faces[:, k], third)
    weight = np.where(skin, area * importance, 0.0)
    return weight / weight.sum()


def _features(at: np.ndarray, known_at: np.ndarray, length: float) -> Float[np.ndarray, "n points"]:
    kernel = np.exp(-cdist(known_at, known_at, "sqeuclidean") / (2 * length**2))
    value, vector = np.linalg.eigh(kernel)
    kept = value > 1e-7 * value[-1]
    across = np.exp(-cdist(at, known_at, "sqeuclidean") / (2 * length**2))
    return across @ (vector[:, kept] / np.sqrt(value[kept]))


def _spread_points(points: np.ndarray, spacing: float) -> Float[np.ndarray, "chosen 3"]:
    """Some of the points, about `spacing` from one another and mirrored about x = 0, by farthest-point sampling."""
    left = points[points[:, 0] >= 0]
    chosen, distance = [0], np.full(len(left), np.inf)
    while True:
        distance = np.minimum(distance, np.linalg.norm(left - left[chosen[-1]], axis=1))
        farthest = int(distance.argmax())
        if distance[farthest] < spacing:
            break
        chosen.append(farthest)
    half = left[chosen]
    return np.concatenate([half, half[half[:, 0] > spacing / 2] * [-1.0, 1.0, 1.0]])


def _oriented(modes: np.ndarray) -> np.ndarray:
    """Signs chosen so that each mode's largest entry is positive, which makes a rebuild give the same ones."""
    flat = modes.reshape(len(modes), -1)
    sign = np.sign(flat[np.arange(len(flat)), np.abs(flat.round(9)).argmax(1)])
    return modes * sign[:, None, None]


def _ramp(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    value = np.clip(value, 0, 1)
    return value**2 * (3 - 2 * value)
