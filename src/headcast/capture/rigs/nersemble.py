"""NeRSemble's layouts, version 1 and 2: sixteen calibrated cameras, pictures or videos per camera, colour corrections, mattes.

    v1: ROOT/SUBJECT/SEQUENCE, with ROOT/camera_params/SUBJECT/camera_params.json and ROOT/color_correction/SUBJECT/CAMERA.npy
    v2: ROOT/SUBJECT/sequences/SEQUENCE, with ROOT/SUBJECT/calibration/camera_params.json and color_calibration.json

In a sequence, `images` or `images_4` (made four times smaller) hold cam_CAMERA_FRAME.jpg or cam_CAMERA.mp4, `alpha_maps` mattes of the same names.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from headcast.capture.camera_entry import checked_color
from headcast.capture.camera_source import recorded_frames
from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.capture.color import Color
from headcast.capture.pictures import natural_order
from headcast.capture.rigs.lens import Lens
from headcast.capture.source import PICTURE_SUFFIXES, open_source
from headcast.capture.written import an_object, camera_name, numbers, rigid, whole
from headcast.errors import FormatError, InputError
from headcast.store import read_json

_PICTURES = re.compile(r"images(?:_(\d+))?")
_PICTURE = re.compile(r"cam_(?P<camera>[^_.]+)_(?P<frame>[^.]+)")
_VIDEO = re.compile(r"cam_(?P<camera>[^_.]+)")
_VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm")
_FPS = 25.0
"""What the usual preparation samples sequences at; recorded were 73. Pictures have no clock."""
_ON_AXIS = 0.2
"""How far from the middle a principal point may lie, as a share of the picture, before the numbers are of pictures of another size."""


@dataclass(frozen=True)
class _Place:
    """Where the parts of a sequence lie."""

    pictures: Path
    smaller: int
    calibration: Path
    version: int

    @property
    def sequence(self) -> Path:
        return self.pictures.parent

    @classmethod
    def of(cls, path: Path) -> "_Place | None":
        """From a sequence's folder or its folder of pictures; None where there is no calibration in one of the two places."""
        given = path.resolve()
        sequence = given.parent if _PICTURES.fullmatch(given.name) else given
        subject = sequence.parent
        v1 = subject.parent / "camera_params" / subject.name / "camera_params.json"
        v2 = subject.parent / "calibration" / "camera_params.json"
        calibration, version = (v2, 2) if v2.is_file() else (v1, 1)
        if not calibration.is_file() or not sequence.is_dir():
            return None
        pictures = _only_pictures(sequence) if given == sequence else given
        match = _PICTURES.fullmatch(pictures.name)
        return cls(pictures, int(match[1] or 1) if match else 1, calibration, version)


def is_nersemble(path: Path) -> bool:
    return path.is_dir() and _Place.of(path) is not None


def read_nersemble(path: Path) -> CameraFiles:
    """The cameras of a sequence, in the order of its calibration; those that recorded nothing are left out. Positions are in metres.

    Raises:
        InputError: a picture, a matte or a camera is missing.
        FormatError: the calibration is not what it should be, or is of pictures of another size.
    """
    place = _Place.of(path)
    assert place is not None
    found = an_object(read_json(place.calibration), "the calibration", place.calibration)
    missing = [key for key in ("world_2_cam", "intrinsics") if key not in found]
    if missing:
        raise FormatError(f"expected world_2_cam and intrinsics, found {sorted(found)}, in {place.calibration}")
    matrix = numbers(found["intrinsics"], (3, 3), "intrinsics", str(place.calibration))
    poses = an_object(found["world_2_cam"], "world_2_cam", place.calibration)
    recorded = _recorded(place)
    unknown = sorted(set(recorded) - set(poses))
    if unknown:
        raise InputError(f"expected poses of all cameras that have pictures, found none of {unknown}, in {place.calibration}")
    lens = Lens.from_matrix(matrix, _size_of_numbers(found, matrix, place, next(iter(recorded.values()))), str(place.calibration))
    colors = _colors(place, list(recorded))
    cameras = []
    for name, pose in poses.items():
        if name not in recorded:
            continue
        where = f"camera {camera_name(name, place.calibration)!r} in {place.calibration}"
        motion = rigid(numbers(pose, (4, 4), "world_2_cam", where), where)
        alpha = _mattes(place, recorded[name])
        cameras.append(CameraFile(name=name, pictures=recorded[name], camera_from_world=motion, color=colors.get(name), alpha=alpha, **lens.known()))
    files = CameraFiles(place.sequence, tuple(cameras), 1.0, _FPS)
    _refuse_different_lengths(files)
    return files


def _only_pictures(sequence: Path) -> Path:
    """The folder `images`, or the only one of smaller pictures."""
    folders = sorted(child for child in sequence.iterdir() if child.is_dir() and _PICTURES.fullmatch(child.name))
    if sequence / "images" in folders:
        return sequence / "images"
    if len(folders) != 1:
        raise InputError(f"expected a folder 'images', found {[folder.name for folder in folders]}. Name the one to use, in {sequence}")
    return folders[0]


