"""Avatars in motion: whatever can drive a head, on any other, from any camera."""

from headcast.animate.animate import AnimateConfig, animate_steps, background_of, shots_of
from headcast.animate.camera_paths import CameraPath
from headcast.animate.drivers import Driver, driver_steps
from headcast.animate.film import Shot, film_steps
from headcast.animate.key_poses import read_key_poses
from headcast.animate.live_link import LiveFrame, listen, packet_of, parse_packet
from headcast.animate.resample import frame_times, resampled
from headcast.animate.retarget import Strengths, retarget

__all__ = [
    "AnimateConfig",
    "CameraPath",
    "Driver",
    "LiveFrame",
    "Shot",
    "Strengths",
    "animate_steps",
    "background_of",
    "driver_steps",
    "film_steps",
    "frame_times",
    "listen",
    "packet_of",
    "parse_packet",
    "read_key_poses",
    "resampled",
    "retarget",
    "shots_of",
]
