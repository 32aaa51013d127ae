"""What a finished capture can have beside it for other programs and for people: pictures of its frames at several sizes, and a preview."""

from collections.abc import Generator, Sequence

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.capture.capture import Capture
from headcast.capture.preview import Preview, window_of
from headcast.errors import ConfigError
from headcast.solve.step import Step
from headcast.store import replace_file

_SEEN, _HIDDEN = (64, 230, 120), (230, 120, 64)
"""Colours of landmarks that the face shows freely and of those it hides, sRGB."""


def check_downscales(factors: Sequence[int]) -> None:
    """Raises `ConfigError` unless every factor is 1 or more and stands there once."""
    if any(factor < 1 for factor in factors) or len(set(factors)) < len(factors):
        raise ConfigError(f"--downscales expects different whole numbers from 1, found {list(factors)}")


def write_copies(capture: Capture, factors: Sequence[int], preview: bool) -> Generator[Step, None, None]:
    """Writes what is not there yet, one `Step` per frame: `images/` (factor 1), `images_2/` and so on as PNG, and `preview.mp4`."""
    paths = capture.paths
    preview = preview and not paths.preview.is_file()
    missing = [factor for factor in factors if not paths.picture(factor, capture.frame_count - 1).is_file()]
    if not missing and not preview:
        return
    if not preview:
        yield from _pass(capture, missing, None)
        return
    with replace_file(paths.preview) as temporary, Preview(temporary, capture.fps, window_of(capture), 3) as movie:
        yield from _pass(capture, missing, movie)


def _pass(capture: Capture, factors: Sequence[int], movie: Preview | None) -> Generator[Step, None, None]:
    """Once through the recording."""
    for idx, image, matte in capture.frames():
        for factor in factors:
            height, width = (max(round(n / factor), 1) for n in capture.size)
            small = image if factor == 1 else cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            with replace_file(capture.paths.picture(factor, idx)) as temporary:
                temporary.write_bytes(cv2.imencode(".png", small[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])
        if movie is not None:
            dotted = _dotted(image, capture.landmarks_px[idx], capture.visibility[idx]) if capture.found[idx] else image
            movie.add(capture.time_s[idx], [image, dotted, np.repeat(matte[..., None], 3, -1)])
        yield Step("copies", idx + 1, capture.frame_count, frame_idx=idx)


def _dotted(
    image: UInt8[ndarray, "height width 3"], points: Float32[ndarray, "landmarks 2"], visibility: Float32[ndarray, "landmarks"]
) -> UInt8[ndarray, "height width 3"]:
    picture = image.copy()
    radius = max(round(float(np.ptp(points[:, 0])) / 150), 1)
    for (x, y), seen in zip(points.tolist(), (visibility > 0.5).tolist()):
        cv2.circle(picture, (int(x), int(y)), radius, _SEEN if seen else _HIDDEN, -1)
    return picture
