"""A recording as programs for scenes at rest want it: the head stands still, and the camera moves around it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.export.pictures import PictureConfig
from headcast.export.ply import colors_at_vertices
from headcast.export.shoot import Shoot
from headcast.geometry import Camera, Transform

_GREY = 160
"""Of points whose colour was not solved."""
_CHUNK = 32


@dataclass(frozen=True)
class StillConfig(PictureConfig):
    """What a data set of a scene at rest holds."""

    background: Literal["white", "black", "none", "recording"] = "recording"
    """What is behind the person. none: pictures keep their opacity as a fourth channel. recording: what was recorded; masks leave it out."""
    fixed_to: Literal["head", "room"] = "head"
    """What stands still. head: the skull, so that the camera moves. room: the camera, so that the head moves (for methods that model time)."""


def still_name(index: int, camera_idx: int, several: bool) -> str:
    """Of a picture, by its time step and, where there are several, its camera."""
    return f"{index:05d}_{camera_idx:02d}.png" if several else f"frame_{index:05d}.png"


@dataclass(frozen=True)
class StillHead:
    """The world of a data set whose head stands still, and points on the head."""

    track_from_world: Transform
    """Per time step: the track's world from the data set's."""
    points: Float32[ndarray, "vertices 3"]
    """The head's vertices, averaged over the frames (m)."""
    colors: UInt8[ndarray, "vertices 3"]
    """sRGB of the albedo; grey where it was not solved."""

    @classmethod
    def of(cls, shoot: Shoot, fixed_to: str, albedo: UInt8[ndarray, "height width 3"] | None) -> "StillHead":
        track = shoot.track
        count = len(shoot.timesteps)
        worlds = shoot.head.skull(track.pose(torch.tensor(shoot.timesteps))) if fixed_to == "head" else Transform.identity(count)
        worlds = replace(worlds, rotation=worlds.rotation.contiguous(), translation=worlds.translation.contiguous())
        total = np.zeros(shoot.head.vertices.shape, np.float64)
        for first in range(0, count, _CHUNK):
            some = slice(first, first + _CHUNK)
            vertices = shoot.head.posed(track.pose(torch.tensor(shoot.timesteps[some]))).vertices
            total += worlds[some].inverse().points(vertices).double().sum(0).numpy()
        model = shoot.head.model
        colors = np.full((len(total), 3), _GREY, np.uint8) if albedo is None else colors_at_vertices(albedo, model)
        return cls(worlds, (total / count).astype(np.float32), colors)

    def cameras(self, shoot: Shoot) -> dict[int, Camera]:
        """Those of a camera's pictures in this world, by time step."""
        return {index: shoot.camera(frame, self.track_from_world[index]) for frame, index in shoot.places.items()}
