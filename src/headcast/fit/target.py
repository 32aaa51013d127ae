"""A head model as something that points of a scan are matched with: its surface, its regions, and how it moves with every unknown."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from headcast.geometry import Similarity, Transform, vertex_normals
from headcast.geometry.closest import ClosestPointQuery, ClosestPoints, barycentric_of_nearest
from headcast.heads import HeadModel, HeadPose, LandmarkSet
from headcast.heads.regions import boundary_vertices

_HIDDEN = ("eyeballs", "mouth_interior", "teeth", "tongue", "eye_sockets")
_TURN = 1e-3
"""Joint angle (rad) over which the motion of vertices is measured."""


@dataclass(frozen=True)
class HeadState:
    """A head and where the scan lies in its space."""

    identity: Float[ndarray, "identity"]
    expression: Float[ndarray, "expression"]
    joints: Float[ndarray, "joints 3"]
    """Axis-angle, rad."""
    head_from_scan: Similarity


@dataclass(frozen=True)
class Matches:
    """Where on the model the nearest places to points lie."""

    corners: Int[ndarray, "n 3"]
    barycentric: Float[ndarray, "n 3"]
    points: Float[ndarray, "n 3"]
    normals: Float[ndarray, "n 3"]
    """Unit, smooth over the surface."""
    distance: Float[ndarray, "n"]
    """Infinite where nothing is near."""
    inside: Bool[ndarray, "n"]
    """Not on the rim of the visible surface, where what is nearest would lie beyond it."""


class Target:
    """A head model's outer skin."""

    def __init__(self, model: HeadModel):
        self.model = model
        self.faces = model.faces.numpy()
        regions = {name: mask.numpy() for name, mask in model.regions.items()}
        none = np.zeros(len(model.template), bool)
        hidden = np.logical_or.reduce([regions.get(name, none) for name in _HIDDEN])
        self.visible = np.flatnonzero(~hidden[self.faces].any(1))
        """Faces of the outer skin. Eyeballs are none: closed lids would be content to lie on them."""
        self.rim = boundary_vertices(self.faces[self.visible], len(hidden))
        self.regions = {name: regions[name] for name in ("face", "ears", "scalp", "neck", "lips", "eyelids")}
        self.landmarks = _together(model.landmarks["mediapipe_478"], model.landmarks["ibug_68"])
        """MediaPipe's 478, then iBUG's 68, which a person may name."""
        self.landmark_corners = self.faces[self.landmarks.faces.numpy()]
        shapes = torch.cat([model.identity_basis, model.expression_basis])
        self._shapes = np.ascontiguousarray(shapes.flatten(1).T.double().numpy())
        """What each coordinate of each vertex does with identity and expression."""

    @property
    def template_landmarks(self) -> Float[ndarray, "546 3"]:
        return self.landmarks.points(self.model.template, self.model.faces).double().numpy()

    def vertices(self, state: HeadState, offsets: Float[ndarray, "vertices 3"] | None = None) -> Float[ndarray, "vertices 3"]:
        """In head space, posed."""
        return self._posed(state, state.joints[None], offsets)[0]

    def _posed(self, state: HeadState, joints: ndarray, offsets: ndarray | None = None) -> Float[ndarray, "batch vertices 3"]:
        model = self.model
        shaped = model.shaped(_tensor(state.identity), None if offsets is None else _tensor(offsets))
        expression = _tensor(state.expression).expand(len(joints), -1)
        pose = HeadPose(expression, _tensor(joints), Transform.identity(len(joints)))
        return shaped.posed(pose).vertices.double().numpy()

    def turning(self, state: HeadState) -> Float[ndarray, "vertices 3 3"]:
        """How directions at rest are turned by the pose, per vertex."""
        eye = torch.eye(3)
        rest = self.model.shaped(_tensor(state.identity))
        pose = HeadPose(_tensor(state.expression), _tensor(state.joints), Transform.identity())
        still = rest.posed(pose).vertices
        columns = [replace(rest, vertices=rest.vertices + eye[k]).posed(pose).vertices - still for k in range(3)]
        return torch.stack(columns, -1).double().numpy()

    def normals(self, vertices: Float[ndarray, "vertices 3"]) -> Float[ndarray, "vertices 3"]:
        return vertex_normals(torch.from_numpy(vertices), self.model.faces).numpy()

    def nearest(self, vertices: Float[ndarray, "vertices 3"], points: Float[ndarray, "n 3"], within: float, exact: bool = True) -> Matches:
        """Places on the outer skin that are nearest to points; where not `exact`, on the nearest of the faces whose middles are nearest."""
        skin = self.faces[self.visible]
        found = ClosestPointQuery(vertices, skin)(points, within=within) if exact else _nearest_of_few(vertices, skin, points, within)
        corners = skin[found.faces]
        normals = (self.normals(vertices)[corners] * found.barycentric[..., None]).sum(1)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        inside = (found.barycentric * ~self.rim[corners]).sum(1) > 0.02
        return Matches(corners, found.barycentric, found.points, normals, found.distance, inside)

    def region_of(self, matches: Matches) -> dict[str, Bool[ndarray, "n"]]:
        """Whether most of each match belongs to a region."""
        return {name: (mask[matches.corners] * matches.barycentric).sum(1) > 0.5 for name, mask in self.regions.items()}

    def motion(self, state: HeadState) -> "Motion":
        """How the surface moves with every unknown."""
        return Motion(self, self.turning(state), self._joint_motion(state))

    def shapes_along(self, picked: csr_matrix) -> Float[ndarray, "n shapes"]:
        """What identity and expression do at rest to coordinates that a matrix picks."""
        return picked @ self._shapes

    def _joint_motion(self, state: HeadState) -> Float[ndarray, "angles vertices 3"]:
        count = state.joints.size
        steps = state.joints[None] + _TURN * np.eye(count).reshape(count, *state.joints.shape)
        return (self._posed(state, steps) - self.vertices(state)) / _TURN


