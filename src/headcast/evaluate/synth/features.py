"""Where the features of a face are on its surface: lips, lashes, nostrils, brows, beard, hair. Each is an amount 0–1 per texel."""

from itertools import pairwise

import numpy as np

from headcast.evaluate.synth.look import Look
from headcast.evaluate.synth.noise import fractal_noise, space_noise
from headcast.evaluate.synth.surface_map import SurfaceMap, texels_of
from headcast.heads import HeadModel


def lips(surface: SurfaceMap, marks: np.ndarray) -> np.ndarray:
    """Between the inner and outer outline of the lips, seen from the front; inside the inner outline too, where lips roll in."""
    amount = np.zeros(len(surface.points))
    near = _near(surface, marks[48:68], 0.012)
    flat, outline = surface.points[near, :2], marks[48:60, :2]
    ring = np.concatenate([outline, outline[:1]])
    distance, _ = _segment_distance(flat, ring)
    signed = np.where(_inside(flat, outline), -distance, distance)
    amount[near] = _fall(signed, 0.0, 0.0012)
    return amount


def lash_line(surface: SurfaceMap, marks: np.ndarray, look: Look) -> np.ndarray:
    """A dark line along the edge of the lids, wider above: the fringe that shows where an eye is closed."""
    amount = np.zeros(len(surface.points))
    for start in (36, 42):
        near = _near(surface, marks[start : start + 6], 0.006)
        points = surface.points[near]
        upper, _ = _segment_distance(points, marks[[start, start + 1, start + 2, start + 3]])
        lower, _ = _segment_distance(points, marks[[start + 3, start + 4, start + 5, start]])
        strength = 0.8 + 0.2 * look.make_up
        amount[near] = np.maximum(strength * _fall(upper, 0.0022, 0.0014), 0.5 * strength * _fall(lower, 0.0006, 0.001))
    return amount


def nostrils(surface: SurfaceMap, marks: np.ndarray) -> np.ndarray:
    """Dark where the surface of the nose's underside faces down near the middle of each wing."""
    amount = np.zeros(len(surface.points))
    facing_down = np.clip(-surface.normals[:, 1] * 1.5 - 0.3, 0, 1)
    width = np.linalg.norm(marks[35] - marks[31])
    for wing in (marks[32], marks[34]):
        amount = np.maximum(amount, blob(surface.points, wing + np.array([np.sign(wing[0]) * 0.08 * width, 0.001, 0.001]), 0.16 * width))
    return amount * facing_down


def brows(surface: SurfaceMap, marks: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Hairs within a band along the brow, thinner towards the temple."""
    amount = np.zeros(len(surface.points))
    for points, inner_first in ((marks[17:22], False), (marks[22:27], True)):
        line = points if inner_first else points[::-1]
        near = _near(surface, line, 0.012)
        distance, along = _segment_distance(surface.points[near], line)
        half = 0.0042 * np.clip(1.15 - along, 0.25, 1.0) * np.clip(0.6 + 4 * along, 0, 1)
        tilted = surface.points[near] * [1.0, 0.45, 1.0] + surface.points[near][:, [1, 0, 2]] * [0.5, 0, 0]
        hairs = np.clip(0.75 + 0.45 * space_noise(tilted, 0.0011, rng), 0, 1)
        amount[near] = np.maximum(amount[near], look.brow_density * _fall(distance, half, 0.0018) * hairs)
    return amount


def stubble(surface: SurfaceMap, marks: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Short hairs over chin, jaw and upper lip."""
    if not look.stubble:
        return np.zeros(len(surface.points))
    points = surface.points
    jaw, _ = _segment_distance(points, marks[1:16])
    height = np.abs(marks[57, 1] - marks[8, 1])
    chin = blob(points, marks[8] + [0, 0.4 * height, 0], 0.8 * height)
    moustache, _ = _segment_distance(points, (marks[[48, 49, 50, 51, 52, 53, 54]] + marks[[48, 31, 32, 33, 34, 35, 54]]) / 2)
    field = np.maximum.reduce([_fall(jaw, 0.012, 0.02), np.clip(1.4 * chin, 0, 1), _fall(moustache, 0.0035, 0.004)])
    hairs = np.clip(0.55 + 0.6 * space_noise(points, 0.0011, rng), 0, 1)
    patches = np.clip(0.8 + 0.25 * space_noise(points, 0.012, rng), 0, 1)
    return 0.75 * look.stubble * field * hairs * patches * (points[:, 1] < marks[33, 1])


def hair(model: HeadModel, surface: SurfaceMap, marks: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Hair painted on the scalp: above a ragged line over the forehead and behind the temples, down to the nape."""
    points = surface.points
    ear_z = marks[[0, 16], 2].mean()
    ragged = 0.004 * fractal_noise(points, (0.02, 0.006), (1.0, 0.6), rng)
    # The line runs level over the forehead, drops behind the temples, and ends at the nape.
    behind = np.clip((marks[36, 2] - 0.012 - points[:, 2]) / max(marks[36, 2] - 0.012 - ear_z, 1e-3), 0, 2)
    edge = look.hairline_m - np.minimum(behind, 1) * (look.hairline_m - 0.012) - np.clip(behind - 1, 0, 1) * 0.075
    strands = np.clip(0.93 + 0.2 * space_noise(points * [1.0, 0.2, 0.4], 0.0018, rng), 0, 1)
    amount = np.clip((points[:, 1] - edge - ragged) / 0.004, 0, 1)
    return amount * strands * ~texels_of(model, surface, "ears")


def blob(points: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    return np.exp(-((points - centre) ** 2).sum(1) / (2 * radius**2))


def _segment_distance(points: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (m) to a line of points, and how far along it (0–1) the nearest place lies."""
    best, along = np.full(len(points), np.inf), np.zeros(len(points))
    for idx, (start, end) in enumerate(pairwise(line)):
        direction = end - start
        t = np.clip(((points - start) @ direction) / max(direction @ direction, 1e-18), 0, 1)
        distance = np.linalg.norm(points - start - t[:, None] * direction, axis=1)
        nearer = distance < best
        best[nearer], along[nearer] = distance[nearer], (idx + t[nearer]) / (len(line) - 1)
    return best, along


def _near(surface: SurfaceMap, marks: np.ndarray, reach: float) -> np.ndarray:
    """Texels within reach of any of the landmarks: the rest need no distances."""
    low, high = marks.min(0) - reach, marks.max(0) + reach
    return np.nonzero(((surface.points > low) & (surface.points < high)).all(1))[0]


def _fall(distance: np.ndarray, half: np.ndarray | float, soft: float) -> np.ndarray:
    """One inside the half width, falling smoothly to zero over `soft`."""
    t = np.clip((half + soft - distance) / soft, 0, 1)
    return t * t * (3 - 2 * t)


def _inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Points inside an outline in the plane: the even-odd rule."""
    inside = np.zeros(len(points), bool)
    for start, end in zip(outline, np.roll(outline, -1, axis=0)):
        crosses = (start[1] > points[:, 1]) != (end[1] > points[:, 1])
        rise = end[1] - start[1]
        at = start[0] + (points[:, 1] - start[1]) / (rise if rise else 1e-30) * (end[0] - start[0])
        inside ^= crosses & (points[:, 0] < at)
    return inside
