"""The data set of Neural Head Avatars (Grassal et al. 2022), written and read: one folder per frame with picture, parsing, masks, normals, landmarks.

`frame_0001/` and so on, numbered as in `tracked_flame_params.npz`, hold `image_0000.png`, `parsing_0000.png` (labels of CelebAMask-HQ, sides of the
subject), `seg_0000.png` (101 on the head, 0 elsewhere), `normals_0000.png` (n / 2 + 1/2, +X right, +Y up, +Z towards the viewer, black outside) and
`keypoints_static_0000.json`. `alpha_0000.png`, the soft matte, is ours; that program does not look at it.
"""

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray
from PIL import Image, UnidentifiedImageError

from headcast.errors import FormatError, InputError
from headcast.export.vht import FIRST_FRAME, export_vht
from headcast.parse import LABELS, of_labels, read_normals, read_parsing
from headcast.parse.channels import has_normal
from headcast.perceive.topology import IRIS_CENTERS
from headcast.render import image_positions
from headcast.solve.step import Step
from headcast.store import read_json, replace_file, write_json
from headcast.threads import mapped
from headcast.track.detected import mediapipe_points
from headcast.track.run import Run

_PARAMETERS = "tracked_flame_params.npz"
OWN_FILES = ("frame_[0-9][0-9][0-9][0-9]*", "transforms.json", "split.json", _PARAMETERS)
"""What an export consists of."""
_HEAD = 101
"""Code of the head among that program's segments."""
_BODY = ("background", "cloth")
"""Labels that are no part of the head."""
_OPENGL = np.float32([1, -1, -1])
"""Normals of camera space (+Y down, +Z forward) in that program's."""
_MISSING = -1.0


@dataclass(frozen=True)
class NhaFrame:
    """One frame of such a data set."""

    image: UInt8[ndarray, "height width 3"]
    labels: UInt8[ndarray, "height width"]
    """Numbers of `headcast.parse.LABELS`."""
    head: Bool[ndarray, "height width"]
    alpha: UInt8[ndarray, "height width"] | None
    """Soft matte, where the data set has it."""
    normals: Float32[ndarray, "height width 3"]
    """Camera space: +X right, +Y down, +Z forward; zeros where none are known."""
    landmarks_px: Float32[ndarray, "68 2"]
    irises_px: Float32[ndarray, "2 2"] | None
    """Of the subject's right and left eye; None where they are marked missing."""


def export_nha(run: Run, folder: Path, flame_file: Path | None = None) -> Generator[Step, None, None]:
    """Writes the frames of a run in which the first camera sees the face, one `Step` each, a split (first half for training, second for
    validation), and with the FLAME file that the run was tracked with `tracked_flame_params.npz`.

    Landmarks are those of the tracked head.

    Raises `InputError` at once where `headcast parse` has not labelled the run or no frame shows a face.
    """
    valid = np.flatnonzero(run.track.valid.numpy() & run.capture.found).tolist()
    if not valid:
        raise InputError(f"expected a frame with a tracked head, found none in {run.paths.root}")
    read_parsing(run, valid[0])
    return _written(run, folder, valid, flame_file)


def _written(run: Run, folder: Path, valid: list[int], flame_file: Path | None) -> Generator[Step, None, None]:
    track, capture = run.track, run.capture
    head = track.head(run.model)
    sets = run.model.landmarks["ibug_68"]

    def write(item: tuple[int, UInt8[ndarray, "height width 3"], UInt8[ndarray, "height width"]]) -> int:
        idx, image, matte = item
        place = folder / _frame_name(idx + FIRST_FRAME)
        parsing, normals = read_parsing(run, idx), read_normals(run, idx)
        for name, picture in (
            ("image", image),
            ("parsing", parsing.labels),
            ("seg", (1 - of_labels(parsing.labels, _BODY)) * np.uint8(_HEAD)),
            ("alpha", matte),
            ("normals", _stored(normals)),
        ):
            with replace_file(place / f"{name}_0000.png") as temporary:
                Image.fromarray(picture).save(temporary, compress_level=1)
        vertices = head.posed(track.pose(idx)).vertices
        marks = image_positions(sets.points(vertices, run.model.faces), track.camera_at(idx)).numpy()
        irises = mediapipe_points(capture, track, run.model, idx)[list(IRIS_CENTERS)]
        write_json(place / "keypoints_static_0000.json", _keypoints(marks, irises, track.camera_at(idx).focal_px))
        return idx

    for done, idx in enumerate(mapped(write, capture.frames(valid)), start=1):
        yield Step("export", done, len(valid), frame_idx=idx)
    height, width = capture.size
    write_json(folder / "transforms.json", {"scale": {"w_in": width, "w_out": width, "h_in": height, "h_out": height}})
    numbers = [idx + FIRST_FRAME for idx in valid]
    half = (len(numbers) + 1) // 2
    write_json(folder / "split.json", {"train": numbers[:half], "val": numbers[half:]})
    if flame_file is not None:
        yield from export_vht(track, run.model, flame_file, folder / _PARAMETERS, run.albedo_picture)
    else:
        yield Step("export", 1, 1, message=f"{_PARAMETERS} is left out: that program wants FLAME's parameters, the run has {run.model.name!r}")


