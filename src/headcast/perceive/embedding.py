"""Where a detector's landmarks lie on a head model: found by rendering it from many sides, detecting, and going back along the rays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from headcast.geometry import Mesh
from headcast.geometry.closest import ClosestPointQuery
from headcast.heads import HeadModel, LandmarkSet
from headcast.perceive.around import ViewsConfig, extent_of, landmarks_in_space
from headcast.perceive.layouts import MEDIAPIPE, layout_of
from headcast.perceive.mesh import LANDMARK_COUNT, Detector
from headcast.perceive.topology import MESH_COUNT, mirrored

NOT_SKIN = ("eyeballs", "mouth_interior", "teeth", "tongue", "eye_sockets")
"""Regions that carry no landmark but the irises' (the last is no standard region; the open head has it)."""
_UPPER_RIM = (191, 80, 81, 82, 13, 312, 311, 310, 415)
_LOWER_RIM = (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""Where the lips touch: on a closed mouth both lie at one place, and only the lip that they are bound to tells them apart."""


@dataclass(frozen=True)
class EmbeddingReport:
    """How well the views agreed."""

    views: int
    """In which a face was found."""
    spread_m: Float[ndarray, "478"]
    """Median distance of each landmark's positions in single views from the one decided on."""
    asymmetry_m: float
    """Median distance of the landmarks from their mirrored partners, before they were made symmetric."""
    off_surface_m: float
    """Median distance by which the decided positions had to be moved to lie on the surface."""

    @property
    def median_spread_m(self) -> float:
        return float(np.median(self.spread_m))


def embed_landmarks(
    model: HeadModel,
    albedo: Float[Tensor, "height width 3"] | None = None,
    detector: Detector | None = None,
    config: ViewsConfig | None = None,
) -> tuple[dict[str, LandmarkSet], EmbeddingReport]:
    """Landmark sets "mediapipe_478", "ibug_68" and "ibug_70" (68, the subject's right iris, the left) of any head model.

    Each landmark is the geometric median of where the views put it, weighted by the detector's confidence; on models with a mirror
    map the two sides are averaged. Irises lie on the eyeballs where the model has any, all other landmarks on the skin.

    Args:
        model: neutral head in metres, +Y up, +Z out of the face. Regions, where it has them, give it colours.
        albedo: linear texture; more lifelike than the regions' colours.
        detector: MediaPipe's network by default.
        config: the views.

    Raises:
        InputError: the detector saw no face in most of the views.
    """
    colors = region_colors(model) if albedo is None else albedo
    uv = (None, None) if albedo is None else (model.uv, model.uv_faces)
    found = landmarks_in_space(Mesh(model.template.float(), model.faces), colors, *uv, framed=_framed(model), detector=detector, config=config)
    reflected = found.points[mirrored()] * [-1, 1, 1]
    asymmetry = float(np.median(np.linalg.norm(found.points - reflected, axis=1)))
    decided = found.points if model.mirror is None else (found.points + reflected) / 2
    surface = _Surface(model)
    dense, off = surface.landmarks(decided, found.spread_m)
    points = dense.points(model.template.double(), model.faces).numpy()
    full = _sparse_set("ibug_70", points, found.spread_m, surface)
    sets = {MEDIAPIPE: dense, "ibug_68": LandmarkSet(full.faces[:68], full.barycentric[:68], full.sigma[:68]), "ibug_70": full}
    return sets, EmbeddingReport(found.views, found.spread_m, asymmetry, off)


def region_colors(model: HeadModel) -> Float[Tensor, "vertices 3"]:
    """A plausible linear colour for every vertex, from the regions that the model has."""
    colors = torch.tensor([0.50, 0.30, 0.22]).repeat(len(model.template), 1)
    for name, color in (
        ("scalp", (0.10, 0.06, 0.04)),
        ("lips", (0.40, 0.13, 0.12)),
        ("brows", (0.06, 0.035, 0.025)),
        ("eye_sockets", (0.35, 0.15, 0.13)),
        ("mouth_interior", (0.10, 0.02, 0.02)),
        ("eyeballs", (0.75, 0.73, 0.70)),
        ("irises", (0.05, 0.03, 0.02)),
    ):
        if name in model.regions:
            colors[model.regions[name]] = torch.tensor(color)
    return colors


def _framed(model: HeadModel) -> tuple[Float[ndarray, "3"], float]:
    """Middle and extent of the face, or of the whole model where it does not name one."""
    named = "face" in model.regions and bool(model.regions["face"].any())
    return extent_of(model.template[model.regions["face"]] if named else model.template)


class _Surface:
    """The parts of the neutral head on which landmarks may lie."""

    def __init__(self, model: HeadModel):
        self._vertices = model.template.numpy().astype(np.float64)
        self._faces = model.faces.numpy()
        other = np.zeros(len(self._vertices), bool)
        for name in NOT_SKIN:
            if name in model.regions:
                other |= model.regions[name].numpy()
        skin = ~other[self._faces].any(1)
        corners = self._vertices[self._faces]
        upwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1] > 0
        self._skin = self._search(skin)
        self._upward, self._downward = self._search(skin & upwards), self._search(skin & ~upwards)
        balls = model.regions["eyeballs"].numpy()[self._faces].all(1) if "eyeballs" in model.regions else np.zeros(len(self._faces), bool)
        self._eyes = self._search(balls) if balls.any() else self._skin

    def landmarks(
        self,
        points: Float[ndarray, "n 3"],
        spread: Float[ndarray, "n"],
        irises: Sequence[int] = range(MESH_COUNT, LANDMARK_COUNT),
        rims: tuple[Sequence[int], Sequence[int]] = (_UPPER_RIM, _LOWER_RIM),
    ) -> tuple[LandmarkSet, float]:
        """The nearest places to the points and the median distance to them.

        Those numbered `irises` lie on the eyeballs; of the `rims`, the first on skin facing down (the upper lip), the second on skin facing up.
        """
        part = np.zeros(len(points), int)
        part[list(irises)], part[list(rims[0])], part[list(rims[1])] = 1, 2, 3
        faces, barycentric, off = np.zeros(len(points), np.int64), np.zeros((len(points), 3)), np.zeros(len(points))
        for number, (query, members) in enumerate((self._skin, self._eyes, self._downward, self._upward)):
            chosen = part == number
            if not chosen.any():
                continue
            found = query(points[chosen])
            faces[chosen], barycentric[chosen], off[chosen] = members[found.faces], found.barycentric, found.distance
        sigma = torch.from_numpy(spread / _MEDIAN_OF_LENGTH).float()
        return LandmarkSet(torch.from_numpy(faces), torch.from_numpy(barycentric).float(), sigma), float(np.median(off))

    def _search(self, chosen: Bool[ndarray, "faces"]) -> tuple[ClosestPointQuery, Int[ndarray, "chosen"]]:
        members = np.flatnonzero(chosen)
        return ClosestPointQuery(self._vertices, self._faces[members]), members


