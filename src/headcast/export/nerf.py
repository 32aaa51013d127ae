"""A data set for radiance fields and 3D Gaussians: pictures on a plain background, mattes, cameras and the head of every frame.

The layout is the one that GaussianAvatars reads (Qian et al. 2024) and VHAP writes: `transforms_{train,val,test}.json` with OpenGL cameras (+X right,
+Y up, looking along −Z; camera to world), `images/`, `fg_masks/`, and for FLAME heads `flame_param/` with `canonical_flame_param.npz`.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from headcast.capture import Capture
from headcast.errors import ConfigError, FormatError, HeadcastError, InputError
from headcast.geometry import Camera, Transform
from headcast.geometry.conventions import OPENGL_FROM_OPENCV
from headcast.heads import HeadModel
from headcast.heads.flame import FlameRoot
from headcast.solve.step import Step
from headcast.store import read_arrays, read_json, replace_file, write_arrays, write_json
from headcast.threads import mapped
from headcast.track import Track

_OPEN_JAW = 0.3
"""Opening of the canonical head's jaw, rad: lips that are apart can be told apart."""
_SOFT = 0.015
"""Width of the edge below the neck, as a share of the picture's: standard deviation."""
_TEETH = 120
"""Vertices that GaussianAvatars adds to FLAME's; their offsets belong into its files."""
_COLORS = {"white": 255, "black": 0}
_SPLITS = ("train", "val", "test")
OWN_FILES = ("images", "fg_masks", "flame_param", "head_param", "canonical_flame_param.npz", "canonical_head_param.npz", "transforms.json",
             *(f"transforms_{split}.json" for split in _SPLITS))  # fmt: skip


@dataclass(frozen=True)
class NerfConfig:
    """What a data set for radiance fields holds."""

    background: Literal["white", "black", "none"] = "white"
    """What is behind the person. none: pictures keep their opacity as a fourth channel."""
    cut_neck: bool = True
    """Leave out everything below the neck's lower end."""
    scale: float = 1.0
    """Size of the pictures against the recording's."""
    frames: str = ""
    """Frames to take, as start:stop:step in the recording's numbers; all, if not given. Frames without a face are always left out."""
    test_share: float = 0.3
    """Share of the frames, at the clip's end, that is for testing."""

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 4:
            raise ConfigError(f"scale must be above 0 and at most 4, found {self.scale}")
        if not 0 <= self.test_share < 1:
            raise ConfigError(f"test_share must be at least 0 and below 1, found {self.test_share}")
        self.chosen(0)

    def chosen(self, frame_count: int) -> range:
        """The frames that `frames` names."""
        try:
            start, stop, step = (*(int(part) if part.strip() else None for part in self.frames.split(":")), None, None, None)[:3]
            if self.frames.count(":") > 2 or (self.frames and ":" not in self.frames):
                raise ValueError
            return range(frame_count)[start:stop:step]
        except ValueError as error:
            raise ConfigError(f"frames must look like start:stop:step, as 0:200:2 or 100:, found {self.frames!r}") from error


