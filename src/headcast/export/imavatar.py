"""A data set in the layout of IMavatar (Zheng et al. 2022), which PointAvatar and SplattingAvatar read too: `flame_params.json`, pictures, masks.

FLAME stands at the origin, four times as large, and turns by its own pose; the camera carries the translation. Its camera has +X right, +Y up and
looks along −Z, with a negative horizontal focal length; focal lengths and principal point are shares of the picture's size.
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from PIL import Image

from headcast.capture import Capture
from headcast.errors import FormatError, InputError
from headcast.export.flame_numbers import flame_numbers, what_offsets_lack
from headcast.export.pictures import Lens, PictureConfig, write_picture
from headcast.export.posed_pictures import PosedPicture, read_table
from headcast.export.shoot import Shoot, Shot
from headcast.geometry import Camera, Transform
from headcast.geometry.conventions import OPENGL_FROM_OPENCV
from headcast.heads import HeadModel
from headcast.heads.flame import FlameRoot
from headcast.solve.step import Step
from headcast.store import write_json
from headcast.track import Track

OWN_FILES = ("image", "mask", "flame_params.json")
_SCALE = 4.0
_SHAPES, _EXPRESSIONS = 100, 50
"""Coefficients that these programs take; FLAME has more."""
_POSES = ("rotation", "neck_pose", "jaw_pose", "eyes_pose")


@dataclass(frozen=True)
class ImavatarConfig(PictureConfig):
    """What a data set for IMavatar, PointAvatar and SplattingAvatar holds."""

    option: ClassVar[str] = "imavatar"


def export_imavatar(
    track: Track, model: HeadModel, capture: Capture, root: FlameRoot, folder: Path, config: ImavatarConfig
) -> Generator[Step, None, None]:
    """Writes the data set of a track made with FLAME; the last step says how far the coefficients that have no place move the vertices."""
    shoot = Shoot.of(track, model, config, Lens.scaled(track.camera, config.scale), capture)
    frames, lens = shoot.frames, shoot.lens
    entries: dict[int, dict[str, Any]] = {}

    def write(shot: Shot) -> None:
        name = f"{shot.index:05d}"
        write_picture(folder / "image" / f"{name}.png", shot.composed(config.background))
        write_picture(folder / "mask" / f"{name}.png", shot.mask())
        numbers = flame_numbers(track, root, shot.frame)
        entries[shot.index] = {
            "file_path": f"./image/{name}",
            "world_mat": _world_mat(shot.camera, numbers["translation"][0]),
            "expression": numbers["expr"][0, :_EXPRESSIONS].tolist(),
            "pose": np.concatenate([numbers[pose][0] for pose in _POSES]).tolist(),
            "bbox": _box(shot.camera, shot.vertices),
        }

    yield from shoot.each(write)
    table = {
        "intrinsics": _shares(lens.camera),
        "shape_params": track.identity[:_SHAPES].tolist(),
        "frames": [entries[index] for index in range(len(frames))],
    }
    write_json(folder / "flame_params.json", table)
    moved_mm = 1000 * _left_out(track, model, frames)
    note = f"of FLAME's coefficients the first {_SHAPES} and {_EXPRESSIONS} are written; the others move vertices by {moved_mm:.2f} mm (RMS)"
    yield Step("export", len(frames), len(frames), message="; ".join(filter(None, (note, what_offsets_lack(track)))))


def _world_mat(camera: Camera, translation: Float[ndarray, "3"]) -> list[list[float]]:
    """Camera from FLAME's space, OpenGL axes, in units of a quarter metre."""
    pose = OPENGL_FROM_OPENCV @ camera.camera_from_world
    place = _SCALE * (pose.rotation @ torch.from_numpy(translation) + pose.translation)
    return torch.cat([pose.rotation, place[:, None]], 1).tolist()


def _shares(camera: Camera) -> list[float]:
    size = np.array(camera.size[::-1], np.float64)
    (fx, fy), (cx, cy) = (camera.focal_px.numpy() / size).tolist(), (camera.center_px.numpy() / size).tolist()
    return [-fx, fy, cx, cy]


