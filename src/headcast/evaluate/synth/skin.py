"""Paints faces: many skins, brows, lips, beards, hairs and irises, from a seed, onto any head model with landmarks.

Colours are drawn over the template's surface in three dimensions, so they have no seams and do not depend on the texture layout. The result
is an albedo: how much red, green and blue the surface throws back, linear, without light.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float

from headcast.errors import InputError
from headcast.evaluate.synth.noise import fractal_noise, space_noise
from headcast.evaluate.synth.surface_map import SurfaceMap, surface_map, texels_of
from headcast.heads import HeadModel
from headcast.render import linear_from_srgb

_TONES_SRGB = np.array(
    [[240, 208, 190], [228, 188, 162], [212, 168, 134], [190, 142, 106], [160, 112, 80], [124, 82, 58], [92, 60, 44], [66, 44, 36]]
)
"""Skin from very light to very dark."""
_HAIRS_SRGB = np.array([[28, 22, 20], [52, 36, 26], [88, 58, 36], [140, 100, 60], [186, 150, 100], [120, 50, 26], [150, 148, 146]])
_IRISES_SRGB = np.array([[70, 42, 24], [104, 70, 38], [96, 92, 54], [74, 104, 88], [84, 116, 150], [110, 124, 136]])
_IRIS_RADIUS = 0.0945
"""Radius of the iris as a share of the distance between the eyeball centres (5.9 mm of 62.5 mm)."""


@dataclass(frozen=True)
class Look:
    """What a synthetic person looks like, drawn from a seed; strengths are 0–1."""

    skin: Float[np.ndarray, "3"]
    hair: Float[np.ndarray, "3"]
    iris: Float[np.ndarray, "3"]
    lip_redness: float
    mottling: float
    pores: float
    freckles: float
    moles: int
    stubble: float
    hairline_m: float
    """Height above the eyes where the hair begins; a large number means bald."""
    brow_density: float
    make_up: float


def random_look(rng: np.random.Generator) -> Look:
    """A person: tones between the measured ones, rarer features in some only."""

    def blend(table: np.ndarray) -> np.ndarray:
        first = rng.integers(len(table) - 1)
        share = rng.uniform()
        return _linear((table[first] * (1 - share) + table[first + 1] * share) / 255.0) * rng.uniform(0.92, 1.08, 3)

    skin = blend(_TONES_SRGB)
    # Fair hair goes with light skin; grey hair with any.
    hairs = _HAIRS_SRGB if skin[1] > 0.25 else _HAIRS_SRGB[[0, 1, -1]]
    return Look(
        skin=skin,
        hair=_linear(hairs[rng.integers(len(hairs))] / 255.0),
        iris=blend(_IRISES_SRGB),
        lip_redness=rng.uniform(0.3, 1.0),
        mottling=rng.uniform(0.3, 1.0),
        pores=rng.uniform(0.3, 1.0),
        freckles=rng.uniform(0.3, 1.0) * (rng.uniform() < 0.35),
        moles=int(rng.integers(0, 9)),
        stubble=rng.uniform(0.3, 1.0) * (rng.uniform() < 0.4),
        hairline_m=rng.uniform(0.055, 0.085) if rng.uniform() < 0.85 else 1.0,
        brow_density=rng.uniform(0.5, 1.0),
        make_up=rng.uniform(0.4, 1.0) * (rng.uniform() < 0.25),
    )


def paint_albedo(model: HeadModel, look: Look, size: int, rng: np.random.Generator) -> Float[np.ndarray, "size size 3"]:
    """The person's albedo in the model's texture layout, linear 0–1; row 0 is the upper edge.

    Raises:
        InputError: the model has no landmark set "ibug_68", so nobody knows where its brows are.
    """
    if "ibug_68" not in model.landmarks:
        raise InputError(f"expected a head model with landmarks 'ibug_68', found {sorted(model.landmarks)}; load it with load_model_for_tracking")
    surface = surface_map(model, size)
    marks = model.landmarks["ibug_68"].points(model.template, model.faces).numpy().astype(np.float64)
    colors = _skin(surface, marks, look, rng)
    outer = ~np.logical_or.reduce([texels_of(model, surface, name) for name in ("eyeballs", "teeth", "tongue", "mouth_interior")])
    layers = (
        (_lips(surface, marks), look.skin * 0.55 + _linear(np.array([0.66, 0.25, 0.25])) * 0.45 * look.lip_redness + 0.01),
        (_lash_line(surface, marks, look), look.hair * 0.5 + 0.005),
        (_nostrils(surface, marks), look.skin * 0.12),
        (_stubble(surface, marks, look, rng), look.hair * 0.6 + look.skin * 0.15),
        (_brows(surface, marks, look, rng), look.hair),
        (_hair(model, surface, marks, look, rng), look.hair),
    )
    for amount, color in layers:
        share = (amount * outer)[:, None]
        colors = colors * (1 - share) + color * share * np.exp(0.2 * space_noise(surface.points, 0.003, rng))[:, None]
    colors = _insides(model, surface, colors, look, rng)
    colors = _eyes(model, surface, colors, look, rng)
    return surface.picture(np.clip(colors, 0.004, 0.98).astype(np.float32))


def _linear(srgb: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    return linear_from_srgb(torch.from_numpy(np.asarray(srgb, np.float64))).numpy()


def _skin(surface: SurfaceMap, marks: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Skin everywhere: melanin and blood vary over centimetres, pores over a millimetre; cheeks, nose and ears are redder."""
    points = surface.points
    melanin = 0.10 * look.mottling * fractal_noise(points, (0.06, 0.025, 0.010, 0.004), (1.0, 0.7, 0.5, 0.4), rng)
    blood = 0.10 * look.mottling * fractal_noise(points, (0.05, 0.02, 0.007, 0.003), (1.0, 0.7, 0.5, 0.4), rng)
    reddest = [(marks[30], 0.016, 0.9), (marks[8], 0.022, 0.4)]
    between = np.linalg.norm(marks[45] - marks[36])
    for eye, corner in ((marks[36:42].mean(0), marks[48]), (marks[42:48].mean(0), marks[54])):
        reddest.append((0.45 * eye + 0.55 * corner + [np.sign(eye[0]) * 0.08 * between, 0, -0.01], 0.022, 0.9))
    for centre, radius, strength in reddest:
        blood = blood + 0.16 * strength * _blob(points, centre, radius)
    for eye in (marks[36:42].mean(0), marks[42:48].mean(0)):
        melanin = melanin + (0.10 + 0.25 * look.make_up) * _blob(points, eye, 0.017)
    pores = 0.07 * look.pores * fractal_noise(points, (0.0026, 0.0013), (1.0, 0.8), rng)
    spots = _spots(points, look.freckles, rng) + _moles(points, marks, look, rng)
    # Beer-Lambert: an absorber scales a colour by a power; melanin takes blue most, blood takes green most.
    absorbed = np.exp(-(melanin + spots)[:, None] * [0.8, 1.1, 1.35] - blood[:, None] * [0.15, 1.0, 0.75] + pores[:, None])
    return look.skin * absorbed


