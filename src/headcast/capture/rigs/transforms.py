"""`transforms.json` in its dialects, told apart by their keys.

heads   every frame has timestep_index and camera_index: VHAP, GaussianAvatars, `headcast export --to nerf`. OpenGL's axes, metres, mattes.
insta   x_fov, integer_depth_scale, exp_path or seg_mask_path: INSTA. OpenCV's axes, metres, one camera.
nerf    everything else: instant-ngp, nerfstudio, NeRF. OpenGL's axes, unit unknown.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.capture.rigs.groups import PicturesAre, grouped, named
from headcast.capture.rigs.lens import Lens
from headcast.capture.rigs.poses import camera_from_world
from headcast.capture.source import PICTURE_SUFFIXES, open_source
from headcast.capture.written import a_list, an_object, camera_name, numbers, positive, whole
from headcast.errors import FormatError, InputError
from headcast.store import read_json

NAME = "transforms.json"
_SPLITS = ("transforms_train.json", "transforms_val.json", "transforms_test.json")
_INSTA = {"x_fov", "y_fov", "integer_depth_scale", "exp_path", "seg_mask_path"}
_PINHOLES = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "PERSPECTIVE")
_FISHEYES = ("OPENCV_FISHEYE", "FISHEYE")
Frames = Sequence[Mapping[str, Any]]
Dialect = Literal["heads", "insta", "nerf"]


def is_transforms(path: Path) -> bool:
    """Whether it is such a file, or a folder with one."""
    if path.is_dir():
        return any(is_transforms(path / name) for name in (NAME, *_SPLITS))
    found = read_json(path) if path.suffix == ".json" and path.is_file() else None
    frames = found.get("frames") if isinstance(found, dict) else None
    return isinstance(frames, list) and bool(frames) and isinstance(frames[0], dict) and "transform_matrix" in frames[0]


def read_transforms(path: Path, pictures_are: PicturesAre = "auto") -> CameraFiles:
    """Cameras of a transforms.json, or of a folder with one; see `grouped` for which pictures are of one camera where the file does not say.

    Raises:
        InputError: pictures are missing, cameras do not show the same moments, or pictures may be of one camera or of several.
        FormatError: the file is not what its keys promise, or has a lens that is not known.
    """
    file = _file(path)
    top, frames, dialect = _read(file)
    groups = _by_index(frames, file) if dialect == "heads" else _by_picture(top, frames, pictures_are, file)
    return _cameras(file, top, groups, dialect)


def read_posed_pictures(path: Path) -> CameraFiles:
    """The same where nothing moves but the camera: every picture is one of its own, named by its number.

    Raises:
        InputError: pictures are missing.
        FormatError: the file is not what its keys promise, or has a lens that is not known.
    """
    file = _file(path)
    top, frames, dialect = _read(file)
    return _cameras(file, top, {str(number): [frame] for number, frame in enumerate(frames)}, dialect)


def _read(file: Path) -> tuple[Mapping[str, Any], Frames, Dialect]:
    top = an_object(read_json(file), "a transforms.json", file)
    frames = [an_object(frame, f"frame {number}", file) for number, frame in enumerate(a_list(top.get("frames"), "frames", file))]
    return top, frames, _dialect(top, frames)


def _cameras(file: Path, top: Mapping[str, Any], groups: Mapping[str, Frames], dialect: Dialect) -> CameraFiles:
    """The frames of each camera as its recording."""
    depth_unit_m = positive(top.get("depth_unit_scale_factor", 0.001), "depth_unit_scale_factor", file)
    cameras = []
    for name, listed in groups.items():
        where = f"camera {name!r} in {file}"
        pictures = _pictures(listed, file)
        size = _size(top, listed[0], file.parent / pictures[0], where)
        poses = np.stack([_pose(frame, where) for frame in listed])
        cameras.append(
            CameraFile(
                name=camera_name(name, file),
                pictures=pictures,
                camera_from_world=camera_from_world(poses, "opencv" if dialect == "insta" else "opengl", where),
                alpha=_optional(listed, "fg_mask_path", file) if dialect == "heads" else "",
                depth=_optional(listed, "depth_file_path", file) if dialect == "nerf" else "",
                depth_unit_m=depth_unit_m,
                **Lens.of_all([_lens({**top, **frame}, size, where) for frame in listed], where).known(),
            )
        )
    metric = dialect != "nerf" or all(camera.depth for camera in cameras)
    return CameraFiles(file.parent, tuple(cameras), 1.0 if metric else None)


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    if not (path / NAME).is_file():
        splits = [str(path / name) for name in _SPLITS if (path / name).is_file()]
        raise InputError(f"expected {NAME}, found only parts of a data set. Name one of them: {', '.join(splits)}")
    return path / NAME


def _dialect(top: Mapping[str, Any], frames: Frames) -> Dialect:
    if all("timestep_index" in frame and "camera_index" in frame for frame in frames):
        return "heads"
    return "insta" if _INSTA & ({*top} | {*frames[0]}) else "nerf"


def _by_index(frames: Frames, file: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Frames of each camera in order of time, all cameras at the same moments."""
    cameras: dict[int, dict[int, Mapping[str, Any]]] = {}
    for frame in frames:
        camera, moment = whole(frame["camera_index"], "camera_index", str(file)), whole(frame["timestep_index"], "timestep_index", str(file))
        if moment in cameras.setdefault(camera, {}):
            raise FormatError(f"expected one picture of a camera at a moment, found several of camera {camera} at timestep {moment}, in {file}")
        cameras[camera][moment] = frame
    moments = sorted({moment for listed in cameras.values() for moment in listed})
    for camera, listed in cameras.items():
        absent = [moment for moment in moments if moment not in listed]
        if absent:
            raise InputError(
                f"expected the {len(moments)} moments of the data set from all cameras, found no timestep {absent[0]} of camera {camera} "
                f"({len(absent)} missing), in {file}"
            )
    in_order = sorted(cameras)
    names = [str(cameras[camera][moments[0]].get("camera_id", camera)) for camera in in_order]
    return named(names, [[cameras[camera][moment] for moment in moments] for camera in in_order], file)


