"""Static heads whose truth is known: people of the open head, somewhere in space and in some unit."""

from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from headcast.fit.points_file import NAMES
from headcast.fit.scan import Scan
from headcast.fit.sides import FoundFace
from headcast.fit.target import HeadState, Target
from headcast.geometry import Similarity
from headcast.heads import open_head
from headcast.heads.open_head import default_albedo

TARGET = Target(open_head())
HEAD_FROM_SCAN = Similarity(0.001, Rotation.from_euler("xyz", [80, -30, 10], degrees=True).as_matrix(), np.array([0.1, -0.2, 0.05]))
"""A scan in millimetres, lying."""


def person(seed: int = 0, smile: float = 0.5) -> HeadState:
    rng = np.random.default_rng(seed)
    model = open_head()
    expression = np.zeros(model.expression_count)
    for side in ("Left", "Right"):
        expression[model.expression_names.index(f"mouthSmile{side}")] = smile
    return HeadState(0.5 * rng.standard_normal(model.identity_count), expression, np.zeros((model.joint_count, 3)), HEAD_FROM_SCAN)


def scan_of(state: HeadState, bump_m: float = 0.0) -> Scan:
    """The outer skin of a head, with a smooth bump on one cheek, in the scan's space."""
    vertices = TARGET.vertices(state)
    if bump_m:
        middle = vertices[TARGET.landmark_corners[425]].mean(0)
        near = np.exp(-0.5 * (((vertices - middle) / 0.015) ** 2).sum(1))
        vertices = vertices + bump_m * near[:, None] * TARGET.normals(vertices)
    return Scan("made", state.head_from_scan.inverse().points(vertices), TARGET.faces[TARGET.visible].astype(np.int64))


def face_of(state: HeadState) -> FoundFace:
    """Its landmarks, exactly, and the pose that the mean head's give."""
    vertices = TARGET.vertices(state)
    points = (vertices[TARGET.landmark_corners] * TARGET.landmarks.barycentric.double().numpy()[..., None]).sum(1)
    there = state.head_from_scan.inverse().points(points)
    similarity = Similarity.of_points(there[:468], TARGET.template_landmarks[:468])
    middle, growth = TARGET.template_landmarks[:468].mean(0), 0.001 / similarity.scale
    sized = Similarity(0.001, similarity.rotation, middle + growth * (similarity.translation - middle))
    return FoundFace(there, np.zeros(len(points)), sized, 0.02, 15)


def write_scan(folder: Path) -> None:
    """`scan.ply`, a person with painted skin, in millimetres, lying; and `points.csv`, some landmarks as if by hand."""
    state = person(7, smile=0.0)
    scan = scan_of(state)
    color = default_albedo()[::8, ::8].mean((0, 1)).numpy()
    colors = np.broadcast_to((255 * color ** (1 / 2.2)).astype(np.uint8), scan.vertices.shape)
    trimesh.Trimesh(scan.vertices, scan.faces, vertex_colors=colors, process=False).export(folder / "scan.ply")
    points = face_of(state).points
    (folder / "points.csv").write_text("\n".join(["landmark,x,y,z", *(f"{name},{','.join(map(str, points[k]))}" for name, k in NAMES.items())]))
