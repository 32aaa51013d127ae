"""Photos, folders of numbered pictures and animated pictures (PNG, WebP), read by Pillow: upright, with their alpha."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from headcast.capture.source import PICTURE_SUFFIXES, SourceFrame, SourceMetadata, focal_from_film
from headcast.errors import FormatError, InputError

_MIRRORED_ORIENTATIONS = (2, 4, 5, 7)
_QUARTER_TURNS = {3: 180, 4: 180, 5: 270, 6: 270, 7: 90, 8: 90}
"""Anticlockwise turn that makes a picture with this EXIF orientation upright."""


class PictureSource:
    """Pictures of one size as a recording; a picture that cannot be read repeats the one before it, with a warning."""

    def __init__(self, path: Path, kind: str, pages: Sequence[tuple[Path, int]], times_s: Sequence[float], fps: float | None):
        self.path = path
        self.files = tuple(dict.fromkeys(file for file, _ in pages))
        self.warnings: list[str] = []
        self.frame_count = len(pages)
        self._pages = pages
        self._times_s = times_s
        first = self._first_readable()
        with Image.open(first) as picture:
            exif = picture.getexif()
            orientation = int(exif.get(ExifTags.Base.Orientation, 1))
            tags = exif.get_ifd(ExifTags.IFD.Exif)
            upright = ImageOps.exif_transpose(picture)
            self.size = (upright.height, upright.width)
        self.metadata = SourceMetadata(
            kind=kind,
            fps=fps,
            focal_px=focal_from_film(tags.get(ExifTags.Base.FocalLengthIn35mmFilm), self.size),
            rotation_deg=_QUARTER_TURNS.get(orientation, 0),
            mirrored=orientation in _MIRRORED_ORIENTATIONS,
            pixel_aspect=1.0,
        )

    @classmethod
    def from_file(cls, path: Path) -> "PictureSource":
        """One photo, or the frames of an animated picture."""
        if not path.is_file():
            raise InputError(f"expected a picture, found nothing at {path}")
        try:
            with Image.open(path) as picture:
                count = getattr(picture, "n_frames", 1)
                times_s, now = [], 0.0
                for page in range(count):
                    picture.seek(page)
                    times_s.append(now)
                    now += picture.info.get("duration", 40) / 1000 or 0.1
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise FormatError(f"expected a picture, found something that cannot be read as one ({error}). Make a fresh copy of {path}") from error
        if count == 1:
            return cls(path, "picture", [(path, 0)], [0.0], None)
        return cls(path, "video", [(path, page) for page in range(count)], times_s, count / now)

    @classmethod
    def from_folder(cls, path: Path, fps: float) -> "PictureSource":
        """The pictures of a folder, or those that match a pattern such as `folder/color_*.png`, in natural order of their names."""
        folder, pattern = (path, "*") if path.is_dir() else (path.parent, path.name)
        if not folder.is_dir():
            raise InputError(f"expected a folder with pictures, found nothing at {folder}")
        files = sorted((p for p in folder.glob(pattern) if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file()), key=natural_key)
        if not files:
            raise InputError(f"expected pictures ({', '.join(PICTURE_SUFFIXES)}), found none that match {pattern!r} in {folder}")
        families = sorted({re.sub(r"\d+", "*", p.name) for p in files})
        if path.is_dir() and len(families) > 1 and any(sum(re.sub(r"\d+", "*", p.name) == name for p in files) > 1 for name in families):
            raise InputError(f"expected pictures of one series, found {families}. Name one of them as a pattern, such as '{folder / families[0]}'")
        return cls(path, "picture folder", [(p, 0) for p in files], [i / fps for i in range(len(files))], fps)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[SourceFrame]:
        """Frames `start` to `stop` (exclusive) in order."""
        return self.select(range(start, self.frame_count if stop is None else min(stop, self.frame_count)))

    def select(self, indices: Sequence[int]) -> Iterator[SourceFrame]:
        """Frames at ascending indices."""
        last: SourceFrame | None = None
        for frame_idx in indices:
            path, page = self._pages[frame_idx]
            try:
                image, alpha = _read(path, page)
            except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
                self._warn(f"picture {path.name} (frame {frame_idx}) could not be read: {error}")
                image, alpha = (last.image, last.alpha) if last else (np.zeros((*self.size, 3), np.uint8), None)
                yield SourceFrame(frame_idx, self._times_s[frame_idx], image, alpha, damaged=True)
                continue
            if image.shape[:2] != self.size:
                height, width = self.size
                raise InputError(
                    f"expected all pictures to be {width}×{height} like the first, found {image.shape[1]}×{image.shape[0]}. "
                    f"Remove it or resize it: {path}"
                )
            last = SourceFrame(frame_idx, self._times_s[frame_idx], image, alpha)
            yield last

    def _first_readable(self) -> Path:
        reason = None
        for path, page in self._pages:
            try:
                _read(path, page)
                return path
            except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
                reason = reason or error
        raise FormatError(f"expected a picture, found {len(self._pages)} file(s) of which none can be read ({reason}), at {self.path}") from reason

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)


def _read(path: Path, page: int) -> tuple[UInt8[ndarray, "height width 3"], UInt8[ndarray, "height width"] | None]:
    """Upright 8-bit sRGB, and opacity where any pixel is not opaque."""
    with Image.open(path) as picture:
        if page:
            picture.seek(page)
        upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith(("I", "F")):
        # Grey of 16 bits, and of floating point from 0 to 1; Pillow would clip both to 8 bits.
        values = np.asarray(upright, np.float64) * (255.0 if upright.mode == "F" else 1 / 257)
        upright = Image.fromarray(np.clip(values, 0, 255).round().astype(np.uint8))
    rgba = np.asarray(upright.convert("RGBA"))
    alpha = rgba[..., 3]
    return np.ascontiguousarray(rgba[..., :3]), None if alpha.min() == 255 else np.ascontiguousarray(alpha)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key in which frame_10 follows frame_9."""
    return natural_order(path.name)


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """The same for a name."""
    return [(1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in re.split(r"(\d+)", name)]
