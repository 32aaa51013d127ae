"""Pictures with a face, from the public-domain portrait inside matplotlib."""

import math
import os
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from matplotlib.cbook import get_sample_data
from PIL import Image


@cache
def portrait() -> np.ndarray:
    """Grace Hopper in uniform, 600×512."""
    return np.asarray(Image.open(get_sample_data("grace_hopper.jpg")).convert("RGB"))


def head() -> np.ndarray:
    """The portrait cut to head and shoulders, 400×360."""
    return np.ascontiguousarray(portrait()[60:460, 90:450])


def placed(canvas_size: tuple[int, int], *placements: tuple[np.ndarray, float, tuple[float, float]], background: int = 90) -> np.ndarray:
    """A grey canvas with pictures on it: each with its scale and the place (x, y) of its top left corner."""
    canvas = np.full((*canvas_size, 3), background, np.uint8)
    for picture, scale, corner in placements:
        affine = np.array([[1, 0, corner[0]], [0, 1, corner[1]]], float)
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        cv2.warpAffine(small, affine, canvas_size[::-1], canvas, borderMode=cv2.BORDER_TRANSPARENT)
    return canvas


def turned(picture: np.ndarray, angle_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture turned anticlockwise on a larger canvas, and the affine map (2×3) of its pixels to there."""
    height, width = picture.shape[:2]
    side = math.ceil(math.hypot(height, width))
    pixel_index = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_deg, 1.0)
    pixel_index[:, 2] += ((side - width) / 2, (side - height) / 2)
    corner = pixel_index.copy()
    corner[:, 2] += 0.5 - pixel_index[:, :2] @ (0.5, 0.5)
    return cv2.warpAffine(picture, pixel_index, (side, side), flags=cv2.INTER_CUBIC), corner


def real_recordings() -> Path | None:
    """The folder of real recordings that are not part of the project, where there is one."""
    folder = Path(os.environ.get("HEADCAST_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
    return folder if folder.is_dir() else None
