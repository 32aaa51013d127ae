"""Small recordings written by the tests themselves."""

import os
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from matplotlib.cbook import get_sample_data
from PIL import Image


@cache
def portrait() -> np.ndarray:
    """Grace Hopper (public domain, inside matplotlib) cut to head and shoulders, 200×180."""
    whole = np.asarray(Image.open(get_sample_data("grace_hopper.jpg")).convert("RGB"))
    return cv2.resize(whole[60:460, 90:450], (180, 200), interpolation=cv2.INTER_AREA)


def with_face(size: tuple[int, int], x: int, y: int, mirrored: bool = False, background: int = 90) -> np.ndarray:
    """A grey picture with the portrait's top left corner at (x, y)."""
    picture = np.full((*size, 3), background, np.uint8)
    face = portrait()[:, ::-1] if mirrored else portrait()
    picture[y : y + 200, x : x + 180] = face[: size[0] - y, : size[1] - x]
    return picture


def talking(count: int) -> list[np.ndarray]:
    """A face that drifts to the right, 240×280."""
    return [with_face((240, 280), 20 + k % 60, 20) for k in range(count)]


def numbered(count: int, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Pictures whose grey level says which one it is, 7 per frame, with a white upper left quarter."""
    pictures = []
    for k in range(count):
        picture = np.full((*size, 3), 7 * k, np.uint8)
        picture[: size[0] // 4, : size[1] // 4] = 255
        pictures.append(picture)
    return pictures


def number_of(image: np.ndarray) -> int:
    """Which of `numbered` this is."""
    height, width = image.shape[:2]
    return round(float(image[height // 2 : -4, width // 2 : -4].mean()) / 7)


_FINE = {"libx264": {"crf": "10"}, "mpeg4": {"qmin": "1", "qmax": "3"}, "mpeg1video": {"qmin": "1", "qmax": "3"}, "libvpx-vp9": {"crf": "10"}}


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    codec: str = "libx264",
    pixel_format: str = "yuv444p",
    fps: int = 25,
    times_ms: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encodes pictures (RGB or RGBA); `times_ms` makes the frame rate variable."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=options or _FINE.get(codec, {}))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba" if picture.shape[2] == 4 else "rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[k], Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def with_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Rewrites the first track's display matrix of an mp4 file: stored (x, y) is shown at (ax + cy, bx + dy)."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4
    # Version and flags (4), then times, track id, reserved and duration (20, or 32 in version 1), reserved (8), four 2-byte fields.
    start += 4 + (32 if content[start] else 20) + 8 + 8
    one = 1 << 16
    numbers = (a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    content[start : start + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    path.write_bytes(content)
    return path


def real_recordings() -> Path | None:
    """The folder of real recordings that are not part of the project, where there is one."""
    folder = Path(os.environ.get("HEADCAST_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
    return folder if folder.is_dir() else None
