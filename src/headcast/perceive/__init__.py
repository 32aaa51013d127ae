"""Landmarks and mattes from pictures."""

from headcast.perceive.detectors import DETECTORS, DetectorName
from headcast.perceive.faces import FaceBox, FaceFinder
from headcast.perceive.follow import FaceFollower, FollowConfig, FollowState, Landmarks, Sighting
from headcast.perceive.layouts import LAYOUT_NAMES, MEDIAPIPE, Layout, layout_of
from headcast.perceive.matting import Matte, MatteConfig, MatteState, Matting, Window
from headcast.perceive.mesh import LANDMARK_COUNT, Detector, FaceMesh, MediapipeMesh
from headcast.perceive.network_landmarks import LandmarkSources
from headcast.perceive.network_matting import MattingChoice, NetworkMatting
from headcast.perceive.network_surface import FaceNormals, FaceParser
from headcast.perceive.networks import NamedNetwork

__all__ = [
    "DETECTORS",
    "LANDMARK_COUNT",
    "LAYOUT_NAMES",
    "MEDIAPIPE",
    "Detector",
    "DetectorName",
    "FaceBox",
    "FaceFinder",
    "FaceFollower",
    "FaceMesh",
    "FaceNormals",
    "FaceParser",
    "FollowConfig",
    "FollowState",
    "LandmarkSources",
    "Landmarks",
    "Layout",
    "Matte",
    "MatteConfig",
    "MatteState",
    "Matting",
    "MattingChoice",
    "MediapipeMesh",
    "NamedNetwork",
    "NetworkMatting",
    "Sighting",
    "Window",
    "layout_of",
]
