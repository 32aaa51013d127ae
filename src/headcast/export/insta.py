"""A data set in the layout of INSTA (Zielonka et al. 2023): a head that stands still, a camera that moves around it, and for every frame a mesh,
expression numbers, depth and the parts of the face.

Cameras are camera to world with OpenCV's axes, as that program reads them. Any head model will do: INSTA looks at the meshes.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import degrees
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8, UInt16
from numpy import ndarray

from headcast.capture import Capture
from headcast.errors import ConfigError
from headcast.export.parts import PARTS, FaceParts
from headcast.export.pictures import Lens, PictureConfig, write_picture
from headcast.export.posed_pictures import PosedPicture, camera_to_world, intrinsics, read_posed_pictures
from headcast.export.shoot import Shoot, Shot
from headcast.export.still_head import StillHead
from headcast.geometry import Transform
from headcast.heads import HeadModel, HeadPose
from headcast.solve.step import Step
from headcast.store import write_json, write_text
from headcast.track import Track

OWN_FILES = ("images", "meshes", "flame", "depth", "seg_mask", "canonical.obj", "transforms.json", "transforms_train.json", "transforms_val.json",
             "transforms_test.json")  # fmt: skip
_OPEN_JAW = np.radians(12.0)
"""Opening of the canonical head's jaw."""
_VALIDATION_FRAMES = 20
_DEPTH_UNIT_M = 0.001
_OPENCV = Transform.identity()


@dataclass(frozen=True)
class InstaConfig(PictureConfig):
    """What a data set for INSTA holds."""

    option: ClassVar[str] = "insta"

    background: Literal["white", "black", "none", "recording"] = "none"
    """What is behind the person. none, as INSTA wants it: pictures keep their opacity as a fourth channel. recording: what was recorded."""
    test_frames: int = 350
    """Frames at the clip's end that are for testing; of clips that have not twice as many, half of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.test_frames < 0:
            raise ConfigError(f"test_frames must not be negative, found {self.test_frames}")


def export_insta(track: Track, model: HeadModel, capture: Capture, folder: Path, config: InstaConfig) -> Generator[Step, None, None]:
    """Writes the data set. Where the model has no joint "jaw", the canonical head's mouth stays closed, and the last step says so."""
    shoot = Shoot.of(track, model, config, Lens.scaled(track.camera, config.scale), capture)
    frames, lens = shoot.frames, shoot.lens
    still, parts = StillHead.of(shoot, "head", None), FaceParts.of(model)
    described = [_described(index, camera_to_world(camera, _OPENCV)) for index, camera in still.cameras(shoot).items()]
    faces = _face_lines(model.faces.numpy())

    def write(shot: Shot) -> None:
        entry = described[shot.index]
        seen = parts.seen(shot)
        write_picture(folder / entry["file_path"], seen.undressed(shot).composed(config.background))
        write_picture(folder / entry["depth_path"], _millimetres(seen.depth))
        write_picture(folder / entry["seg_mask_path"], _shades(seen.parts))
        world_from_track = still.track_from_world[shot.index].inverse()
        write_text(folder / entry["mesh_path"], _obj(world_from_track.points(shot.vertices).numpy(), faces))
        write_text(folder / entry["exp_path"], "".join(f"{value:.8f}\n" for value in track.expression[shot.frame].tolist()))

    yield from shoot.each(write)
    write_text(folder / "canonical.obj", _obj(_canonical(track, model), faces))
    _write_tables(folder, described, lens, config.test_frames)
    if "jaw" not in model.joint_names:
        message = f"canonical.obj has a closed mouth: {model.name!r} has no joint 'jaw' to open it by"
        yield Step("export", len(frames), len(frames), message=message)


def _described(index: int, matrix: list[list[float]]) -> dict[str, Any]:
    return {
        "transform_matrix": matrix,
        "file_path": f"images/{index:05d}.png",
        "mesh_path": f"meshes/{index:05d}.obj",
        "exp_path": f"flame/exp/{index:05d}.txt",
        "depth_path": f"depth/{index:05d}.png",
        "seg_mask_path": f"seg_mask/{index:05d}.png",
    }


def _millimetres(depth: Float[ndarray, "height width"]) -> UInt16[ndarray, "height width"]:
    return np.rint(np.clip(depth / _DEPTH_UNIT_M, 0, 65535)).astype(np.uint16)


def _shades(parts: UInt8[ndarray, "height width"]) -> UInt8[ndarray, "height width 3"]:
    """Classes as INSTA's own parsing pictures show them, in red: 250 is skin, ten less for every further class, with 220 left out; 0 is nothing."""
    picture = np.zeros((*parts.shape, 3), np.uint8)
    classes = parts.astype(int)
    picture[..., 0] = np.where(classes > 0, 260 - 10 * classes - 10 * (classes >= PARTS["left_eye"]), 0)
    return picture


def _canonical(track: Track, model: HeadModel) -> Float[ndarray, "vertices 3"]:
    """The person at rest with the jaw a little open."""
    pose = model.neutral_pose()
    rotations = pose.joint_rotations.clone()
    if "jaw" in model.joint_names:
        rotations[model.joint_names.index("jaw")] = torch.tensor([_OPEN_JAW, 0.0, 0.0])
    return track.head(model).posed(HeadPose(pose.expression, rotations, pose.world_from_head)).vertices.numpy()


def _face_lines(faces: Int[ndarray, "faces 3"]) -> str:
    return "".join(f"f {a} {b} {c}\n" for a, b, c in (faces + 1).tolist())


def _obj(vertices: Float[ndarray, "vertices 3"], faces: str) -> str:
    return "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in vertices.tolist()) + faces


def _write_tables(folder: Path, described: Sequence[dict[str, Any]], lens: Lens, test_frames: int) -> None:
    """All frames, those to train on and those at the end to test on; the last twenty validate."""
    common = intrinsics(lens.camera)
    common |= {"x_fov": degrees(common["camera_angle_x"]), "y_fov": degrees(common["camera_angle_y"]), "integer_depth_scale": _DEPTH_UNIT_M}
    first_test = len(described) - min(test_frames, len(described) // 2)
    first_val = max(first_test, len(described) - _VALIDATION_FRAMES)
    parts = {"_train": described[:first_test], "_test": described[first_test:], "_val": described[first_val:], "": described}
    for split, entries in parts.items():
        write_json(folder / f"transforms{split}.json", {**common, "frames": list(entries)})


def read_insta(folder: Path, split: str = "") -> list[PosedPicture]:
    """The pictures of a data set in this layout, whoever wrote it; `split` is train, val or test, all of them if not given. What belongs to a picture
    is in its `files`: `mesh_path`, `exp_path`, `depth_path`, `seg_mask_path`.

    Raises `FormatError` with the file and the entry where something is missing or is no camera, `InputError` where a picture is gone.
    """
    return read_posed_pictures(folder / (f"transforms_{split}.json" if split else "transforms.json"), _OPENCV, "mask_path")