def _blob(points: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    return np.exp(-((points - centre) ** 2).sum(1) / (2 * radius**2))


def _spots(points: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Freckles: the peaks of a fine noise, most of them across nose and cheeks."""
    if not amount:
        return np.zeros(len(points))
    where = np.exp(-(((points[:, 1] + 0.03) / 0.035) ** 2)) * (points[:, 2] > -0.03)
    return amount * where * 0.7 * np.clip(space_noise(points, 0.0035, rng) - 1.0, 0, 1)


def _moles(points: np.ndarray, marks: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """A few dark round spots anywhere on the front of the face."""
    total = np.zeros(len(points))
    front = np.nonzero((points[:, 2] > marks[36, 2] - 0.02) & (points[:, 1] > marks[8, 1]) & (points[:, 1] < 0.06))[0]
    for _ in range(look.moles if len(front) else 0):
        centre, radius = points[rng.choice(front)], rng.uniform(0.0008, 0.0022)
        distance = np.linalg.norm(points - centre, axis=1)
        total += rng.uniform(0.7, 1.6) * np.clip(1.5 - distance / radius, 0, 1)
    return total


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


def _lips(surface: SurfaceMap, marks: np.ndarray) -> np.ndarray:
    """Between the inner and outer outline of the lips, seen from the front; inside the inner outline too, where lips roll in."""
    amount = np.zeros(len(surface.points))
    near = _near(surface, marks[48:68], 0.012)
    flat, outline = surface.points[near, :2], marks[48:60, :2]
    ring = np.concatenate([outline, outline[:1]])
    distance, _ = _segment_distance(flat, ring)
    signed = np.where(_inside(flat, outline), -distance, distance)
    amount[near] = _fall(signed, 0.0, 0.0012)
    return amount


def _inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Points inside an outline in the plane: the even-odd rule."""
    inside = np.zeros(len(points), bool)
    for start, end in zip(outline, np.roll(outline, -1, axis=0)):
        crosses = (start[1] > points[:, 1]) != (end[1] > points[:, 1])
        rise = end[1] - start[1]
        at = start[0] + (points[:, 1] - start[1]) / (rise if rise else 1e-30) * (end[0] - start[0])
        inside ^= crosses & (points[:, 0] < at)
    return inside


def _lash_line(surface: SurfaceMap, marks: np.ndarray, look: Look) -> np.ndarray:
    """A dark line along the edge of the lids, stronger above."""
    amount = np.zeros(len(surface.points))
    for start in (36, 42):
        near = _near(surface, marks[start : start + 6], 0.006)
        points = surface.points[near]
        upper, _ = _segment_distance(points, marks[[start, start + 1, start + 2, start + 3]])
        lower, _ = _segment_distance(points, marks[[start + 3, start + 4, start + 5, start]])
        strength = 0.55 + 0.4 * look.make_up
        amount[near] = np.maximum(strength * _fall(upper, 0.0009, 0.0012), 0.35 * strength * _fall(lower, 0.0005, 0.001))
    return amount


def _nostrils(surface: SurfaceMap, marks: np.ndarray) -> np.ndarray:
    """Dark where the surface of the nose's underside faces down near the middle of each wing."""
    amount = np.zeros(len(surface.points))
    facing_down = np.clip(-surface.normals[:, 1] * 1.5 - 0.3, 0, 1)
    width = np.linalg.norm(marks[35] - marks[31])
    for wing in (marks[32], marks[34]):
        amount = np.maximum(amount, _blob(surface.points, wing + np.array([np.sign(wing[0]) * 0.08 * width, 0.001, 0.001]), 0.16 * width))
    return amount * facing_down


def _brows(surface: SurfaceMap, marks: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
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


def _stubble(surface: SurfaceMap, marks: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Short hairs over chin, jaw and upper lip."""
    if not look.stubble:
        return np.zeros(len(surface.points))
    points = surface.points
    jaw, _ = _segment_distance(points, marks[1:16])
    height = np.abs(marks[57, 1] - marks[8, 1])
    chin = _blob(points, marks[8] + [0, 0.4 * height, 0], 0.8 * height)
    moustache, _ = _segment_distance(points, (marks[[48, 49, 50, 51, 52, 53, 54]] + marks[[48, 31, 32, 33, 34, 35, 54]]) / 2)
    field = np.maximum.reduce([_fall(jaw, 0.012, 0.02), np.clip(1.4 * chin, 0, 1), _fall(moustache, 0.0035, 0.004)])
    hairs = np.clip(0.55 + 0.6 * space_noise(points, 0.0011, rng), 0, 1)
    patches = np.clip(0.8 + 0.25 * space_noise(points, 0.012, rng), 0, 1)
    return 0.75 * look.stubble * field * hairs * patches * (points[:, 1] < marks[33, 1])


def _hair(model: HeadModel, surface: SurfaceMap, marks: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
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


def _insides(model: HeadModel, surface: SurfaceMap, colors: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Mouth, tongue and teeth; gums are the parts of the rows of teeth that are farthest from the line where they meet."""
    result = colors.copy()
    inside, tongue, teeth = (texels_of(model, surface, name) for name in ("mouth_interior", "tongue", "teeth"))
    result[inside] = _linear(np.array([0.42, 0.17, 0.16]))
    result[tongue] = _linear(np.array([0.68, 0.36, 0.36]))
    if teeth.any():
        height = surface.points[teeth, 1]
        middle = (height.min() + height.max()) / 2
        gum = np.clip((np.abs(height - middle) - 0.011) / 0.002, 0, 1)[:, None]
        enamel = _linear(np.array([0.88, 0.84, 0.76])) * np.exp(0.05 * space_noise(surface.points[teeth], 0.004, rng))[:, None]
        result[teeth] = enamel * (1 - gum) + _linear(np.array([0.68, 0.38, 0.38])) * gum
    return result


def _eyes(model: HeadModel, surface: SurfaceMap, colors: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """White, iris and pupil by the angle from where the eye looks at rest."""
    result = colors.copy()
    eyeballs = texels_of(model, surface, "eyeballs")
    if not eyeballs.any():
        return result
    centres = _eye_centres(model)
    between = np.linalg.norm(centres[0] - centres[1])
    for centre in centres:
        own = eyeballs & (np.sign(surface.points[:, 0]) == np.sign(centre[0]))
        offset = surface.points[own] - centre
        radius = np.linalg.norm(offset, axis=1)
        limbus = np.arcsin(np.clip(_IRIS_RADIUS * between / np.median(radius), 0, 1))
        looks = _rest_gaze(model, centre)
        angle = np.arccos(np.clip(offset @ looks / np.maximum(radius, 1e-12), -1, 1)) / limbus
        side = np.cross([0.0, 1.0, 0.0], looks)
        turn = np.arctan2(offset @ np.cross(looks, side), offset @ side)
        result[own] = _eye_colors(angle, turn, look, rng)
    return result


def _rest_gaze(model: HeadModel, centre: np.ndarray) -> np.ndarray:
    """Unit direction from an eyeball's centre to the middle of its iris; straight ahead where the model does not know its irises."""
    vertices = model.template.numpy().astype(np.float64)
    iris = model.regions["irises"].numpy() & (np.sign(vertices[:, 0]) == np.sign(centre[0]))
    toward = (vertices[iris] - centre).mean(0) if iris.any() else np.array([0.0, 0.0, 1.0])
    return toward / np.linalg.norm(toward)


def _eye_centres(model: HeadModel) -> np.ndarray:
    names = model.joint_names
    if "left_eye" in names and "right_eye" in names:
        return model.joint_template[[names.index("left_eye"), names.index("right_eye")]].numpy().astype(np.float64)
    eyes = model.template[model.regions["eyeballs"]].numpy().astype(np.float64)
    return np.stack([(side.min(0) + side.max(0)) / 2 for side in (eyes[eyes[:, 0] > 0], eyes[eyes[:, 0] <= 0])])


def _eye_colors(angle: np.ndarray, turn: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Colours by angle (1 = edge of the iris) and direction around the pupil."""
    around = np.stack([np.cos(turn) * 4, np.sin(turn) * 4, angle * 0.4], 1)
    veins = np.clip(space_noise(np.stack([np.cos(turn), np.sin(turn), angle], 1) * 6, 1.0, rng) - 1.2, 0, 1) * np.clip(angle - 1.6, 0, 1)
    redness = np.clip((angle - 1.3) / 2.5, 0, 0.5) + 0.5 * veins
    white = _linear(np.array([0.86, 0.84, 0.81])) * (1 - redness[:, None] * [0.25, 0.6, 0.6])
    fibres = np.exp(0.35 * space_noise(around, 0.35, rng)) * (1.25 - 0.35 * angle)
    ring = 1 - 0.65 * np.clip((angle - 0.78) / 0.2, 0, 1)
    iris = look.iris * (fibres * ring)[:, None]
    result = np.where((angle < 1.0)[:, None], iris, white)
    edge = np.clip((1.08 - angle) / 0.12, 0, 1)[:, None]
    result = np.where(((angle >= 0.96) & (angle < 1.08))[:, None], white * (1 - edge) + iris * edge, result)
    pupil = np.clip((0.40 - angle) / 0.06, 0, 1)[:, None]
    return result * (1 - pupil) + 0.006 * pupil
