"""Paints faces: many skins with brows, lips, beards, hairs and eyes, onto any head model with landmarks.

Colours are drawn over the template's surface in three dimensions, so they have no seams and do not depend on the texture layout. The result
is an albedo: how much red, green and blue the surface throws back, linear, without light.
"""

import numpy as np
from jaxtyping import Float

from headcast.errors import InputError
from headcast.evaluate.synth.eyes import painted_eyes
from headcast.evaluate.synth.features import blob, brows, hair, lash_line, lips, nostrils, stubble
from headcast.evaluate.synth.look import Look, linear_color
from headcast.evaluate.synth.noise import fractal_noise, space_noise
from headcast.evaluate.synth.surface_map import SurfaceMap, surface_map, texels_of
from headcast.heads import HeadModel


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
        (lips(surface, marks), look.skin * 0.55 + linear_color(np.array([0.66, 0.25, 0.25])) * 0.45 * look.lip_redness + 0.01),
        (lash_line(surface, marks, look), look.hair * 0.1 + 0.01),
        (nostrils(surface, marks), look.skin * 0.12),
        (stubble(surface, marks, look, rng), look.hair * 0.6 + look.skin * 0.15),
        (brows(surface, marks, look, rng), look.hair),
        (hair(model, surface, marks, look, rng), look.hair),
    )
    for amount, color in layers:
        share = (amount * outer)[:, None]
        colors = colors * (1 - share) + color * share * np.exp(0.2 * space_noise(surface.points, 0.003, rng))[:, None]
    colors = _insides(model, surface, colors, look, rng)
    colors = painted_eyes(model, surface, colors, look, rng)
    return surface.picture(np.clip(colors, 0.004, 0.98).astype(np.float32))


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
        blood = blood + 0.16 * strength * blob(points, centre, radius)
    for eye in (marks[36:42].mean(0), marks[42:48].mean(0)):
        melanin = melanin + (0.10 + 0.25 * look.make_up) * blob(points, eye, 0.017)
    pores = 0.07 * look.pores * fractal_noise(points, (0.0026, 0.0013), (1.0, 0.8), rng)
    spots = _spots(points, look.freckles, rng) + _moles(points, marks, look, rng)
    # Beer-Lambert: an absorber scales a colour by a power; melanin takes blue most, blood takes green most.
    absorbed = np.exp(-(melanin + spots)[:, None] * [0.8, 1.1, 1.35] - blood[:, None] * [0.15, 1.0, 0.75] + pores[:, None])
    return look.skin * absorbed


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


def _insides(model: HeadModel, surface: SurfaceMap, colors: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Mouth, tongue and teeth; gums are the parts of the rows of teeth that are farthest from the line where they meet."""
    result = colors.copy()
    inside, tongue, teeth = (texels_of(model, surface, name) for name in ("mouth_interior", "tongue", "teeth"))
    result[inside] = linear_color(np.array([0.42, 0.17, 0.16]))
    result[tongue] = linear_color(np.array([0.68, 0.36, 0.36]))
    if teeth.any():
        height = surface.points[teeth, 1]
        middle = (height.min() + height.max()) / 2
        gum = np.clip((np.abs(height - middle) - 0.011) / 0.002, 0, 1)[:, None]
        enamel = linear_color(np.array([0.84, 0.80, 0.72])) * np.exp(0.05 * space_noise(surface.points[teeth], 0.004, rng))[:, None]
        # Little light reaches the back of a mouth: the farther from the front teeth, the darker.
        behind = (surface.points[teeth, 2].max() - surface.points[teeth, 2])[:, None]
        result[teeth] = (enamel * (1 - gum) + linear_color(np.array([0.68, 0.38, 0.38])) * gum) * np.exp(-behind / 0.02)
    return result