def _box(camera: Camera, vertices: Float[torch.Tensor, "vertices 3"]) -> list[float]:
    """Left, top, right and lower end of the head in the picture, from −1 to 1."""
    height, width = camera.size
    places = (2 * camera.project(vertices) / torch.tensor([width, height], dtype=torch.float32) - 1).clamp(-1, 1)
    return [*places.amin(0).tolist(), *places.amax(0).tolist()]


def _left_out(track: Track, model: HeadModel, frames: list[int]) -> float:
    """How far the coefficients without a place move vertices at rest: root mean square (m)."""
    shape = torch.einsum("i,ivk->vk", track.identity[_SHAPES:], model.identity_basis[_SHAPES:])
    squares = [
        (shape + torch.einsum("e,evk->vk", track.expression[frame, _EXPRESSIONS:], model.expression_basis[_EXPRESSIONS:])).square().sum(-1).mean()
        for frame in frames
    ]
    return float(torch.stack(squares).mean().sqrt())


@dataclass(frozen=True)
class ImavatarSet:
    """What `flame_params.json` says."""

    pictures: list[PosedPicture]
    """With cameras in metres about FLAME's origin."""
    shape: Float32[ndarray, "shape"]
    expression: Float32[ndarray, "frames expression"]
    pose: Float32[ndarray, "frames 15"]
    """Axis-angle (rad) of head, neck, jaw, left and right eye."""


def read_imavatar(folder: Path) -> ImavatarSet:
    """Reads a data set in this layout, whoever wrote it; raises `FormatError` where a frame lacks something, `InputError` where a picture is gone."""
    path = folder / "flame_params.json"
    table = read_table(path)
    try:
        shares, shape = np.abs(np.array(table["intrinsics"], np.float64)), np.array(table["shape_params"], np.float32)
        numbers = [(_camera_pose(entry["world_mat"]), str(entry["file_path"])) for entry in table["frames"]]
        expression = np.array([entry["expression"] for entry in table["frames"]], np.float32)
        pose = np.array([entry["pose"] for entry in table["frames"]], np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"expected intrinsics, shape_params and world_mat, expression, pose and file_path of frames; {error}, in {path}") from error
    if shares.shape != (4,) or pose.ndim != 2 or pose.shape[1] != 15 or expression.ndim != 2:
        found = f"{shares.shape}, {pose.shape} and {expression.shape}"
        raise FormatError(f"expected four intrinsics, and in each frame 15 numbers of pose and some of expression, found {found}, in {path}")
    pictures = [_picture(folder, index, shares, *entry) for index, entry in enumerate(numbers)]
    return ImavatarSet(pictures, shape, expression, pose)


def _camera_pose(world_mat: Any) -> Transform:
    matrix = np.array(world_mat, np.float32)
    if matrix.shape != (3, 4) or not np.allclose(matrix[:, :3] @ matrix[:, :3].T, np.eye(3), atol=1e-3):
        raise ValueError(f"world_mat is no rigid motion: {matrix.tolist()}")
    pose = torch.from_numpy(matrix)
    return OPENGL_FROM_OPENCV.inverse() @ Transform(pose[:, :3], pose[:, 3] / _SCALE)


def _picture(folder: Path, index: int, shares: Float[ndarray, "4"], pose: Transform, file_path: str) -> PosedPicture:
    picture = folder / f"{file_path}.png"
    if not picture.is_file():
        raise InputError(f"expected a picture for frames[{index}] of {folder / 'flame_params.json'}, found nothing at {picture}")
    with Image.open(picture) as opened:
        width, height = opened.size
    focal, center = torch.from_numpy((shares.reshape(2, 2) * [width, height]).astype(np.float32))
    mask = folder / "mask" / picture.name
    return PosedPicture(picture, mask if mask.is_file() else None, Camera(focal, center, (height, width), pose), index, None)
