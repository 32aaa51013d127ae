"""`tracked_flame_params.npz` of Video Head Tracker (Grassal et al. 2022), written and read: FLAME parameters in that program's conventions.

Its camera looks along +Z with +X left and +Y up and never moves; `translation` is where FLAME's root joint is; joint angles are kept as
unbounded numbers, angle = lower + (tanh(raw) + 1) / 2 · (upper − lower); `K` is (focal / longest side, centre x / width,
centre y from the lower edge / height).
"""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from headcast.errors import FormatError, InputError
from headcast.export.flame_numbers import what_offsets_lack
from headcast.export.flame_texture import fit_flame_texture
from headcast.geometry import Camera, Transform, axis_angle_from_matrix, matrix_from_axis_angle
from headcast.geometry.conventions import PYTORCH3D_FROM_OPENCV, from_lower_edge
from headcast.heads import HeadModel
from headcast.heads.flame import FlameRoot, load_flame_root
from headcast.solve.step import Step
from headcast.store import Axis, read_arrays, write_arrays
from headcast.track import Track
from headcast.track.light import sh_basis

_LIMITS_DEG = {
    "neck_pose": ((-90, 90), (-60, 60), (-80, 80)),
    "jaw_pose": ((-5, 60), (-0.1, 0.1), (-0.1, 0.1)),
    "eyes_pose": ((-50, 50), (-50, 50), (-0.1, 0.1), (-50, 50), (-50, 50), (-0.1, 0.1)),
}
"""Lower and upper end of every joint angle, in the order of FLAME's joints after the root."""
_JOINTS = {"neck_pose": slice(0, 1), "jaw_pose": slice(1, 2), "eyes_pose": slice(2, 4)}
_MARGIN = 1e-5
"""How near, as a share of its range, an angle may come to an end: at the end itself the raw number would be infinite."""
_TEXTURE_COUNT = 100
"""Texture coefficients that Video Head Tracker keeps by default."""
FIRST_FRAME = 1
"""That program numbers the frames of a video from one."""
_VIEW = "image_0000.png"
_SCHEMA: dict[str, tuple[Axis, ...]] = {
    "rotation": ("frames", 3),
    "translation": ("frames", 3),
    "neck_pose": ("frames", 3),
    "jaw_pose": ("frames", 3),
    "eyes_pose": ("frames", 6),
    "shape": ("shape",),
    "expr": ("frames", "expr"),
    "texture": ("texture",),
    "light": ("frames", 9, 3),
    "frame": ("frames",),
    "view": ("frames",),
    "n_processed": (),
    "K": (3,),
    "RT": (3, 4),
    "image_size": (2,),
}


def export_vht(
    track: Track, model: HeadModel, flame_file: Path, path: Path, albedo: UInt8[ndarray, "height width 3"] | None
) -> Generator[Step, None, None]:
    """Writes `path` with texture coefficients fitted to the albedo (sRGB, FLAME's layout) where `FLAME_texture.npz` lies beside the model."""
    texture_file = flame_file.parent / "FLAME_texture.npz"
    notes = []
    if albedo is not None and texture_file.is_file():
        texture = fit_flame_texture(albedo, texture_file, _TEXTURE_COUNT)
    else:
        texture = np.zeros(_TEXTURE_COUNT, np.float32)
        notes.append(f"texture coefficients are zero: fitting them needs a solved albedo and FLAME_texture.npz beside {flame_file.name}")
    moved = write_vht(track, model, load_flame_root(flame_file), path, texture)
    notes += [note] if (note := what_offsets_lack(track)) else []
    if moved:
        notes.append(f"{moved} joint angles lay outside of that program's limits and were moved to them")
    yield Step("export", 1, 1, message="; ".join(notes))


