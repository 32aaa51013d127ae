"""The head model's own shapes laid onto a scan: pose, identity, expression, joints, by Gauss-Newton on point-to-plane distances."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from headcast.fit.config import FitConfig
from headcast.fit.scan import Samples
from headcast.fit.sides import FoundFace
from headcast.fit.target import HeadState, Motion, Target
from headcast.geometry import Similarity
from headcast.heads import HeadModel
from headcast.solve import Step, solve_box

_STEPS = 16
_LANDMARK_STEPS = 3
_MOST_POINTS = 4000
_REACH_M = 0.015
_ROBUST_M = (0.008, 0.75, 0.0015)
"""Start, factor per step and end of the distance beyond which points count less (Geman and McClure)."""
_FACING = 0.3
_LANDMARK_M = 0.0025
"""Standard deviation of a landmark, besides how the views disagree."""
_LANDMARK_SHARE = 0.2
"""Share of the landmarks' evidence that counts: detectors err alike in neighbouring points."""
_OPENINGS = ((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373), (13, 14), (82, 87), (312, 317))
"""Landmarks above each other on the rims of lids and lips."""
_OPENING_M = 0.0012
_LIDS = (
    ("eyeBlinkRight", _OPENINGS[0:3], (33, 133)),
    ("eyeBlinkLeft", _OPENINGS[3:6], (263, 362)),
)
_CLOSED = 0.18
"""Opening of the lids over the width of the eye below which they are taken to be closed."""
_ACTIVATION = 0.5
_JOINT_DEG = {"neck": 10.0, "jaw": 8.0, "left_eye": 12.0, "right_eye": 12.0}
_DRIVEN_DEG = 1.0
"""Joints that expressions turn anyway, and those that no scan shows."""
_WEIGHTS = {"ears": 0.5, "scalp": 0.1, "neck": 0.1}
"""Weight of points of a region beside the face's: hair and collars are no skin, and necks are turned and tilted in more ways than one joint has."""


@dataclass(frozen=True)
class _Equations:
    matrix: Float[ndarray, "n n"]
    right: Float[ndarray, "n"]

    def __add__(self, other: "_Equations") -> "_Equations":
        return _Equations(self.matrix + other.matrix, self.right + other.right)


def start_state(model: HeadModel, face: FoundFace) -> HeadState:
    """The mean head where the landmarks are, its lids closed where they look closed."""
    return HeadState(np.zeros(model.identity_count), closed_lids(model, face), np.zeros((model.joint_count, 3)), face.head_from_scan)


def closed_lids(model: HeadModel, face: FoundFace) -> Float[ndarray, "expression"]:
    """The expression that closes the lids which the landmarks show closed; zeros elsewhere, and for models that cannot blink.

    Points of closed lids lie on nothing that an open eye has, so that the surface alone would leave it half open.
    """
    result = np.zeros(model.expression_count)
    for name, pairs, corners in _LIDS:
        needed = [*corners, *(number for pair in pairs for number in pair)]
        if name not in model.expression_names or not np.isfinite(face.spread[needed]).all():
            continue
        opening = np.mean([np.linalg.norm(face.points[upper] - face.points[lower]) for upper, lower in pairs])
        if opening < _CLOSED * np.linalg.norm(face.points[corners[0]] - face.points[corners[1]]):
            result[model.expression_names.index(name)] = 1.0
    return result


def register(target: Target, scan: Samples, face: FoundFace, config: FitConfig) -> Generator[Step, None, HeadState]:
    """Fits the model's unknowns to points of a scan.

    The minimum of Σ ρ((nᵀ(x − y))² / σ²) over points x of the scan, y the nearest place on the model and n its normal there, with what is
    known before: identity has unit variance, expressions and joints stay small, landmarks lie where they were found. The scan keeps the size that
    the landmarks gave it: distances shrink with it, so that the surface would always ask for a smaller one.

    Args:
        scan: many points over the surface, in the scan's space; with none, the landmarks alone decide.
    """
    state = start_state(target.model, face)
    free = _free(target.model, config)
    for _ in range(_LANDMARK_STEPS):
        state = _stepped(target, state, [_landmark_equations(target, state, target.motion(state), face)], free, face)
    rng = np.random.default_rng(0)
    if not len(scan):
        for step in range(_STEPS):
            state = _stepped(target, state, [_landmark_equations(target, state, target.motion(state), face)], free, face)
            yield Step("register", step + 1, _STEPS)
        return state
    moved = scan.moved(state.head_from_scan)
    near = np.flatnonzero(target.nearest(target.vertices(state), moved.points, _REACH_M, exact=False).distance < _REACH_M)
    chosen = rng.choice(near, min(_MOST_POINTS, len(near)), replace=False)
    for step in range(_STEPS):
        robust = max(_ROBUST_M[0] * _ROBUST_M[1] ** step, _ROBUST_M[2])
        motion = target.motion(state)
        surface, away = _point_equations(target, state, motion, scan[chosen], robust, config.noise_m)
        state = _stepped(target, state, [surface, _landmark_equations(target, state, motion, face)], free, face)
        yield Step("register", step + 1, _STEPS, {"distance_mm": 1e3 * away})
    return state


def _free(model: HeadModel, config: FitConfig) -> Bool[ndarray, "unknowns"]:
    """Which unknowns after the six of the rigid motion may move."""
    moving = np.array([name in _JOINT_DEG for name in model.joint_names]).repeat(3)
    pose = np.concatenate([np.full(model.expression_count, config.expression), moving & config.expression])
    return np.concatenate([np.ones(model.identity_count, bool), pose])