def _by_picture(top: Mapping[str, Any], frames: Frames, pictures_are: PicturesAre, file: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Frames of each camera by their pictures' folders and lenses."""
    by_name = {str(frame.get("file_path")): frame for frame in frames}
    if len(by_name) < len(frames):
        raise FormatError(f"expected a file_path of its own for every frame, found {len(by_name)} for {len(frames)}, in {file}")
    keys = ("fl_x", "fl_y", "cx", "cy", "camera_angle_x", "k1", "k2", "w", "h")
    lens_of = {name: tuple(str({**top, **frame}.get(key)) for key in keys) for name, frame in by_name.items()}
    return {camera: [by_name[name] for name in listed] for camera, listed in grouped(lens_of, pictures_are, file).items()}


def _pictures(frames: Frames, file: Path) -> tuple[str, ...]:
    """Names relative to the file; NeRF's leave the suffix away."""
    found = []
    for frame in frames:
        name = frame.get("file_path")
        if not isinstance(name, str) or not name:
            raise FormatError(f"expected file_path of every frame, found {name!r}, in {file}")
        whole_name = next((name + suffix for suffix in ("", *PICTURE_SUFFIXES) if (file.parent / (name + suffix)).is_file()), None)
        if whole_name is None:
            raise InputError(f"expected a picture, found nothing at {file.parent / name}, which {file} names")
        found.append(whole_name)
    return tuple(found)


def _optional(frames: Frames, key: str, file: Path) -> tuple[str, ...] | str:
    """Pictures that a data set has of all frames or of none."""
    listed = [frame[key] for frame in frames if frame.get(key)]
    if not listed:
        return ""
    missing = [name for name in listed if not isinstance(name, str) or not (file.parent / name).is_file()]
    if missing or len(listed) != len(frames):
        found = f"nothing at {missing[0]}" if missing else f"it of {len(listed)} of {len(frames)} frames"
        raise InputError(f"expected {key} of all frames or of none, found {found}, in {file}")
    return tuple(listed)


def _pose(frame: Mapping[str, Any], where: str) -> np.ndarray:
    matrix = frame.get("transform_matrix")
    rows = [*matrix, [0, 0, 0, 1]] if isinstance(matrix, list) and len(matrix) == 3 else matrix
    return numbers(rows, (4, 4), "transform_matrix", where)


def _size(top: Mapping[str, Any], frame: Mapping[str, Any], picture: Path, where: str) -> tuple[int, int]:
    """(height, width) that the numbers are for; the picture's own where the file does not say."""
    said = {**top, **frame}
    if "w" in said and "h" in said:
        return whole(said["h"], "h", where, 1), whole(said["w"], "w", where, 1)
    return open_source(picture).size


def _lens(said: Mapping[str, Any], size: tuple[int, int], where: str) -> Lens:
    """The lens of a frame, whose own numbers count before those of the file."""
    model = str(said.get("camera_model", "OPENCV_FISHEYE" if said.get("is_fisheye") else "OPENCV"))
    if model not in (*_PINHOLES, *_FISHEYES):
        raise FormatError(f"expected one of the camera models {', '.join((*_PINHOLES, *_FISHEYES))}, found {model!r}, of {where}")
    value = {key: float(numbers(said.get(key, 0.0), (), key, where)) for key in ("k1", "k2", "k3", "k4", "p1", "p2")}
    center = np.array([float(numbers(said.get(key, length / 2), (), key, where)) for key, length in (("cx", size[1]), ("cy", size[0]))])
    focal = _focal(said, size, where)
    if model in _FISHEYES:
        if value["p1"] or value["p2"]:
            raise FormatError(f"expected no p1, p2 of a fisheye lens, found {value}, of {where}")
        return Lens(focal, center, size, (value["k1"], value["k2"], value["k3"], value["k4"]), "fisheye")
    if value["k4"]:
        raise FormatError(f"expected radial terms up to k3, found k4 = {value['k4']}, of {where}")
    radial = (value["k1"], value["k2"], value["p1"], value["p2"])
    return Lens(focal, center, size, (*radial, value["k3"]) if value["k3"] else radial)


def _focal(said: Mapping[str, Any], size: tuple[int, int], where: str) -> np.ndarray:
    """From focal lengths in pixels, else from the angles of view (radians)."""
    found: dict[str, float] = {}
    for axis, length in (("x", size[1]), ("y", size[0])):
        if f"fl_{axis}" in said:
            found[axis] = positive(said[f"fl_{axis}"], f"fl_{axis}", where)
        elif f"camera_angle_{axis}" in said:
            found[axis] = length / 2 / math.tan(min(positive(said[f"camera_angle_{axis}"], f"camera_angle_{axis}", where), 3.1) / 2)
    if "x" not in found:
        raise FormatError(f"expected fl_x or camera_angle_x, found {sorted(set(said) - {'frames'})}, of {where}")
    return np.array([found["x"], found.get("y", found["x"])])
