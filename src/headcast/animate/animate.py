"""`headcast animate`: an avatar, a driver and a camera in; a video out."""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headcast.animate.camera_paths import CameraPath, around, turned_about, turns_about
from headcast.animate.drivers import Driver, driver_steps
from headcast.animate.film import Layer, Shot, checkerboard, film_steps
from headcast.animate.resample import frame_times, resampled
from headcast.animate.retarget import Strengths, retarget
from headcast.avatars import load_avatar
from headcast.avatars.avatar import KIND, SCHEMA
from headcast.avatars.rest import AtRest
from headcast.capture.cameras import CameraFiles
from headcast.errors import ConfigError, InputError
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel, HeadPose
from headcast.solve.step import Step
from headcast.store import About, AvatarPaths

_COLORS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0), "green": (0.0, 0.69, 0.25)}
_LAST_S = 600.0
"""Longest animation without `seconds`; longer ones are meant to be asked for."""


@dataclass(frozen=True)
class AnimateConfig:
    """How an avatar is driven and shown."""

    relative: Literal["auto", "on", "off"] = "auto"
    """on: what changes from the driver's rest is put on top of the avatar's rest; off: the driver's numbers as they are; auto: off where the driver
    is the recording that the avatar was built from, on otherwise."""
    strength: Strengths = field(default_factory=Strengths)
    camera: Path | None = None
    """A camera of a camera file, as cameras.json#left (one pose per frame is followed); the camera of the avatar's recording by default."""
    path: CameraPath = field(default_factory=CameraPath)
    size: tuple[int, int] | None = None
    """Height and width of the video; the camera's by default."""
    fps: float | None = None
    """Frames per second; the driver's by default."""
    start_s: float = 0.0
    """Where in the driver's performance to begin."""
    seconds: float | None = None
    """How long; to the driver's end by default. After its end the driver stands still."""
    background: str = "white"
    """white, black, green, checker, a colour as #rrggbb, or a picture's path."""
    layers: tuple[Layer, ...] = ()
    """Also written as PNG beside the video: color (with alpha), alpha, depth (16 bit, tenths of a millimetre)."""
    sound: bool = True
    """Keep the sound of the driver's recording."""

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise ConfigError(f"fps must be above 0 and at most 1000, found {self.fps}")
        if self.size is not None and not all(16 <= side <= 8192 for side in self.size):
            raise ConfigError(f"size must be height and width from 16 to 8192, found {self.size}")
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError(f"seconds must be above 0, found {self.seconds}")
        if self.start_s < 0:
            raise ConfigError(f"start_s must not be negative, found {self.start_s}")


def animate_steps(folder: Path, source: str, out: Path, config: AnimateConfig) -> Generator[Step, None, None]:
    """Drives an avatar and writes the video, one `Step` per unit of work.

    Args:
        folder: Of the finished avatar.
        source: As `driver_steps` takes it.
        out: The video. A recording is tracked into a folder beside it (`.track`), layers go into another (`.layers`).

    Raises:
        InputError, FormatError, ConfigError, MissingAssetError: something of what is given is not there, broken, or does not fit together.
    """
    avatar, paths = load_avatar(folder), AvatarPaths(folder)
    rest = AtRest.load(paths.rest, avatar.model)
    built_from = About.load(paths.about, KIND, SCHEMA).inputs.get("track")
    background_of(config.background, rest.camera.size)  # a mistyped one is found out before a recording is tracked
    driver = yield from driver_steps(source, avatar.model, out.with_suffix(".track"))
    shots = shots_of(avatar.model, rest, driver, "" if built_from is None else built_from.sha256, config)
    background = background_of(config.background, shots[0].camera.size)
    sound = driver.sound if config.sound and config.start_s == 0 else None
    yield from film_steps(avatar.render, shots, out, background, sound, config.layers, out.with_suffix(".layers"))


def shots_of(model: HeadModel, rest: AtRest, driver: Driver, own_track: str, config: AnimateConfig) -> list[Shot]:
    """Pose and camera of every picture.

    Raises:
        ConfigError: the animation would begin behind the driver's end or be very long, or a strength names what the model has not.
        InputError: the camera is not there or not fully known.
    """
    performance = driver.performance
    length = float(performance.time_s[-1])
    if config.start_s > length:
        raise ConfigError(f"start_s must lie within the driver's {length:.2f} s, found {config.start_s}")
    seconds = length - config.start_s if config.seconds is None else config.seconds
    if seconds > _LAST_S and config.seconds is None:
        raise ConfigError(f"the driver's performance is {seconds:.0f} s long; say how much of it with --seconds")
    native = 1 / float(np.median(np.diff(performance.time_s))) if len(performance.time_s) > 1 else 30.0
    whole = config.fps is None and config.start_s == 0 and config.seconds is None
    times = performance.time_s if whole else frame_times(seconds, config.fps or native)
    pose = resampled(performance, times + config.start_s).pose
    own = rest.camera_from_head
    itself = bool(own_track) and driver.identity == own_track
    if config.relative == "on" or (config.relative == "auto" and not itself):
        pose = retarget(pose, driver.rest, own, model, config.strength)
    else:
        pose = retarget(pose, own, own, model, config.strength)
    cameras = _cameras(config, rest.camera, len(times))
    poses = replace(pose, world_from_head=rest.camera.camera_from_world.inverse() @ pose.world_from_head)
    return _moved(model, rest, poses, cameras, times, config.path)


