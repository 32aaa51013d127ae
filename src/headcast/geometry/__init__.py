"""Transforms, cameras, rotations and meshes; knows nothing of heads."""

from headcast.geometry.camera import Camera
from headcast.geometry.mesh import Mesh, edges_of, similarity_from_points, vertex_normals
from headcast.geometry.rotations import (
    angle_between,
    axis_angle_from_matrix,
    matrix_from_axis_angle,
    matrix_from_quaternion,
    nearest_rotation,
    quaternion_from_matrix,
    skew,
)
from headcast.geometry.similarity import Similarity
from headcast.geometry.transform import Transform

__all__ = [
    "Camera",
    "Mesh",
    "Similarity",
    "Transform",
    "angle_between",
    "axis_angle_from_matrix",
    "edges_of",
    "matrix_from_axis_angle",
    "matrix_from_quaternion",
    "nearest_rotation",
    "quaternion_from_matrix",
    "similarity_from_points",
    "skew",
    "vertex_normals",
]
