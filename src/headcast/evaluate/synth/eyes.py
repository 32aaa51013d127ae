"""Paints eyeballs: white with veins, iris with fibres, pupil."""

import numpy as np

from headcast.evaluate.synth.look import Look, linear_color
from headcast.evaluate.synth.noise import space_noise
from headcast.evaluate.synth.surface_map import SurfaceMap, texels_of
from headcast.heads import HeadModel

_IRIS_RADIUS = 0.0945
"""Radius of the iris as a share of the distance between the eyeball centres (5.9 mm of 62.5 mm)."""


def painted_eyes(model: HeadModel, surface: SurfaceMap, colors: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
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
    white = linear_color(np.array([0.86, 0.84, 0.81])) * (1 - redness[:, None] * [0.25, 0.6, 0.6])
    fibres = np.exp(0.35 * space_noise(around, 0.35, rng)) * (1.25 - 0.35 * angle)
    ring = 1 - 0.65 * np.clip((angle - 0.78) / 0.2, 0, 1)
    iris = look.iris * (fibres * ring)[:, None]
    result = np.where((angle < 1.0)[:, None], iris, white)
    edge = np.clip((1.08 - angle) / 0.12, 0, 1)[:, None]
    result = np.where(((angle >= 0.96) & (angle < 1.08))[:, None], white * (1 - edge) + iris * edge, result)
    pupil = np.clip((0.40 - angle) / 0.06, 0, 1)[:, None]
    return result * (1 - pupil) + 0.006 * pupil