def export_nerf(
    track: Track, model: HeadModel, capture: Capture, folder: Path, config: NerfConfig, root: FlameRoot | None = None
) -> Generator[Step, None, None]:
    """Writes the data set.

    The head's mean place over the written frames is moved to the origin, and the camera with it. Readers take the principal point for the middle of
    the picture; where it is not, the pictures are made larger until it is.

    Args:
        root: of FLAME models; with it the parameters are FLAME's, otherwise those of `head_param/`.

    Raises:
        InputError: the chosen frames show no face, or the neck is to be cut where the model has none.
    """
    frames = [frame for frame in config.chosen(track.frame_count) if bool(track.valid[frame])]
    if not frames:
        asked = f"frames {config.frames}" if config.frames else "the frames"
        raise InputError(f"expected a face in some of {asked} of {track.frame_count}, found none. Choose others with --nerf.frames.")
    middle = track.world_from_head.translation[frames].mean(0)
    track = _moved(track, -middle)
    lens = _Lens.of(track.camera, config.scale)
    neck = _neck_rim(model) if config.cut_neck else None
    described = [_described(index, frame, lens, track, root is not None) for index, frame in enumerate(frames)]
    head = track.head(model)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "fg_masks").mkdir(exist_ok=True)

    def write(item: tuple[int, UInt8[ndarray, "height width 3"], UInt8[ndarray, "height width"]]) -> int:
        frame, picture, matte = item
        entry = described[places[frame]]
        alpha = lens.view(matte.astype(np.float32) / 255)
        vertices = head.posed(track.pose(frame)).vertices
        if neck is not None:
            alpha *= _above(lens.camera.project(vertices[neck]).numpy(), *alpha.shape)
        _write_picture(folder / entry["fg_mask_path"], np.rint(255 * alpha).astype(np.uint8))
        _write_picture(folder / entry["file_path"], _composed(lens.view(picture.astype(np.float32)), alpha, config.background))
        if root is None:
            write_arrays(folder / entry["head_param_path"], _own_parameters(track, frame, vertices))
        else:
            write_arrays(folder / entry["flame_param_path"], _flame_parameters(track, model, root, frame))
        return places[frame]

    places = {frame: index for index, frame in enumerate(frames)}
    for done, _ in enumerate(mapped(write, capture.frames(frames)), start=1):
        yield Step("export", done, len(frames), frame_idx=frames[done - 1])
    _write_canonical(folder, track, model, root)
    _write_tables(folder, described, lens, config.test_share)


@dataclass(frozen=True)
class _Lens:
    """How pictures of the recording become pictures of the data set."""

    camera: Camera
    warp: Float[ndarray, "2 3"]
    """Takes recorded pixels to written ones, pixel centres at whole numbers."""

    @classmethod
    def of(cls, camera: Camera, scale: float) -> "_Lens":
        height, width = camera.size
        focal, center = camera.focal_px * scale, camera.center_px * scale
        scaled = (height * scale, width * scale)
        size = tuple(2 * ceil(max(float(c), length - float(c)) - 1e-3) for c, length in zip(center.flip(0), scaled, strict=True))
        if all(abs(length - 2 * float(c)) < 1e-3 for c, length in zip(center.flip(0), scaled, strict=True)):
            size = tuple(round(length) for length in scaled)
        middle = torch.tensor([size[1] / 2, size[0] / 2])
        shift = (middle - center).numpy().astype(np.float64)
        warp = np.array([[scale, 0, shift[0] + 0.5 * scale - 0.5], [0, scale, shift[1] + 0.5 * scale - 0.5]])
        return cls(Camera(focal, middle, (size[0], size[1]), camera.camera_from_world), warp)

    def view(self, picture: Float[ndarray, "height width ..."]) -> Float[ndarray, "out_height out_width ..."]:
        height, width = self.camera.size
        if np.allclose(self.warp, np.eye(2, 3)) and picture.shape[:2] == (height, width):
            return picture
        warp = self.warp
        if warp[0, 0] < 1:  # smaller: area means first, so that nothing flickers
            size = (max(1, round(picture.shape[1] * warp[0, 0])), max(1, round(picture.shape[0] * warp[0, 0])))
            ratio = np.array([picture.shape[1] / size[0], picture.shape[0] / size[1]])
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            own = warp[[0, 1], [0, 1]] * ratio
            shift = warp[:, 2] + (own - warp[[0, 1], [0, 1]]) / 2
            warp = np.array([[own[0], 0, shift[0]], [0, own[1], shift[1]]])
        return cv2.warpAffine(picture, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _moved(track: Track, shift: Float[torch.Tensor, "3"]) -> Track:
    """The track with everything, the camera too, at another place."""
    head, camera = track.world_from_head, track.camera.camera_from_world
    moved = Transform(camera.rotation, camera.translation - camera.rotation @ shift)
    return replace(track, world_from_head=Transform(head.rotation, head.translation + shift), camera=replace(track.camera, camera_from_world=moved))


def _neck_rim(model: HeadModel) -> ndarray:
    """The front, left and right vertex of the neck's lower end."""
    rim = np.flatnonzero(model.regions["boundary"].numpy()) if "boundary" in model.regions else np.zeros(0, int)
    if len(rim) < 3:
        raise InputError(f"cutting below the neck needs a model with a neck that ends; {model.name!r} has none. Use --nerf.no-cut-neck.")
    places = model.template.numpy()[rim]
    return rim[[places[:, 2].argmax(), places[:, 0].argmax(), places[:, 0].argmin()]]


def _above(rim: Float[ndarray, "3 2"], height: int, width: int) -> Float[ndarray, "height width"]:
    """1 above the line through the neck's front, as steep as that from side to side; 0 below; soft between."""
    front, left, right = rim
    along = left - right
    along = along / np.linalg.norm(along) if np.linalg.norm(along) > 1e-3 else np.array([1.0, 0.0])
    up = np.array([along[1], -along[0]]) if along[0] > 0 else np.array([-along[1], along[0]])
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32)[:, None] + 0.5
    distance = (x - front[0]) * up[0] + (y - front[1]) * up[1]
    return (1 / (1 + np.exp(np.clip(-1.702 * distance / (_SOFT * width), -50, 50)))).astype(np.float32)


