"""Which place on one head's face is the same as a vertex of another's, for two heads of any topology at rest."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from headcast.errors import InputError
from headcast.expressions.sides import may_meet, opposite_points, sides, skin_faces
from headcast.expressions.warp import Warp
from headcast.geometry import vertex_normals
from headcast.geometry.closest import ClosestPointQuery
from headcast.heads import HeadModel

_LANDMARKS = "mediapipe_478"
_ROUNDS = 3
"""How often the closest points are found and the warp is drawn to them."""
_COARSE_M, _FINE_M = 0.006, 0.0025
"""Distance of the chosen vertices on the face, and on lips and eyelids."""
_LANDMARK_SLACK_M = 0.001
_PAIR_SLACK_M = 0.001
_REACH_M = 0.012
"""Points farther than this from the other surface have no counterpart."""
_FACING_COS = 0.3
_FINE_REGIONS = ("lips", "eyelids")
_FINE_WEIGHT = 3.0
"""How much a piece of lip or lid counts against as much skin elsewhere."""
_MOST_PAIRS = 300


@dataclass(frozen=True)
class Correspondence:
    """Vertices of the target's face and the places on the source that are theirs."""

    vertices: Int[ndarray, "points"]
    """Of the target."""
    weights: Float[ndarray, "points"]
    """Shares of the face; sum to one."""
    faces: Int[ndarray, "points"]
    """Of the source."""
    barycentric: Float[ndarray, "points 3"]
    opposite: Int[ndarray, "pairs 2"]
    """Pairs of these points, by their place here, that face each other across mouth and eyes."""
    warp: Warp
    """Takes source space to target space; lips and lids that touch in one touch in the other."""
    matched: float
    """Share of the chosen vertices that found a counterpart."""
    apart_m: float
    """Median distance of the warped source from the target."""


def correspond(source: HeadModel, target: HeadModel) -> Correspondence:
    """Matches the faces of two heads at rest.

    A warp of space is drawn through the landmarks, then through the closest points of the surfaces, whose normals must agree and which must
    lie on the same side of mouth and eyes.

    Raises:
        InputError: a model has no landmarks, or less than half of the face finds a counterpart.
    """
    for model in (source, target):
        if _LANDMARKS not in model.landmarks:
            raise InputError(
                f"matching faces needs the landmarks {_LANDMARKS!r}; found {', '.join(model.landmarks) or 'none'} on {model.name!r}. "
                "load_model_for_tracking finds them."
            )
    marks = [model.landmarks[_LANDMARKS].points(model.template, model.faces).numpy().astype(np.float64) for model in (source, target)]
    vertices, weights = face_points(target)
    search = _Search(source, target, vertices)
    warp = Warp.between(*marks, np.full(len(marks[0]), _LANDMARK_SLACK_M))
    for _ in range(_ROUNDS):
        met = search.nearest(warp)
        every = np.flatnonzero(met.good)
        every = every[:: max(1, len(every) // _MOST_PAIRS)]
        pairs = [np.concatenate([marks[0], met.places[every]]), np.concatenate([marks[1], search.points[every]])]
        warp = Warp.between(*pairs, np.concatenate([np.full(len(marks[0]), _LANDMARK_SLACK_M), np.full(len(every), _PAIR_SLACK_M)]))
    met = search.nearest(warp)
    share = float(weights[met.good].sum() / weights.sum())
    if share < 0.5:
        raise InputError(f"expected two faces of one shape, found a counterpart for {share:.0%} of {target.name!r} on {source.name!r}")
    good = met.good
    return Correspondence(
        vertices=vertices[good],
        weights=weights[good] / weights[good].sum(),
        faces=met.faces[good],
        barycentric=met.barycentric[good],
        opposite=opposite_points(target, vertices[good], search.sides[good]),
        warp=warp,
        matched=share,
        apart_m=float(np.median(met.distance[good])),
    )


def face_points(model: HeadModel) -> tuple[Int[ndarray, "points"], Float[ndarray, "points"]]:
    """Vertices spread over the face, closer on lips and eyelids, and how much of it each stands for."""
    faces, vertices = model.faces.numpy()[skin_faces(model)], model.template.numpy().astype(np.float64)
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6
    share = np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices))
    fine = np.logical_or.reduce([model.regions[name].numpy() for name in _FINE_REGIONS])
    face = model.regions["face"].numpy() & (share > 0)
    chosen, weights = [], []
    for members, step, factor in ((face & ~fine, _COARSE_M, 1.0), (fine & (share > 0), _FINE_M, _FINE_WEIGHT)):
        found = np.flatnonzero(members)
        _, first, cell = np.unique(np.floor(vertices[found] / step).astype(np.int64), axis=0, return_index=True, return_inverse=True)
        chosen.append(found[first])
        weights.append(factor * np.bincount(cell.ravel(), share[found]))
    return np.concatenate(chosen), np.concatenate(weights)


@dataclass(frozen=True)
class _Met:
    faces: Int[ndarray, "points"]
    barycentric: Float[ndarray, "points 3"]
    places: Float[ndarray, "points 3"]
    """On the source at rest, in its own space."""
    distance: Float[ndarray, "points"]
    good: ndarray


class _Search:
    """The target's points, and which faces of the source each may meet."""

    def __init__(self, source: HeadModel, target: HeadModel, vertices: Int[ndarray, "points"]):
        self.points = target.template.numpy().astype(np.float64)[vertices]
        self._normals = vertex_normals(target.template.double(), target.faces).numpy()[vertices]
        self._source = source.template.numpy().astype(np.float64)
        self._faces, skin = source.faces.numpy(), skin_faces(source)
        face_sides = sides(source)[self._faces[skin]]
        self.sides = sides(target)[vertices]
        labels, self._group = np.unique(self.sides, axis=0, return_inverse=True)
        self._group = self._group.ravel()
        self._allowed = [skin[may_meet(label, face_sides)] for label in labels]

    def nearest(self, warp: Warp) -> _Met:
        """The place on the warped source that is closest to each point."""
        moved = warp(self._source)
        normals = vertex_normals(torch.from_numpy(moved), torch.from_numpy(self._faces)).numpy()
        faces, barycentric = np.zeros(len(self.points), np.int64), np.zeros((len(self.points), 3))
        distance = np.full(len(self.points), np.inf)
        for number, allowed in enumerate(self._allowed):
            own = np.flatnonzero(self._group == number)
            found = ClosestPointQuery(moved, self._faces[allowed])(self.points[own])
            faces[own], barycentric[own], distance[own] = allowed[found.faces], found.barycentric, found.distance
        corners = self._faces[faces]
        facing = ((normals[corners] * barycentric[..., None]).sum(1) * self._normals).sum(1)
        places = (self._source[corners] * barycentric[..., None]).sum(1)
        return _Met(faces, barycentric, places, distance, (distance < _REACH_M) & (facing > _FACING_COS))
