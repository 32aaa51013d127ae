"""A data set for radiance fields and 3D Gaussians: pictures on a plain background, mattes, cameras and the head of every frame.

The layout is the one that GaussianAvatars reads (Qian et al. 2024) and VHAP writes: `transforms_{train,val,test}.json` with OpenGL cameras (+X right,
+Y up, looking along −Z; camera to world), `images/`, `fg_masks/`, and for FLAME heads `flame_param/` with `canonical_flame_param.npz`.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from headcast.capture import Capture
from headcast.errors import InputError
from headcast.export.flame_numbers import FLAME_NUMBERS, flame_numbers
from headcast.export.pictures import Lens, PictureConfig, check_share, write_picture
from headcast.export.posed_pictures import PosedPicture, camera_to_world, intrinsics, read_posed_pictures
from headcast.export.shoot import Shoot, Shot, shoot_all
from headcast.geometry import Camera, Transform
from headcast.geometry.conventions import OPENGL_FROM_OPENCV
from headcast.heads import HeadModel
from headcast.heads.flame import FlameRoot
from headcast.solve.step import Step
from headcast.store import read_arrays, write_arrays, write_json
from headcast.track import Track

_OPEN_JAW = 0.3
"""Opening of the canonical head's jaw, rad: lips that are apart can be told apart."""
_TEETH = 120
"""Vertices that GaussianAvatars adds to FLAME's; their offsets belong into its files."""
_VAL_CAMERA = 8
"""The camera that validates in VHAP's division: the one in front in NeRSemble's rig."""
_LENS = ("cx", "cy", "fl_x", "fl_y", "h", "w", "camera_angle_x", "camera_angle_y")
_SPLITS = ("train", "val", "test")
OWN_FILES = ("images", "fg_masks", "flame_param", "head_param", "canonical_flame_param.npz", "canonical_head_param.npz", "motion.npz",
             "transforms.json", "transforms_backup.json", "transforms_backup_flame.json",
             *(f"transforms_{split}.json" for split in _SPLITS))  # fmt: skip