def _composed(
    picture: Float[ndarray, "height width 3"], alpha: Float[ndarray, "height width"], background: str
) -> UInt8[ndarray, "height width channels"]:
    if background == "none":
        return np.rint(np.concatenate([picture, 255 * alpha[..., None]], -1)).astype(np.uint8)
    behind = np.float32(_COLORS[background])
    return np.rint(behind + (picture - behind) * alpha[..., None]).astype(np.uint8)


def _write_picture(path: Path, picture: UInt8[ndarray, "height width ..."]) -> None:
    order = {4: cv2.COLOR_RGBA2BGRA, 3: cv2.COLOR_RGB2BGR}.get(picture.shape[2] if picture.ndim == 3 else 0)
    shown = picture if order is None else cv2.cvtColor(picture, order)
    with replace_file(path) as temporary:
        if not cv2.imwrite(str(temporary), shown, [cv2.IMWRITE_PNG_COMPRESSION, 2]):
            raise HeadcastError(f"could not write {path}. Free some disk space or choose another folder.")


def _described(index: int, frame: int, lens: _Lens, track: Track, flame: bool) -> dict[str, Any]:
    name = f"{index:05d}_00.png"
    world_from_camera = track.camera.camera_from_world.inverse() @ OPENGL_FROM_OPENCV.inverse()
    kind = "flame" if flame else "head"
    return {
        "timestep_index": index,
        "timestep_index_original": frame,
        "timestep_id": f"{frame:06d}",
        "camera_index": 0,
        "camera_id": "0",
        **_intrinsics(lens.camera),
        "transform_matrix": world_from_camera.matrix().tolist(),
        "file_path": f"images/{name}",
        "fg_mask_path": f"fg_masks/{name}",
        f"{kind}_param_path": f"{kind}_param/{index:05d}.npz",
    }


def _intrinsics(camera: Camera) -> dict[str, Any]:
    height, width = camera.size
    fx, fy = camera.focal_px.tolist()
    return {
        "cx": width / 2, "cy": height / 2, "fl_x": fx, "fl_y": fy, "h": height, "w": width,
        "camera_angle_x": 2 * float(np.arctan(width / (2 * fx))), "camera_angle_y": 2 * float(np.arctan(height / (2 * fy))),
    }  # fmt: skip


def _own_parameters(track: Track, frame: int, vertices: Float[torch.Tensor, "vertices 3"]) -> dict[str, ndarray]:
    return {
        "vertices": vertices.numpy(),
        "expression": track.expression[frame].numpy(),
        "joint_rotations": track.joint_rotations[frame].numpy(),
        "world_from_head": track.world_from_head[frame].matrix().numpy(),
    }


def _flame_parameters(track: Track, model: HeadModel, root: FlameRoot, frame: int | None) -> dict[str, ndarray]:
    """FLAME's numbers of a frame; of the canonical head, whose jaw is a little open, for None."""
    still = frame is None
    expression = torch.zeros(1, model.expression_count) if still else track.expression[frame][None]
    rotation, translation = torch.zeros(1, 3), torch.zeros(1, 3)
    if not still:
        rotation, translation = root.parameters(track.world_from_head[[frame]], track.identity, expression)
    joints = torch.zeros(4, 3) if still else track.joint_rotations[frame]
    jaw = torch.tensor([[_OPEN_JAW, 0.0, 0.0]]) if still else joints[1][None]
    return {
        "translation": translation.numpy(), "rotation": rotation.numpy(), "neck_pose": joints[0][None].numpy(), "jaw_pose": jaw.numpy(),
        "eyes_pose": joints[2:4].reshape(1, 6).numpy(), "shape": track.identity.numpy(), "expr": expression.numpy(),
        "static_offset": _static_offset(track, model),
    }  # fmt: skip