def _point_equations(target: Target, state: HeadState, motion: Motion, scan: Samples, robust: float, noise: float) -> tuple[_Equations, float]:
    moved = scan.moved(state.head_from_scan)
    found = target.nearest(target.vertices(state), moved.points, 0.05, exact=False)
    distance = ((moved.points - found.points) * found.normals).sum(1)
    regions = target.region_of(found)
    agrees = found.inside & np.isfinite(found.distance) & ~scan.rim & ((moved.normals * found.normals).sum(1) > _FACING)
    weight = agrees / (1 + (np.where(agrees, distance, 0) / robust) ** 2) ** 2
    weight = weight * np.prod([np.where(regions[name], share, 1.0) for name, share in _WEIGHTS.items()], axis=0) / noise**2
    used = np.flatnonzero(weight > 1e-6 / noise**2)
    weight, distance, points, normals = weight[used], distance[used], moved.points[used], found.normals[used]
    shapes = -motion.along(found.corners[used], found.barycentric[used], normals)
    rows = np.concatenate([_rigid_rows(points, normals), shapes], 1)
    weighted = rows * weight[:, None]
    away = float(np.median(np.abs(distance))) if len(used) else float("nan")
    return _Equations(rows.T @ weighted, -weighted.T @ distance), away


def _rigid_rows(points: ndarray, directions: ndarray) -> Float[ndarray, "n 6"]:
    """Motion along directions with a turn about the head's origin and a shift."""
    return np.concatenate([np.cross(points, directions), directions], 1)


def _landmark_equations(target: Target, state: HeadState, motion: Motion, face: FoundFace) -> _Equations:
    """Landmarks lie where they were found; and lids and lips are as open, which detectors see better than where they are."""
    vertices, corners = target.vertices(state), target.landmark_corners
    barycentric = target.landmarks.barycentric.double().numpy()
    known = np.isfinite(face.spread)
    found = state.head_from_scan.points(np.nan_to_num(face.points))
    away = found - (vertices[corners] * barycentric[..., None]).sum(1)
    own = 0.0 if target.landmarks.sigma is None else target.landmarks.sigma.double().numpy()
    variance = _LANDMARK_M**2 + own**2 + np.where(known, face.spread, 0.0) ** 2 * state.head_from_scan.scale**2
    weight = known * (_LANDMARK_SHARE if face.views else 1.0) / variance / (1 + (away**2).sum(1) / (9 * variance)) ** 2
    upper, lower = np.array(_OPENINGS).T
    opening = away[upper] - away[lower]
    tight = known[upper] * known[lower] / _OPENING_M**2 / (1 + (opening**2).sum(1) / (25 * _OPENING_M**2)) ** 2
    matrix, right = 0.0, 0.0
    for axis in np.eye(3):
        directions = np.broadcast_to(axis, found.shape)
        shapes = -motion.along(corners, barycentric, directions)
        rows = np.concatenate([_rigid_rows(found, directions), shapes], 1)
        both = np.concatenate([rows, rows[upper] - rows[lower]])
        weighted = both * np.concatenate([weight, tight])[:, None]
        matrix, right = matrix + both.T @ weighted, right - weighted.T @ (np.concatenate([away, opening]) @ axis)
    return _Equations(matrix, right)


def _prior(target: Target, state: HeadState, face: FoundFace) -> _Equations:
    model = target.model
    driven = (model.expression_joint_rotations != 0).any(0).any(-1).numpy()
    joint_deg = [_DRIVEN_DEG if driven[k] else _JOINT_DEG.get(name, _DRIVEN_DEG) for k, name in enumerate(model.joint_names)]
    bounded = np.isfinite(model.expression_lower.numpy())
    precision = np.concatenate(
        [
            np.full(6, 1e-6),
            np.ones(model.identity_count),
            np.where(bounded, _ACTIVATION**-2, 1.0),
            np.repeat(np.radians(joint_deg) ** -2.0, 3),
        ]
    )
    at = np.concatenate([np.zeros(6), state.identity, state.expression - closed_lids(model, face), state.joints.reshape(-1)])
    return _Equations(np.diag(precision), -precision * at)


def _stepped(target: Target, state: HeadState, equations: list[_Equations], free: Bool[ndarray, "unknowns"], face: FoundFace) -> HeadState:
    total = sum(equations, start=_prior(target, state, face))
    model, count = target.model, target.model.identity_count
    lower = np.full(len(total.right), -np.inf)
    upper = np.full(len(total.right), np.inf)
    expression = slice(6 + count, 6 + count + model.expression_count)
    lower[expression] = model.expression_lower.double().numpy() - state.expression
    upper[expression] = model.expression_upper.double().numpy() - state.expression
    fixed = np.flatnonzero(np.concatenate([np.zeros(6, bool), ~free]))
    lower[fixed] = upper[fixed] = 0.0
    change = solve_box(total.matrix, total.right, np.minimum(lower, 0), np.maximum(upper, 0))
    turn = Rotation.from_rotvec(change[:3]).as_matrix()
    scan = state.head_from_scan
    moved = Similarity(scan.scale, turn @ scan.rotation, turn @ scan.translation + change[3:6])
    pose = change[6 + count + model.expression_count :].reshape(state.joints.shape)
    return HeadState(state.identity + change[6 : 6 + count], state.expression + change[expression], state.joints + pose, moved)
