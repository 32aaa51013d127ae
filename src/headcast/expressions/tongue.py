"""Which place on one model's tongue is the same as a vertex of another's. Tongues carry no landmarks: one box is laid over the other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from headcast.geometry.closest import ClosestPointQuery
from headcast.heads import HeadModel

_MOST = 150
_ALONE = 5.0
"""A tongue moves of itself if some expression moves it by this many times more than the face."""


@dataclass(frozen=True)
class TonguePlaces:
    """Vertices of the target's tongue and the places on the source's that are theirs."""

    vertices: Int[ndarray, "points"]
    faces: Int[ndarray, "points"]
    barycentric: Float[ndarray, "points 3"]


def match_tongues(source: HeadModel, target: HeadModel) -> TonguePlaces | None:
    """None where a model has no tongue, or the target none that an expression moves."""
    if not (has_tongue(source) and tongue_moves(target)):
        return None
    whole = np.flatnonzero(target.regions["tongue"].numpy())
    vertices = whole[:: max(1, len(whole) // _MOST)]
    faces = np.flatnonzero(source.face_regions("tongue").numpy())
    own, other = (model.template.numpy().astype(np.float64) for model in (source, target))
    low, high = _box(own[source.regions["tongue"].numpy()])
    other_low, other_high = _box(other[whole])
    laid_over = (other[vertices] - other_low) / (other_high - other_low) * (high - low) + low
    found = ClosestPointQuery(own, source.faces.numpy()[faces])(laid_over)
    return TonguePlaces(vertices, faces[found.faces], found.barycentric)


def has_tongue(model: HeadModel) -> bool:
    """Whether there is a surface named tongue."""
    return "tongue" in model.regions and bool(model.face_regions("tongue").any())


def tongue_moves(model: HeadModel) -> bool:
    """Whether some expression moves the tongue far more than the face, so not with the jaw alone."""
    if not has_tongue(model):
        return False
    squared = (model.expression_basis**2).sum(-1)
    tongue, face = (squared[:, model.regions[name]].mean(1) for name in ("tongue", "face"))
    return bool((tongue > _ALONE**2 * face.clamp_min(1e-12)).any())


def _box(points: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    low, high = points.min(0), points.max(0)
    return low, np.maximum(high, low + 1e-4)