def _static_offset(track: Track, model: HeadModel) -> ndarray:
    """The track's offsets, where it has any; teeth, which come after FLAME's own vertices, have none."""
    offset = np.zeros((1, len(model.template) + _TEETH, 3), np.float32)
    if track.offsets is not None:
        offset[0, : len(model.template)] = track.offsets.numpy()
    return offset


def _write_canonical(folder: Path, track: Track, model: HeadModel, root: FlameRoot | None) -> None:
    if root is not None:
        write_arrays(folder / "canonical_flame_param.npz", _flame_parameters(track, model, root, None))
        return
    head = track.head(model)
    write_arrays(
        folder / "canonical_head_param.npz",
        {
            "model": np.array(model.name),
            "vertices": head.vertices.numpy(),
            "faces": model.faces.numpy().astype(np.int32),
            "uv": model.uv.numpy(),
            "uv_faces": model.uv_faces.numpy().astype(np.int32),
            "identity": track.identity.numpy(),
            "expression_names": np.array(track.expression_names),
            "joint_names": np.array(track.joint_names),
        },
    )


def _write_tables(folder: Path, described: Sequence[dict[str, Any]], lens: _Lens, test_share: float) -> None:
    """All frames, and those of each split; a single camera leaves none to validate on."""
    first_test = len(described) - int(test_share * len(described))
    parts = {"": described, "_train": described[:first_test], "_val": [], "_test": described[first_test:]}
    for split, entries in parts.items():
        table = {
            **_intrinsics(lens.camera),
            "timestep_indices": [entry["timestep_index"] for entry in entries],
            "camera_indices": [0] if entries else [],
            "frames": list(entries),
        }
        write_json(folder / f"transforms{split}.json", table)


@dataclass(frozen=True)
class PosedPicture:
    """One picture of a data set."""

    picture: Path
    mask: Path | None
    camera: Camera
    timestep: int
    parameters: Path | None
    """npz of the head in this frame."""


def read_nerf(folder: Path, split: str = "") -> list[PosedPicture]:
    """The pictures of a data set in this layout, whoever wrote it; `split` is train, val or test, all of them if not given.

    Raises `FormatError` with the file and the entry where something is missing or is no camera, `InputError` where a picture is gone.
    """
    path = folder / (f"transforms_{split}.json" if split else "transforms.json")
    table = read_json(path)
    entries: Iterable[dict[str, Any]] = table.get("frames", []) if isinstance(table, dict) else []
    if not isinstance(table, dict) or not isinstance(entries, list):
        raise FormatError(f"expected an object with a list of frames, found none in {path}")
    return [_posed_picture(folder, path, number, {**table, **entry}) for number, entry in enumerate(entries)]


def _posed_picture(folder: Path, path: Path, number: int, entry: dict[str, Any]) -> PosedPicture:
    where = f"frames[{number}] of {path}"
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
    world_from_camera = Transform.from_matrix(torch.from_numpy(matrix).float()) @ OPENGL_FROM_OPENCV
    parameters = entry.get("flame_param_path") or entry.get("head_param_path")
    return PosedPicture(
        picture=picture,
        mask=folder / entry["fg_mask_path"] if entry.get("fg_mask_path") else None,
        camera=Camera(torch.tensor(focal), torch.tensor(center), size, world_from_camera.inverse()),
        timestep=int(entry.get("timestep_index", number)),
        parameters=folder / parameters if parameters else None,
    )


def read_parameters(picture: PosedPicture) -> dict[str, ndarray]:
    """The head's numbers in a frame, by name."""
    if picture.parameters is None:
        raise InputError(f"expected parameters of a head with {picture.picture}, found none in its table")
    return read_arrays(picture.parameters)