_MEDIAN_OF_LENGTH = 1.538
"""Median length of a vector of three normal variables with standard deviation one."""


def landmark_set(model: HeadModel, names: tuple[str, ...]) -> LandmarkSet:
    """The points of one or several layouts on a head model, one after another.

    Layouts that the model does not bring are laid out by its MediaPipe landmarks, which it must have.
    """
    sets = [model.landmarks[name] if name in model.landmarks else _laid_out(model, name) for name in names]
    if len(sets) == 1:
        return sets[0]
    sigmas = [one.sigma for one in sets]
    sigma = None if any(one is None for one in sigmas) else torch.cat(sigmas)
    return LandmarkSet(torch.cat([one.faces for one in sets]), torch.cat([one.barycentric for one in sets]), sigma)


def _laid_out(model: HeadModel, name: str) -> LandmarkSet:
    dense = model.landmarks[MEDIAPIPE]
    points = dense.points(model.template.double(), model.faces).numpy()
    spread = np.full(len(points), 0.001) if dense.sigma is None else _MEDIAN_OF_LENGTH * dense.sigma.double().numpy()
    return _sparse_set(name, points, spread, _Surface(model))


def _sparse_set(name: str, dense: Float[ndarray, "478 3"], spread: Float[ndarray, "478"], surface: _Surface) -> LandmarkSet:
    """A layout's points on a head: most are one of the 478; outline and bridge of the nose are spaced evenly along theirs."""
    layout = layout_of((name,))
    points, spreads = dense[layout.kin], spread[layout.kin]
    for run, path in layout.even:
        points[list(run)], spreads[list(run)] = _evenly(dense, spread, path, len(run))
    irises, rims = np.flatnonzero(layout.kin >= MESH_COUNT), [np.flatnonzero(np.isin(layout.kin, rim)) for rim in (_UPPER_RIM, _LOWER_RIM)]
    return surface.landmarks(points, spreads, irises.tolist(), (rims[0].tolist(), rims[1].tolist()))[0]


def _evenly(dense: ndarray, spread: ndarray, path: Sequence[int], count: int) -> tuple[Float[ndarray, "count 3"], Float[ndarray, "count"]]:
    """Points at equal steps along a path of landmarks, and how much they spread."""
    line = dense[list(path)]
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count)
    points = np.stack([np.interp(at, length, line[:, axis]) for axis in range(3)], -1)
    return points, np.interp(at, length, spread[list(path)])
