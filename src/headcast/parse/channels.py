"""Labels, their confidence and normals of every frame as files: written one frame at a time, read back by frame index."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray
from PIL import Image, UnidentifiedImageError

from headcast.capture import Capture
from headcast.errors import FormatError, InputError
from headcast.parse.labels import LABELS, PALETTE
from headcast.store import ParsingPaths, replace_file
from headcast.track.run import Run

_ZERO = 32768
"""What a component of 0 is stored as; 0 itself is never stored where there is a normal."""


@dataclass(frozen=True)
class Parsing:
    """What each pixel of a frame shows."""

    labels: UInt8[ndarray, "height width"]
    """Numbers of `LABELS`; 0, background, also where the frame shows no face."""
    confidence: Float32[ndarray, "height width"]
    """0–1; 0 in frames without a face."""


def read_parsing(of: Run | Capture, frame_idx: int) -> Parsing:
    """Labels of a frame of a run, or of a capture that networks labelled.

    Raises `InputError` where `headcast parse` has not run or the frame does not exist, `FormatError` where a file is broken.
    """
    paths = of.paths.parsing
    labels = _picture(paths, paths.labels(frame_idx), frame_idx)
    confidence = _picture(paths, paths.confidence(frame_idx), frame_idx)
    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.max(initial=0) >= len(LABELS) or confidence.shape != labels.shape:
        raise FormatError(
            f"expected labels 0 to {len(LABELS) - 1} and a confidence of the same size, found {labels.shape} {labels.dtype} up to "
            f"{labels.max(initial=0)} and {confidence.shape}. Make them again: headcast parse {of.paths.root} --overwrite. At {paths.root}"
        )
    return Parsing(labels, confidence.astype(np.float32) / 255)


def read_normals(of: Run | Capture, frame_idx: int) -> Float32[ndarray, "height width 3"]:
    """Unit normals of a frame in camera space (+X right, +Y down, +Z forward); zeros where none are known. Raises as `read_parsing`."""
    paths = of.paths.parsing
    stored = _picture(paths, paths.normals(frame_idx), frame_idx)
    if stored.ndim != 3 or stored.dtype != np.uint16:
        raise FormatError(f"expected a colour picture of 16 bits, found {stored.shape} {stored.dtype}, at {paths.normals(frame_idx)}")
    normals = (stored.astype(np.float32) - _ZERO) / (_ZERO - 1)
    normals[stored[..., 0] == 0] = 0
    return normals


def write_labels(paths: ParsingPaths, frame_idx: int, labels: UInt8[ndarray, "height width"], confidence: Float32[ndarray, "height width"]) -> None:
    """Labels as a picture with a palette, and their confidence as a grey one."""
    picture = Image.fromarray(labels, "P")
    picture.putpalette(PALETTE.tobytes())
    with replace_file(paths.labels(frame_idx)) as temporary:
        picture.save(temporary, compress_level=1)
    _write(paths.confidence(frame_idx), np.round(confidence * 255).astype(np.uint8))


def write_normals(paths: ParsingPaths, frame_idx: int, normals: Float32[ndarray, "height width 3"]) -> None:
    """Normals as a colour picture of 16 bits: red, green and blue are 32768 + 32767 · (x, y, z), black where there is none."""
    stored = np.round(normals * (_ZERO - 1) + _ZERO)
    stored[~has_normal(normals)] = 0
    _write(paths.normals(frame_idx), np.ascontiguousarray(stored[..., ::-1]).astype(np.uint16))


def has_normal(normals: Float32[ndarray, "height width 3"]) -> Bool[ndarray, "height width"]:
    """Where a normal is known."""
    return np.einsum("hwk,hwk->hw", normals, normals) > 0


def _write(path: Path, picture: UInt8[ndarray, "height width"] | ndarray) -> None:
    with replace_file(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


def _picture(paths: ParsingPaths, path: Path, frame_idx: int) -> ndarray:
    """What a picture stores, red first."""
    if not path.is_file():
        if not paths.about.is_file():
            raise InputError(f"expected labels and normals, found none; run: headcast parse {paths.root.parent}")
        raise InputError(f"expected {path.parent.name} of frame {frame_idx}, found none at {path}")
    if path.parent.name == "labels":
        try:
            return np.array(Image.open(path))
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise FormatError(f"expected a picture of labels, found one that cannot be read ({error}), at {path}") from error
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise FormatError(f"expected a picture, found one that cannot be read, at {path}")
    return stored[..., ::-1] if stored.ndim == 3 else stored