@dataclass(frozen=True)
class NerfConfig(PictureConfig):
    """What a data set for radiance fields holds."""

    option: ClassVar[str] = "nerf"

    test_share: float = 0.3
    """Share of the frames, at the clip's end, that is for testing."""
    val_cameras: tuple[str, ...] = ()
    """Names of the cameras that validate; if not given, the ninth of a rig that has so many, otherwise the last. One camera alone leaves none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("test_share", self.test_share)

    def validating(self, track: Track, written: Sequence[int]) -> list[int]:
        """Which of the `written` cameras validate; raises `InputError` for names that are none of theirs, or where none is left to train on."""
        names = {track.camera_names[idx]: idx for idx in written}
        if unknown := sorted(set(self.val_cameras) - set(names)):
            raise InputError(f"expected names of cameras as --nerf.val-cameras ({', '.join(names)}), found {', '.join(map(repr, unknown))}")
        if self.val_cameras and set(self.val_cameras) == set(names):
            raise InputError(f"expected a camera to train on beside --nerf.val-cameras, found all of them: {', '.join(names)}")
        if self.val_cameras or len(written) < 2:
            return sorted(names[name] for name in set(self.val_cameras))
        return [_VAL_CAMERA if _VAL_CAMERA in written else written[-1]]


def export_nerf(
    track: Track, model: HeadModel, captures: Sequence[Capture], folder: Path, config: NerfConfig, root: FlameRoot | None = None
) -> Generator[Step, None, None]:
    """The steps that write the data set; what is asked for is checked before the first.

    The head's mean place over the written frames is moved to the origin, and the cameras with it. Readers take the principal point for the middle of
    the picture; where it is not, the pictures are made larger until it is. Pictures in which a camera found no face are left out: they have no matte.

    Args:
        captures: one per camera of the track.
        root: of FLAME models; with it the parameters are FLAME's, otherwise those of `head_param/`.

    Raises:
        InputError: the chosen frames show no face, the neck is to be cut where the model has none, or `val_cameras` are not among the
            cameras or all of them.
    """
    shoots = Shoot.of_all(track, model, config, partial(Lens.centred, scale=config.scale), captures)
    validating = config.validating(track, [shoot.camera_idx for shoot in shoots if shoot.frames])
    frames = shoots[0].timesteps
    track = _moved(track, -track.world_from_head.translation[frames].mean(0))
    return _write(tuple(replace(shoot, track=track) for shoot in shoots), folder, config, validating, root)


def _write(
    shoots: Sequence[Shoot], folder: Path, config: NerfConfig, validating: Sequence[int], root: FlameRoot | None
) -> Generator[Step, None, None]:
    track, model, frames = shoots[0].track, shoots[0].head.model, shoots[0].timesteps
    described = {
        (index, shoot.camera_idx): _described(index, frame, shoot, root is not None) for shoot in shoots for frame, index in shoot.places.items()
    }
    first = {index: camera for index, camera in sorted(described, reverse=True)}

    def write(shot: Shot) -> None:
        entry = described[shot.index, shot.camera_idx]
        write_picture(folder / entry["fg_mask_path"], shot.mask())
        write_picture(folder / entry["file_path"], shot.composed(config.background))
        if first[shot.index] != shot.camera_idx:
            return
        if root is None:
            write_arrays(folder / entry["head_param_path"], _own_parameters(track, shot.frame, shot.vertices))
        else:
            write_arrays(folder / entry["flame_param_path"], _flame_parameters(track, model, root, shot.frame))

    yield from shoot_all(shoots, write)
    _write_canonical(folder, track, model, root)
    if root is not None:
        _write_motion(folder, track, model, root, frames)
    _write_tables(folder, [described[key] for key in sorted(described)], validating, config.test_share, root is not None)


def _moved(track: Track, shift: Float[torch.Tensor, "3"]) -> Track:
    """The track with everything, the cameras too, at another place."""

    def moved(camera: Camera) -> Camera:
        pose = camera.camera_from_world
        return replace(camera, camera_from_world=Transform(pose.rotation, pose.translation - pose.rotation @ shift))

    head = track.world_from_head
    return replace(track, world_from_head=Transform(head.rotation, head.translation + shift), cameras=tuple(map(moved, track.cameras)))


def _described(index: int, frame: int, shoot: Shoot, flame: bool) -> dict[str, Any]:
    name, names, camera = f"{index:05d}_{shoot.camera_idx:02d}.png", shoot.track.camera_names, shoot.camera(frame)
    kind = "flame" if flame else "head"
    return {
        "timestep_index": index,
        "timestep_index_original": frame,
        "timestep_id": f"{frame:06d}",
        "camera_index": shoot.camera_idx,
        "camera_id": names[shoot.camera_idx] if len(names) > 1 else "0",
        **intrinsics(camera),
        "transform_matrix": camera_to_world(camera, OPENGL_FROM_OPENCV),
        "file_path": f"images/{name}",
        "fg_mask_path": f"fg_masks/{name}",
        f"{kind}_param_path": f"{kind}_param/{index:05d}.npz",
    }


def _own_parameters(track: Track, frame: int, vertices: Float[torch.Tensor, "vertices 3"]) -> dict[str, ndarray]:
    return {
        "vertices": vertices.numpy(),
        "expression": track.expression[frame].numpy(),
        "joint_rotations": track.joint_rotations[frame].numpy(),
        "world_from_head": track.world_from_head[frame].matrix().numpy(),
    }


def _flame_parameters(track: Track, model: HeadModel, root: FlameRoot, frame: int) -> dict[str, ndarray]:
    return {**flame_numbers(track, root, frame), "static_offset": _static_offset(track, model), **_dynamic_offset(track, model, [frame])}


def _canonical_parameters(track: Track, model: HeadModel) -> dict[str, ndarray]:
    """FLAME's numbers of the person at rest, the jaw a little open."""
    zeros = {name: np.zeros((1, count), np.float32) for name, count in FLAME_NUMBERS.items()}
    jaw = np.array([[_OPEN_JAW, 0, 0]], np.float32)
    return {**zeros, "jaw_pose": jaw, "shape": track.identity.numpy(), "expr": np.zeros((1, model.expression_count), np.float32),
            "static_offset": _static_offset(track, model)}  # fmt: skip