def nha_frames(folder: Path) -> list[int]:
    """Numbers of the frames of a data set, ascending; raises `InputError` where there is none."""
    numbers = sorted(int(path.name.removeprefix("frame_")) for path in folder.glob("frame_*") if path.name.removeprefix("frame_").isdecimal())
    if not numbers:
        raise InputError(f"expected a data set of Neural Head Avatars (folders frame_0000 and so on), found none in {folder}")
    return numbers


def read_nha(folder: Path, number: int) -> NhaFrame:
    """A frame of a data set that `export_nha` or that program itself wrote.

    Raises `InputError` where a file is missing and `FormatError` where one is broken or of another size or kind.
    """
    place = folder / _frame_name(number)
    image = _picture(place / "image_0000.png", "RGB")
    labels = _picture(place / "parsing_0000.png", None)
    segments = _picture(place / "seg_0000.png", None)
    normals = _picture(place / "normals_0000.png", "RGB")
    alpha = _picture(place / "alpha_0000.png", "L") if (place / "alpha_0000.png").is_file() else None
    for name, picture in (("parsing", labels), ("seg", segments), ("normals", normals)):
        if picture.shape[:2] != image.shape[:2] or picture.ndim != (3 if name == "normals" else 2):
            raise FormatError(f"expected {name} of the picture's size {image.shape[:2]}, found {picture.shape}, in {place}")
    if labels.max(initial=0) >= len(LABELS):
        raise FormatError(f"expected labels 0 to {len(LABELS) - 1}, found {labels.max()}, in {place}")
    marks, irises = _marks(place / "keypoints_static_0000.json")
    return NhaFrame(image, labels, segments == _HEAD, alpha, _restored(normals), marks, irises)


def _frame_name(number: int) -> str:
    return f"frame_{number:04d}"


def _stored(normals: Float32[ndarray, "height width 3"]) -> UInt8[ndarray, "height width 3"]:
    stored = np.round((normals * _OPENGL * 0.5 + 0.5) * 255)
    stored[~has_normal(normals)] = 0
    return stored.astype(np.uint8)


def _restored(stored: UInt8[ndarray, "height width 3"]) -> Float32[ndarray, "height width 3"]:
    normals = (stored.astype(np.float32) / 255 - 0.5) * 2 * _OPENGL
    length = np.sqrt(np.einsum("hwk,hwk->hw", normals, normals))
    known = (stored > 0).any(-1)
    return normals * np.where(known, 1 / np.maximum(length, 0.1), 0).astype(np.float32)[..., None]


def _keypoints(marks: Float32[ndarray, "68 3"], irises: Float32[ndarray, "2 2"], focal_px: torch.Tensor) -> dict:
    """Pixels, with depth in pixels about the mean; irises of the left eye first, as that program expects them."""
    depth = (marks[:, 2:] - marks[:, 2].mean()) * float(focal_px.mean()) / marks[:, 2].mean()
    low, high = marks[:, :2].min(0), marks[:, :2].max(0)
    return {
        "origin": "headcast",
        "people": [
            {
                "bounding_box": [*low.tolist(), *high.tolist(), 1.0],
                "face_keypoints_2d": np.concatenate([marks[:, :2], depth], 1).reshape(-1).tolist(),
                "iris_keypoints_2d": [value for x, y in irises[::-1].tolist() for value in (x, y, 1.0)],
            }
        ],
    }


def _marks(path: Path) -> tuple[Float32[ndarray, "68 2"], Float32[ndarray, "2 2"] | None]:
    value = read_json(path)
    try:
        person = value["people"][0]
        marks = np.array(person["face_keypoints_2d"], np.float32)[:204].reshape(68, 3)[:, :2]
        irises = np.array(person.get("iris_keypoints_2d", [_MISSING] * 6), np.float32).reshape(2, 3)[::-1, :2]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise FormatError(f"expected people[0] with 68 × 3 face_keypoints_2d, found {json.dumps(value):.200}, in {path}") from error
    return np.ascontiguousarray(marks), None if (irises == _MISSING).all() else np.ascontiguousarray(irises)


def _picture(path: Path, mode: str | None) -> UInt8[ndarray, "height width *channels"]:
    if not path.is_file():
        raise InputError(f"expected the picture {path}, found none")
    try:
        with Image.open(path) as picture:
            return np.array(picture if mode is None else picture.convert(mode))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise FormatError(f"expected a picture, found one that cannot be read ({error}), at {path}") from error