def _moved(model: HeadModel, rest: AtRest, poses: HeadPose, cameras: list[Camera], times: np.ndarray, path: CameraPath) -> list[Shot]:
    """The shots with the camera's path, or the turntable's turn, added."""
    middle = _middle(model, rest)
    angles = path.angles(times)
    if path.motion == "turntable":
        turned = turned_about(poses.world_from_head, middle, turns_about(cameras[0], angles))
        poses = replace(poses, world_from_head=turned)
    shots = []
    for frame, (time, camera) in enumerate(zip(times, cameras, strict=True)):
        seen = camera if path.motion in ("still", "turntable") else around(camera, middle, angles[frame : frame + 1])[0]
        pose = HeadPose(poses.expression[frame], poses.joint_rotations[frame], poses.world_from_head[frame])
        shots.append(Shot(float(time), pose, seen))
    return shots


def _middle(model: HeadModel, rest: AtRest) -> Float[Tensor, "3"]:
    """What a camera goes around: the middle of the mean head at rest, in world space."""
    vertices = model.template[model.regions["face"] | model.regions["scalp"]] if {"face", "scalp"} <= set(model.regions) else model.template
    return rest.pose.world_from_head.points((vertices.amin(0) + vertices.amax(0))[None] / 2)[0]


def _cameras(config: AnimateConfig, own: Camera, count: int) -> list[Camera]:
    if config.camera is None:
        return [_sized(own, config.size)] * count
    file, mark, name = str(config.camera).rpartition("#")
    if not mark:
        raise InputError(f"expected a camera file and a camera in it, as cameras.json#left; found {config.camera}")
    known = CameraFiles.load(Path(file)).camera(name)
    if known.focal_px is None or known.camera_from_world is None or known.size is None:
        raise InputError(f"expected focal_px, size and camera_from_world of camera {name!r}, found one of them missing in {file}")
    height, width = known.size
    center = np.array([width / 2, height / 2]) if known.center_px is None else known.center_px
    poses = torch.from_numpy(known.camera_from_world).float()
    focal, middle = torch.from_numpy(known.focal_px).float(), torch.from_numpy(center).float()
    cameras = [Camera(focal, middle, known.size, Transform.from_matrix(pose)) for pose in poses[:count]]
    return [_sized(camera, config.size) for camera in cameras + [cameras[-1]] * (count - len(cameras))]


def _sized(camera: Camera, size: tuple[int, int] | None) -> Camera:
    """The camera's picture at another size: as large as fits, the middle kept, more of the scene at the longer sides."""
    if size is None or size == camera.size:
        return camera
    height, width = size
    scale = min(height / camera.size[0], width / camera.size[1])
    fitted = camera.resized((round(camera.size[0] * scale), round(camera.size[1] * scale)))
    return fitted.cropped((fitted.size[1] - width) / 2, (fitted.size[0] - height) / 2, size)


def background_of(name: str, size: tuple[int, int]) -> Float[Tensor, "*background 3"]:
    """A colour or picture by its name; raises `InputError` where it is none."""
    if name == "checker":
        return checkerboard(size)
    if name in _COLORS:
        return torch.tensor(_COLORS[name])
    if name.startswith("#") and len(name) == 7 and all(letter in "0123456789abcdefABCDEF" for letter in name[1:]):
        return torch.tensor([int(name[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    if not Path(name).is_file():
        raise InputError(f"expected {', '.join(_COLORS)}, checker, a colour as #rrggbb or a picture as the background; found {name!r}")
    picture = cv2.imread(name, cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"expected a picture as the background, found something else: {name}")
    return torch.from_numpy(cv2.cvtColor(_covering(picture, size), cv2.COLOR_BGR2RGB)).float() / 255


def _covering(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture made to cover a size, what is too much cut off evenly."""
    height, width = size
    scale = max(height / picture.shape[0], width / picture.shape[1])
    large = cv2.resize(
        picture, (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))), interpolation=cv2.INTER_AREA
    )
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return np.ascontiguousarray(large[top : top + height, left : left + width])