def _static_offset(track: Track, model: HeadModel) -> ndarray:
    """The track's offsets, where it has any; teeth, which come after FLAME's own vertices, have none."""
    offset = np.zeros((1, len(model.template) + _TEETH, 3), np.float32)
    if track.offsets is not None:
        offset[0, : len(model.template)] = track.offsets.numpy()
    return offset


def _dynamic_offset(track: Track, model: HeadModel, frames: Sequence[int]) -> dict[str, ndarray]:
    """What the skin adds in each of the frames, under VHAP's name; empty where it was not solved."""
    moving = track.pose(torch.tensor(frames)).moving_offsets
    if moving is None:
        return {}
    offset = np.zeros((len(frames), len(model.template) + _TEETH, 3), np.float32)
    offset[:, : len(model.template)] = moving.vertices().numpy()
    return {"dynamic_offset": offset}


def _write_canonical(folder: Path, track: Track, model: HeadModel, root: FlameRoot | None) -> None:
    if root is not None:
        write_arrays(folder / "canonical_flame_param.npz", _canonical_parameters(track, model))
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


def _write_motion(folder: Path, track: Track, model: HeadModel, root: FlameRoot, frames: Sequence[int]) -> None:
    """The clip as GaussianAvatars' viewer takes it as a motion: the numbers of all frames, and dynamic offsets, zero where none were solved."""
    each = [flame_numbers(track, root, frame) for frame in frames]
    motion = {name: np.concatenate([numbers[name] for numbers in each]).astype(np.float32) for name in (*FLAME_NUMBERS, "expr")}
    still = {"dynamic_offset": np.zeros((len(frames), len(model.template) + _TEETH, 3), np.float32)}
    offsets = _dynamic_offset(track, model, list(frames)) or still
    write_arrays(folder / "motion.npz", {**motion, "shape": each[0]["shape"], **offsets}, compress=True)


def _write_tables(folder: Path, described: Sequence[dict[str, Any]], validating: Sequence[int], test_share: float, flame: bool) -> None:
    """All pictures, and those of each split; with FLAME also VHAP's two backups of the whole.

    The last time steps test, with all cameras; of those before, some cameras validate and the others train.
    """
    steps = 1 + max(entry["timestep_index"] for entry in described)
    first_test = steps - int(test_share * steps)
    parts = {"": described, **{f"_{split}": [] for split in _SPLITS}}
    for entry in described:
        early = "val" if entry["camera_index"] in validating else "train"
        parts["_test" if entry["timestep_index"] >= first_test else f"_{early}"].append(entry)
    if flame:
        without = [{name: value for name, value in entry.items() if name != "flame_param_path"} for entry in described]
        parts = {"_backup": without, "_backup_flame": described, **parts}
    for split, entries in parts.items():
        table = {
            **{name: described[0][name] for name in _LENS},
            "timestep_indices": sorted({entry["timestep_index"] for entry in entries}),
            "camera_indices": sorted({entry["camera_index"] for entry in entries}),
            "frames": list(entries),
        }
        write_json(folder / f"transforms{split}.json", table)


def read_nerf(folder: Path, split: str = "") -> list[PosedPicture]:
    """The pictures of a data set in this layout, whoever wrote it; `split` is train, val or test, all of them if not given.

    Raises `FormatError` with the file and the entry where something is missing or is no camera, `InputError` where a picture is gone.
    """
    path = folder / (f"transforms_{split}.json" if split else "transforms.json")
    return read_posed_pictures(path, OPENGL_FROM_OPENCV, "fg_mask_path")


def read_parameters(picture: PosedPicture) -> dict[str, ndarray]:
    """The head's numbers in a frame, by name."""
    if picture.parameters is None:
        raise InputError(f"expected parameters of a head with {picture.picture}, found none in its table")
    return read_arrays(picture.parameters)
