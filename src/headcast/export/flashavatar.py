"""A data set in the layout of FlashAvatar (Xiang et al. 2024): pictures and masks, and a `.frame` file of metrical-tracker (Zielonka et al. 2022)
for each.

FLAME stands still in its own coordinates without turning its neck, and the camera moves: the neck's turn becomes the camera's, so that the face is
exactly where it was tracked and only the lower neck differs. Rotations of jaw and eyes are the first two rows of their matrices (Zhou et al. 2019).
FlashAvatar knows the field of view only and pictures of 512², so these are cut as a square about the principal point.
"""

import pickle
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headcast.capture import Capture
from headcast.errors import ConfigError, FormatError, InputError
from headcast.export.flame_numbers import what_offsets_lack
from headcast.export.parts import FaceParts
from headcast.export.pictures import FrameChoice, Lens, write_picture
from headcast.export.shoot import Shoot, Shot
from headcast.geometry import Camera, Transform, matrix_from_axis_angle
from headcast.geometry.conventions import PYTORCH3D_FROM_OPENCV
from headcast.heads import HeadModel
from headcast.heads.flame import FlameRoot
from headcast.solve.step import Step
from headcast.store import replace_file
from headcast.track import Track

OWN_FILES = ("dataset", "metrical-tracker")
_SIDE_PX = 512
_MARGIN = 1.25
"""How much farther than the head's vertices the pictures reach: for hair."""
_TEST_FRAMES = 500
"""FlashAvatar always sets aside this many."""
_TEXTURE_COUNT = 140


@dataclass(frozen=True)
class FlashavatarConfig(FrameChoice):
    """What a data set for FlashAvatar holds."""

    option: ClassVar[str] = "flashavatar"

    cut_neck: bool = True
    """Leave everything below the neck's lower end, and the clothes beside it, out of the head's masks."""
    name: str = "head"
    """The person's name in FlashAvatar's folders, as its --idname takes it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.name or Path(self.name).name != self.name or self.name.startswith("."):
            raise ConfigError(f"name must be the name of a folder, found {self.name!r}")


def export_flashavatar(
    track: Track, model: HeadModel, capture: Capture, root: FlameRoot, folder: Path, config: FlashavatarConfig
) -> Generator[Step, None, None]:
    """Writes `dataset/NAME` and `metrical-tracker/output/NAME` of a track made with FLAME, ready to be put into FlashAvatar's folder."""
    frames = config.chosen(track, capture.found)
    lens = Lens.square(track.camera, _reach(track, model, frames), _SIDE_PX)
    shoot = Shoot.of(track, model, config, lens, capture)
    parts = FaceParts.of(model)
    skulls = shoot.head.skull(track.pose(torch.tensor(frames)))
    head_from_flame = Transform(torch.eye(3), -root.origin)
    data, checkpoints = folder / "dataset" / config.name, folder / "metrical-tracker" / "output" / config.name / "checkpoint"

    def write(shot: Shot) -> None:
        name = f"{shot.index + 1:05d}"  # pictures count from one, frames from zero
        write_picture(data / "imgs" / f"{name}.jpg", shot.composed("recording"))
        write_picture(data / "alpha" / f"{name}.jpg", np.rint(255 * shot.matte).astype(np.uint8))
        seen = parts.seen(shot)
        for part, inside in (("neckhead", seen.undressed(shot).alpha > 0.5), ("mouth", seen.mouth())):
            write_picture(data / "parsing" / f"{name}_{part}.png", np.where(inside, np.uint8(255), np.uint8(0)))
        camera = shoot.camera(shot.frame, skulls[shot.index] @ head_from_flame)
        with replace_file(checkpoints / f"{shot.index:05d}.frame") as temporary:
            torch.save(_frame(track, shot, camera), temporary)

    yield from shoot.each(write)
    notes = [what_offsets_lack(track)]
    if len(frames) <= _TEST_FRAMES:
        notes.append(f"FlashAvatar tests on the last {_TEST_FRAMES} frames and {len(frames)} were written: lower test_num in its scene/__init__.py")
    yield Step("export", len(frames), len(frames), message="; ".join(filter(None, notes)))