def write_vht(track: Track, model: HeadModel, root: FlameRoot, path: Path, texture: Float[ndarray, "coefficients"]) -> int:
    """Writes every key of that program, heads as the first camera sees them. Returns how many joint angles lay outside its limits and were moved."""
    require_flame(model)
    view_from_world = PYTORCH3D_FROM_OPENCV @ track.camera_at(torch.arange(track.frame_count)).camera_from_world
    view_from_head = view_from_world @ track.world_from_head
    joint_in_head = root.joint(track.identity.expand(track.frame_count, -1), track.expression) - root.origin
    joint_in_view = view_from_head.points(joint_in_head[:, None, :])[:, 0]
    raw, moved = {}, 0
    for name, joints in _JOINTS.items():
        raw[name], count = _raw_angles(track.joint_rotations[:, joints].flatten(1).numpy().astype(np.float64), _limits(name))
        moved += count
    height, width = track.camera.size
    center_x, center_y = track.camera.center_px.tolist()
    light = _lights(track, view_from_world)
    count = track.frame_count
    write_arrays(
        path,
        {
            "rotation": axis_angle_from_matrix(view_from_head.rotation).numpy(),
            "translation": joint_in_view.numpy(),
            **{name: value.astype(np.float32) for name, value in raw.items()},
            "shape": track.identity.numpy(),
            "expr": track.expression.numpy(),
            "texture": np.asarray(texture, np.float32),
            "light": light.astype(np.float32),
            "frame": np.arange(FIRST_FRAME, FIRST_FRAME + count),
            "view": np.array([_VIEW] * count),
            "n_processed": np.array(count),
            "K": np.array([_focal(track.camera) / max(height, width), center_x / width, from_lower_edge(center_y, height) / height], np.float32),
            "RT": np.eye(3, 4, dtype=np.float32),
            "image_size": np.array([height, width]),
        },
    )
    return moved


def read_vht(path: Path, model: HeadModel, root: FlameRoot, fps: float = 30.0) -> Track:
    """The track in a file that Video Head Tracker or `write_vht` wrote; frames that were not processed are left out.

    The file knows no time, no errors and no validity: frames are `1 / fps` apart, errors are zero, and every frame is valid.
    """
    require_flame(model)
    arrays = read_arrays(path, _SCHEMA)
    if not np.allclose(arrays["RT"], np.eye(3, 4), atol=1e-6):
        raise FormatError(f"expected a camera at rest (RT the identity, as that program writes it), found {arrays['RT'].tolist()}, in {path}")
    if len(arrays["shape"]) > model.identity_count or arrays["expr"].shape[1] > model.expression_count:
        found = f"{len(arrays['shape'])} and {arrays['expr'].shape[1]}"
        raise FormatError(f"expected at most {model.identity_count} shape and {model.expression_count} expression numbers, found {found}, in {path}")
    count = min(int(arrays["n_processed"]), len(arrays["frame"]))
    camera = _camera(arrays["K"], arrays["image_size"])
    identity = _padded(arrays["shape"], model.identity_count)
    expression = _padded(arrays["expr"][:count], model.expression_count)
    world_from_view = (PYTORCH3D_FROM_OPENCV @ camera.camera_from_world).inverse()
    joint_in_head = root.joint(identity.expand(count, -1), expression) - root.origin
    rotation = matrix_from_axis_angle(_tensor(arrays["rotation"][:count]))
    translation = _tensor(arrays["translation"][:count]) - (rotation @ joint_in_head[..., None])[..., 0]
    angles = [_angles(arrays[name][:count], _limits(name)).reshape(count, -1, 3) for name in _JOINTS]
    frames = arrays["frame"][:count].astype(np.float64)
    return Track(
        model_name=model.name,
        identity=identity,
        expression=expression,
        expression_names=model.expression_names,
        joint_rotations=_tensor(np.concatenate(angles, 1)),
        joint_names=model.joint_names,
        world_from_head=world_from_view @ Transform(rotation, translation),
        cameras=(camera,),
        focal_sigma_px=0.0,
        time_s=_tensor((frames - frames[:1].sum()) / fps),
        valid=torch.ones(count, dtype=torch.bool),
        light=_tensor(_light_in_world(arrays["light"][0], world_from_view.rotation.numpy())),
        landmark_offsets=torch.zeros(478, 3),
        landmark_error_px=torch.zeros(count),
        interocular_px=torch.zeros(count),
        psnr_db=torch.zeros(count),
        silhouette_iou=torch.zeros(count),
    )


def require_flame(model: HeadModel) -> None:
    """Raises `InputError` for any other head model."""
    if model.about.get("family") != "FLAME":
        raise InputError(
            f"this file holds parameters of the FLAME model; expected a track made with one, found one made with {model.name!r}. "
            "Track again with --model flame (headcast doctor says where to get FLAME), or export with --to arrays, obj or ply."
        )


