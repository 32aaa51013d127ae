"""Tables of pictures with cameras (`transforms.json` and its kin), as several programs write and read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headcast.errors import FormatError, InputError
from headcast.geometry import Camera, Transform
from headcast.store import read_json


@dataclass(frozen=True)
class PosedPicture:
    """One picture of a data set."""

    picture: Path
    mask: Path | None
    camera: Camera
    timestep: int
    parameters: Path | None
    """npz of the head in this frame."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """What else belongs to the picture, by the table's own words: `mesh_path`, `depth_path` …"""


def intrinsics(camera: Camera) -> dict[str, Any]:
    """Size, focal length, principal point and field of view (rad) under the names that all of these programs use."""
    height, width = camera.size
    (fx, fy), (cx, cy) = camera.focal_px.tolist(), camera.center_px.tolist()
    return {
        "cx": cx, "cy": cy, "fl_x": fx, "fl_y": fy, "h": height, "w": width,
        "camera_angle_x": 2 * float(np.arctan(width / (2 * fx))), "camera_angle_y": 2 * float(np.arctan(height / (2 * fy))),
    }  # fmt: skip


def camera_to_world(camera: Camera, written_from_opencv: Transform) -> list[list[float]]:
    """`transform_matrix` of a camera whose axes another program turns by `written_from_opencv`."""
    return (camera.camera_from_world.inverse() @ written_from_opencv.inverse()).matrix().tolist()


def read_table(path: Path) -> dict[str, Any]:
    """A table with a list of frames; raises `FormatError` for anything else."""
    table = read_json(path)
    if not isinstance(table, dict) or not isinstance(table.get("frames", []), list):
        raise FormatError(f"expected an object with a list of frames, found none in {path}")
    return table


def read_posed_pictures(path: Path, written_from_opencv: Transform, mask_key: str) -> list[PosedPicture]:
    """The pictures of a table.

    Raises `FormatError` with the file and the entry where something is missing or is no camera, `InputError` where a picture is gone.
    """
    table = read_table(path)
    frames = table.get("frames", [])
    return [_posed_picture(path, number, {**table, **entry}, written_from_opencv, mask_key) for number, entry in enumerate(frames)]


def _posed_picture(path: Path, number: int, entry: dict[str, Any], written_from_opencv: Transform, mask_key: str) -> PosedPicture:
    where, folder = f"frames[{number}] of {path}", path.parent
    try:
        matrix = np.array(entry["transform_matrix"], np.float64)
        size = (int(entry["h"]), int(entry["w"]))
        focal = [float(entry["fl_x"]), float(entry["fl_y"])]
        center = [float(entry.get("cx", size[1] / 2)), float(entry.get("cy", size[0] / 2))]
        picture = folder / entry["file_path"]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"expected transform_matrix, fl_x, fl_y, w, h and file_path in {where}; {error} is missing or wrong") from error
    if matrix.shape != (4, 4) or not np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-3):
        raise FormatError(f"expected a rigid motion (4×4) as transform_matrix in {where}, found {matrix.tolist()}")
    if min(focal) <= 0 or min(size) <= 0:
        raise FormatError(f"expected focal lengths and a size above zero in {where}, found fl {focal}, size {size}")
    if not picture.is_file():
        raise InputError(f"expected a picture for {where}, found nothing at {picture}")
    world_from_camera = Transform.from_matrix(torch.from_numpy(matrix).float()) @ written_from_opencv
    parameters = entry.get("flame_param_path") or entry.get("head_param_path")
    return PosedPicture(
        picture=picture,
        mask=folder / entry[mask_key] if entry.get(mask_key) else None,
        camera=Camera(torch.tensor(focal), torch.tensor(center), size, world_from_camera.inverse()),
        timestep=int(entry.get("timestep_index", number)),
        parameters=folder / parameters if parameters else None,
        files={name: folder / value for name, value in entry.items() if name.endswith("_path") and isinstance(value, str)},
    )