def _reach(track: Track, model: HeadModel, frames: list[int]) -> float:
    """How far from the principal point the head comes in any frame, with a margin; at most as far as the picture reaches (px)."""
    camera, head = track.camera, track.head(model)
    places = (track.camera_at(frame).project(head.posed(track.pose(frame)).vertices) - camera.center_px for frame in frames)
    farthest = max(float(place.abs().max()) for place in places)
    size = torch.tensor([camera.size[1], camera.size[0]], dtype=torch.float32)
    return min(_MARGIN * farthest, float(torch.maximum(camera.center_px, size - camera.center_px).max()))


def _frame(track: Track, shot: Shot, camera: Camera) -> dict[str, Any]:
    """What metrical-tracker keeps of a frame: tensors, numbers and text only, so that reading it runs nothing."""
    rows = matrix_from_axis_angle(track.joint_rotations[shot.frame])[:, :2].reshape(-1, 6)
    pose, (fx, fy), (cx, cy) = camera.camera_from_world, camera.focal_px, camera.center_px
    view = PYTORCH3D_FROM_OPENCV @ pose
    zero = torch.zeros(())
    intrinsic = torch.stack([fx, zero, cx, zero, fy, cy, zero, zero, torch.ones(())]).reshape(1, 3, 3)
    height, width = camera.size
    return {
        "flame": {
            "exp": track.expression[[shot.frame]].clone(),
            "shape": track.identity[None].clone(),
            "tex": torch.zeros(1, _TEXTURE_COUNT),
            "sh": torch.zeros(1, 9, 3),
            "eyes": rows[2:4].reshape(1, 12).clone(),
            "eyelids": torch.zeros(1, 2),
            "jaw": rows[[1]].clone(),
        },
        "camera": {
            "R": view.rotation.T[:2].reshape(1, 6).clone(),
            "t": view.translation[None].clone(),
            "fl": (camera.focal_px[:1] / (width / 2))[None],
            "pp": torch.zeros(1, 2),
        },
        "opencv": {"R": pose.rotation[None].clone(), "t": pose.translation[None].clone(), "K": intrinsic},
        "img_size": torch.tensor([height, width]),
        "frame_id": f"{shot.index:05d}",
        "global_step": 0,
    }


@dataclass(frozen=True)
class TrackerFrame:
    """One `.frame` file."""

    camera: Camera
    """Camera from FLAME's own coordinates."""
    shape: Float[Tensor, "shape"]
    expression: Float[Tensor, "expression"]
    jaw: Float[Tensor, "3 3"]
    eyes: Float[Tensor, "2 3 3"]
    """Rotations of the left and the right eye."""
    eyelids: Float[Tensor, "2"]


def read_tracker_frame(path: Path) -> TrackerFrame:
    """Reads a `.frame` file that holds tensors, as `export_flashavatar` writes them; raises `FormatError` for anything else."""
    if not path.is_file():
        raise InputError(f"expected the file {path}, found none")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        flame, opencv = content["flame"], content["opencv"]
        intrinsic, (height, width) = opencv["K"][0], (int(length) for length in content["img_size"])
        pose = Transform(opencv["R"][0], opencv["t"][0])
        camera = Camera(intrinsic.diagonal()[:2], intrinsic[:2, 2], (height, width), pose)
        eyes = _matrix_from_rows(flame["eyes"].reshape(2, 6))
        return TrackerFrame(camera, flame["shape"][0], flame["exp"][0], _matrix_from_rows(flame["jaw"][0]), eyes, flame["eyelids"][0])
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FormatError(f"expected tensors of flame and opencv and an img_size, as torch.save writes them; {reason:.120}, in {path}") from error


def _matrix_from_rows(rows: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotations from their first two rows, made orthonormal (Zhou et al. 2019, section B)."""
    first = torch.nn.functional.normalize(rows[..., :3], dim=-1)
    second = rows[..., 3:] - (first * rows[..., 3:]).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -2)