@dataclass(frozen=True)
class Motion:
    """The derivatives of a posed head."""

    target: Target
    turning: Float[ndarray, "vertices 3 3"]
    joints: Float[ndarray, "angles vertices 3"]

    def along(
        self, corners: Int[ndarray, "n 3"], barycentric: Float[ndarray, "n 3"], directions: Float[ndarray, "n 3"]
    ) -> Float[ndarray, "n unknowns"]:
        """How far places on the surface move along directions with identity, expression and joint angles.

        What identity and expression do at rest is turned with the pose; how joints move with them is left out: small beside it.
        """
        model = self.target.model
        turning = (self.turning[corners] * barycentric[..., None, None]).sum(1)
        at_rest = np.einsum("nij,ni->nj", turning, directions)
        shapes = self.target.shapes_along(_picked(corners, barycentric, at_rest, len(model.template)))
        turned = _picked(corners, barycentric, directions, len(model.template)) @ self.joints.reshape(len(self.joints), -1).T
        driven = model.expression_joint_rotations.numpy().reshape(model.expression_count, -1)
        shapes[:, model.identity_count :] += turned @ driven.T
        return np.concatenate([shapes, turned], 1)


def _nearest_of_few(vertices: ndarray, faces: ndarray, points: ndarray, within: float, few: int = 8) -> ClosestPoints:
    corners = vertices[faces]
    _, candidates = cKDTree(corners.mean(1)).query(points, k=few, workers=-1)
    weights = barycentric_of_nearest(points[:, None], corners[candidates])
    places = (weights[..., None] * corners[candidates]).sum(2)
    distance = np.linalg.norm(places - points[:, None], axis=2)
    best = distance.argmin(1)
    rows = np.arange(len(points))
    near = np.where(distance[rows, best] <= within, distance[rows, best], np.inf)
    return ClosestPoints(candidates[rows, best], weights[rows, best], places[rows, best], near)


def _together(first: LandmarkSet, second: LandmarkSet) -> LandmarkSet:
    sigmas = [torch.zeros(len(part.faces)) if part.sigma is None else part.sigma for part in (first, second)]
    return LandmarkSet(torch.cat([first.faces, second.faces]), torch.cat([first.barycentric, second.barycentric]), torch.cat(sigmas))


def _picked(corners: ndarray, barycentric: ndarray, directions: ndarray, count: int) -> csr_matrix:
    """The matrix that takes all coordinates of all vertices to places on the surface, along directions."""
    values = (barycentric[..., None] * directions[:, None]).reshape(-1)
    columns = (3 * corners[..., None] + np.arange(3)).reshape(-1)
    return csr_matrix((values, columns, 9 * np.arange(len(corners) + 1)), shape=(len(corners), 3 * count))


def _tensor(values: ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