def _focal(camera: Camera) -> float:
    """One focal length, as that program has it."""
    return float(camera.focal_px.mean())


def _camera(normalized: Float[ndarray, "3"], image_size: ndarray) -> Camera:
    height, width = (int(n) for n in image_size)
    focal, center_x, center_y = (float(n) for n in normalized)
    camera = Camera.looking_along_minus_z(focal * max(height, width), (height, width))
    center = torch.tensor([center_x * width, from_lower_edge(center_y * height, height)])
    return Camera(camera.focal_px, center, camera.size, camera.camera_from_world)


def _limits(name: str) -> tuple[Float[ndarray, "angles"], Float[ndarray, "angles"]]:
    lower, upper = np.radians(np.array(_LIMITS_DEG[name], np.float64)).T
    return lower, upper


def _raw_angles(angles: Float[ndarray, "frames angles"], limits: tuple[ndarray, ndarray]) -> tuple[Float[ndarray, "frames angles"], int]:
    lower, upper = limits
    share = (angles - lower) / (upper - lower)
    inside = np.clip(share, _MARGIN, 1 - _MARGIN)
    return np.arctanh(2 * inside - 1), int((np.abs(share - inside) > _MARGIN).sum())


def _angles(raw: Float[ndarray, "frames angles"], limits: tuple[ndarray, ndarray]) -> Float[ndarray, "frames angles"]:
    lower, upper = limits
    return lower + (np.tanh(raw.astype(np.float64)) + 1) / 2 * (upper - lower)


def _view_basis(normals: Float[ndarray, "n 3"]) -> Float[ndarray, "n 9"]:
    """That program's spherical harmonics: 1, x, y, z, xy, xz, yz, x²−y², 3z²−1, each times its cosine-lobe constant."""
    x, y, z = normals.T
    first = 2 * np.pi / 3 * np.sqrt(3 / (4 * np.pi))
    second = np.pi / 4 * np.sqrt(5 / (12 * np.pi))
    terms = [np.full_like(x, 1 / np.sqrt(4 * np.pi)), first * x, first * y, first * z, 3 * second * x * y, 3 * second * x * z]
    terms += [3 * second * y * z, 1.5 * second * (x * x - y * y), np.pi / 4 * 0.5 * np.sqrt(5 / (4 * np.pi)) * (3 * z * z - 1)]
    return np.stack(terms, -1)


def _directions() -> Float[ndarray, "n 3"]:
    """Enough directions to tell nine functions apart."""
    points = np.random.default_rng(0).normal(size=(64, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _lights(track: Track, view_from_world: Transform) -> Float[ndarray, "frames 9 3"]:
    """The light of every frame in that program's view, as the first camera exposes it."""
    rotations = view_from_world.rotation.expand(track.frame_count, 3, 3)
    turned = [_light_in_view(track.light.numpy(), (turn @ track.light_in(idx).T).numpy()) for idx, turn in enumerate(rotations)]
    return np.stack(turned) * (1 if track.gains is None else track.gains[0, :, None].numpy())


def _light_in_view(light: Float[ndarray, "9 3"], view_from_world: Float[ndarray, "3 3"]) -> Float[ndarray, "9 3"]:
    """The same shading of every normal, as coefficients of that program: rotations map second-order harmonics onto themselves."""
    normals = _directions()
    return np.linalg.lstsq(_view_basis(normals @ view_from_world.T), sh_basis(normals) @ light, rcond=None)[0]


def _light_in_world(light: Float[ndarray, "9 3"], world_from_view: Float[ndarray, "3 3"]) -> Float[ndarray, "9 3"]:
    """The inverse of `_light_in_view`."""
    normals = _directions()
    return np.linalg.lstsq(sh_basis(normals @ world_from_view.T), _view_basis(normals) @ light, rcond=None)[0]


def _tensor(value: ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(value, np.float32))


def _padded(value: ndarray, count: int) -> Tensor:
    """Coefficients with zeros for the modes that the file leaves out."""
    missing = count - value.shape[-1]
    return _tensor(np.concatenate([value, np.zeros((*value.shape[:-1], missing))], -1))
