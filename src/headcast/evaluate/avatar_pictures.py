"""What a person looks at to judge an avatar: recorded beside shown, maps of the error, and views that nobody recorded."""

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.avatars import Avatar, AvatarFrame, Portrait
from headcast.geometry import Camera, Transform
from headcast.heads import HeadPose

YAW_DEG = (-75.0, -50.0, -25.0, 0.0, 25.0, 50.0, 75.0)
PITCH_DEG = (-30.0, -15.0, 15.0, 30.0)
_WHITE = torch.ones(3)
_BRIGHTEST = 0.25
"""Difference that an error map shows brightest."""


def side_by_side(frame: AvatarFrame, portraits: Mapping[str, Portrait]) -> UInt8[ndarray, "height row_width 3"]:
    """The recorded head on white, then every avatar and the map of its error; sides are even, as videos want them."""
    recorded = frame.on_white(frame.head)
    panels = [_bytes(recorded)]
    for portrait in portraits.values():
        shown = portrait.over(_WHITE).numpy()
        panels += [_bytes(shown), error_map(recorded, shown)]
    row = np.hstack(panels)
    return np.ascontiguousarray(row[: row.shape[0] // 2 * 2, : row.shape[1] // 2 * 2])


def error_map(recorded: Float32[ndarray, "height width 3"], shown: Float32[ndarray, "height width 3"]) -> UInt8[ndarray, "height width 3"]:
    """Mean absolute difference of the channels, black where there is none, brightest from a quarter of the range on."""
    difference = np.abs(recorded - shown).mean(-1) / _BRIGHTEST
    return np.ascontiguousarray(cv2.applyColorMap(_bytes(difference), cv2.COLORMAP_INFERNO)[..., ::-1])


def novel_views(avatar: Avatar, pose: HeadPose, camera: Camera) -> UInt8[ndarray, "strip_height strip_width 3"]:
    """Two rows: the head from −75° to 75° of yaw, then from −30° to 30° of pitch; the pictures keep the camera's size."""
    rows = [[(yaw, 0.0) for yaw in YAW_DEG], [(0.0, pitch) for pitch in PITCH_DEG]]
    pictures = [[_bytes(avatar.render(pose, turned_camera(avatar, pose, camera, *angles)).over(_WHITE).numpy()) for angles in row] for row in rows]
    width = max(len(row) for row in rows) * camera.size[1]
    return np.vstack([_padded(np.hstack(row), width) for row in pictures])


def turned_camera(avatar: Avatar, pose: HeadPose, camera: Camera, yaw_deg: float, pitch_deg: float) -> Camera:
    """The camera gone around the middle of the head: to its left for positive yaw, above it for positive pitch, as far away as before.

    It looks at the head as squarely as if the head had been turned before it: in its own axes the head stays in place.
    """
    target = pose.world_from_head.points(avatar.model.template.mean(0)[None])
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    about_y = torch.tensor([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]], dtype=torch.float32)
    about_x = torch.tensor([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]], dtype=torch.float32)
    turn = about_x @ about_y
    own = camera.camera_from_world
    middle = own.points(target)[0]
    return replace(camera, camera_from_world=Transform(turn, middle - turn @ middle) @ own)


def _padded(row: UInt8[ndarray, "height width 3"], width: int) -> UInt8[ndarray, "height wide 3"]:
    return np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)


def _bytes(values: Float32[ndarray, "..."]) -> UInt8[ndarray, "..."]:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
