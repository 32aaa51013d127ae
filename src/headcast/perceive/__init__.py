"""Landmarks and mattes from pictures."""

from headcast.perceive.detectors import DETECTORS, DetectorName
from headcast.perceive.faces import FaceBox, FaceFinder
from headcast.perceive.follow import FaceFollower, FollowConfig, FollowState, Landmarks, Sighting
from headcast.perceive.matting import Matte, MatteConfig, MatteState, Matting, Window
from headcast.perceive.mesh import LANDMARK_COUNT, Detector, FaceMesh, MediapipeMesh

__all__ = [
    "DETECTORS",
    "LANDMARK_COUNT",
    "Detector",
    "DetectorName",
    "FaceBox",
    "FaceFinder",
    "FaceFollower",
    "FaceMesh",
    "FollowConfig",
    "FollowState",
    "Landmarks",
    "Matte",
    "MatteConfig",
    "MatteState",
    "Matting",
    "MediapipeMesh",
    "Sighting",
    "Window",
]
