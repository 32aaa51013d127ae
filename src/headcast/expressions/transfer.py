"""How a source model's face moves, as positions for the points of a target model."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from headcast.expressions.correspondence import Correspondence
from headcast.expressions.parts import PosedPoints, only_vertices, skull_vertices
from headcast.expressions.tongue import TonguePlaces, has_tongue, match_tongues
from headcast.geometry import similarity_from_points
from headcast.heads import HeadModel, HeadPose

TONGUE_SHARE = 0.03
"""How much the tongue counts against the whole face."""


@dataclass(frozen=True)
class Transfer:
    """Positions of the target's face (then tongue) points for any pose of the source."""

    vertices: Int[ndarray, "points"]
    """Of the target."""
    weights: Float[ndarray, "points"]
    """Shares of the face; those of the tongue's points are added."""
    face_count: int
    """The first points, which are the face's."""
    rest: Float[ndarray, "points 3"]
    """Where the points are at rest (m)."""
    correspondence: Correspondence
    _face: PosedPoints
    _tongue: PosedPoints | None
    _tongue_motion: Float[ndarray, "3 3"]
    """Takes motions of the source's tongue to the target's size."""
    _untransferred: HeadModel | None
    """The source's tongue where the target has none to move."""

    @classmethod
    def between(cls, source: HeadModel, target: HeadModel, correspondence: Correspondence) -> "Transfer":
        face = PosedPoints.on_faces(source, correspondence.faces, correspondence.barycentric)
        places = match_tongues(source, target)
        vertices, weights = correspondence.vertices, correspondence.weights
        if places is not None:
            vertices = np.concatenate([vertices, places.vertices])
            weights = np.concatenate([weights, np.full(len(places.vertices), TONGUE_SHARE / len(places.vertices))])
        here, there = (torch.from_numpy(points) for points in (correspondence.warp.centres, correspondence.warp(correspondence.warp.centres)))
        scale, rotation, _ = similarity_from_points(here, there)
        return cls(
            vertices,
            weights,
            len(correspondence.vertices),
            target.template.numpy().astype(np.float64)[vertices],
            correspondence,
            face,
            None if places is None else _posed_tongue(source, places),
            scale * rotation.numpy(),
            only_vertices(source, np.flatnonzero(source.regions["tongue"].numpy())) if places is None and has_tongue(source) else None,
        )

    def points(self, pose: HeadPose) -> Float[ndarray, "frames points 3"]:
        """Where the target's points are to be (m)."""
        still = self._face.model.neutral_pose(1)
        warp = self.correspondence.warp
        moved = warp(self._face(pose)) - warp(self._face(still)) + self.rest[: self.face_count]
        if self._tongue is None:
            return moved
        tongue = (self._tongue(pose) - self._tongue(still)) @ self._tongue_motion.T + self.rest[self.face_count :]
        return np.concatenate([moved, tongue], 1)

    def lost_tongue_mm(self, pose: HeadPose) -> Float[ndarray, "frames"]:
        """Root mean square motion of a source tongue that has no counterpart; zeros where it has one, or there is none."""
        if self._untransferred is None:
            return np.zeros(len(pose.expression))
        moved = skull_vertices(self._untransferred, pose) - self._untransferred.template
        return 1000.0 * moved.square().sum(-1).mean(-1).sqrt().numpy()


def _posed_tongue(source: HeadModel, places: TonguePlaces) -> PosedPoints:
    return PosedPoints.on_faces(source, places.faces, places.barycentric)