def _recorded(place: _Place) -> dict[str, str | tuple[str, ...]]:
    """A video or the pictures of each camera, relative to the sequence."""
    frames: dict[str, dict[str, Path]] = {}
    videos: dict[str, str | tuple[str, ...]] = {}
    for file in place.pictures.iterdir():
        picture, video = _PICTURE.fullmatch(file.stem), _VIDEO.fullmatch(file.stem)
        if picture and file.suffix.lower() in PICTURE_SUFFIXES:
            frames.setdefault(picture["camera"], {})[picture["frame"]] = file
        elif video and file.suffix.lower() in _VIDEO_SUFFIXES:
            videos[video["camera"]] = f"{place.pictures.name}/{file.name}"
    if bool(frames) == bool(videos):
        raise InputError(
            f"expected pictures cam_CAMERA_FRAME.jpg or videos cam_CAMERA.mp4, found {'both' if frames else 'none'}, in {place.pictures}"
        )
    if videos:
        return videos
    everything = sorted({frame for listed in frames.values() for frame in listed}, key=natural_order)
    for camera, listed in frames.items():
        absent = [frame for frame in everything if frame not in listed]
        if absent:
            raise InputError(
                f"expected the {len(everything)} frames of the sequence from all cameras, found none of frame {absent[0]!r} of camera {camera!r} "
                f"({len(absent)} missing), in {place.pictures}"
            )
    return {camera: tuple(f"{place.pictures.name}/{listed[frame].name}" for frame in everything) for camera, listed in frames.items()}


def _mattes(place: _Place, pictures: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Mattes of the same names, where there are any."""
    folder = place.sequence / "alpha_maps"
    wanted = (pictures,) if isinstance(pictures, str) else pictures
    known = {file.stem: f"{folder.name}/{file.name}" for file in folder.iterdir()} if folder.is_dir() else {}
    found = [known[Path(name).stem] for name in wanted if Path(name).stem in known]
    if not known:
        return ""
    if len(found) != len(wanted):
        absent = next(Path(name).stem for name in wanted if Path(name).stem not in known)
        raise InputError(f"expected a matte of every picture or of none, found none of {absent!r} ({len(wanted) - len(found)} missing), in {folder}")
    return found[0] if isinstance(pictures, str) else tuple(found)


def _size_of_numbers(found: dict, matrix: Float64[ndarray, "3 3"], place: _Place, pictures: str | tuple[str, ...]) -> tuple[int, int]:
    """(height, width) of the pictures that the intrinsics are for: as the calibration says, else of the pictures before they were made smaller."""
    if "height" in found and "width" in found:
        where = str(place.calibration)
        return whole(found["height"], "height", where, 1), whole(found["width"], "width", where, 1)
    first = pictures if isinstance(pictures, str) else pictures[0]
    height, width = (place.smaller * length for length in open_source(place.sequence / first).size)
    off_axis = np.abs(matrix[:2, 2] / matrix[2, 2] / [width, height] - 0.5).max() if matrix[2, 2] else 0.0
    if off_axis > _ON_AXIS:
        raise FormatError(
            f'expected intrinsics of pictures of {width}×{height}, found a principal point at {matrix[:2, 2].round(1).tolist()}. Write "height" and '
            f'"width" of the pictures that were calibrated into the file (NeRSemble\'s own are 3208 high, 2200 wide): {place.calibration}'
        )
    return height, width


def _colors(place: _Place, cameras: list[str]) -> dict[str, Color]:
    """Colour corrections of all cameras; none where the data set comes without."""
    if place.version == 2:
        file = place.calibration.with_name("color_calibration.json")
        if not file.is_file():
            return {}
        found = an_object(read_json(file), "colour corrections by camera", file)
        _refuse_missing(cameras, list(found), file)
        return {name: _polynomial(found[name], f"camera {name!r} in {file}") for name in cameras}
    folder = place.calibration.parents[2] / "color_correction" / place.calibration.parent.name
    if not folder.is_dir():
        return {}
    _refuse_missing(cameras, [file.stem for file in folder.glob("*.npy")], folder)
    return {name: _affine(folder / f"{name}.npy") for name in cameras}


def _refuse_missing(cameras: list[str], found: list[str], where: Path) -> None:
    missing = sorted(set(cameras) - set(found))
    if missing:
        raise InputError(f"expected colour corrections of all cameras, found none of {missing}, in {where}")


def _polynomial(value: object, where: str) -> Color:
    """Version 2: polynomials of linear light."""
    return checked_color(numbers(value, (3, None), "a colour correction", where), True, where)


def _affine(file: Path) -> Color:
    """Version 1: corrected = rgb · A[:, :3] + A[:, 3], in sRGB."""
    try:
        stored = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(f"expected a colour correction, found something that cannot be read as an array ({error}): {file}") from error
    if stored.shape not in ((3, 4), (4, 4)):
        raise FormatError(f"expected a colour correction of 3×4 numbers, found shape {stored.shape}, in {file}")
    affine = numbers(stored[:3].tolist(), (3, 4), "a colour correction", str(file))
    return Color(np.concatenate([affine[:, :3].T, affine[:, 3:]], 1))


def _refuse_different_lengths(files: CameraFiles) -> None:
    if isinstance(files.cameras[0].pictures, str):
        counts = {camera.name: recorded_frames(camera, files) for camera in files.cameras}
        if len(set(counts.values())) > 1:
            raise InputError(f"expected videos of as many frames from all cameras, found {counts}, in {files.folder}")
