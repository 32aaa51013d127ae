"""Lenses as other programs write them, in ours: focal lengths and principal points from the pictures' corner, OpenCV's coefficients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from headcast.errors import FormatError

_MOST_BREATHING = 0.02
"""Share by which a focal length may change while recording: autofocus; the middle value is taken."""


@dataclass(frozen=True)
class Lens:
    """What `CameraFile` says of a lens."""

    focal_px: Float64[ndarray, "2"]
    center_px: Float64[ndarray, "2"]
    size: tuple[int, int] | None
    distortion: tuple[float, ...] = ()
    model: str = "opencv"

    @classmethod
    def from_matrix(cls, matrix: Float64[ndarray, "3 3"], size: tuple[int, int] | None, where: str) -> "Lens":
        """From [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], pixel (0, 0) the corner; raises `FormatError` for matrices that are none of a camera."""
        shape = matrix / matrix[2, 2] if matrix[2, 2] else np.zeros((3, 3))
        skewed = np.abs(shape[[0, 1, 2, 2], [1, 0, 0, 1]]).max() > 1e-6 * max(1.0, float(np.abs(shape).max()))
        if skewed or shape[0, 0] <= 0 or shape[1, 1] <= 0:
            raise FormatError(
                f"expected intrinsics [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx, fy above zero, found {matrix.tolist()}, of {where}"
            )
        return cls(np.array([shape[0, 0], shape[1, 1]]), shape[:2, 2].copy(), size)

    @classmethod
    def of_all(cls, lenses: Sequence["Lens"], where: str) -> "Lens":
        """One lens for all frames: the middle of theirs; raises `FormatError` where they are of different cameras, or zoomed."""
        first = lenses[0]
        focal = np.stack([lens.focal_px for lens in lenses])
        middle = np.median(focal, 0)
        zoomed = np.abs(focal / middle - 1).max()
        if zoomed > _MOST_BREATHING:
            raise FormatError(
                f"expected one focal length in all frames, found {focal.min():.1f} to {focal.max():.1f} px, of {where}. Lenses that zoom are not read"
            )
        if any((lens.size, lens.distortion, lens.model) != (first.size, first.distortion, first.model) for lens in lenses):
            raise FormatError(f"expected one picture size and one distortion in all frames, found several, of {where}")
        return cls(middle, np.median([lens.center_px for lens in lenses], 0), first.size, first.distortion, first.model)

    def known(self) -> dict:
        """The fields of a `CameraFile`."""
        return {
            "focal_px": self.focal_px,
            "center_px": self.center_px,
            "size": self.size,
            "distortion": self.distortion if any(self.distortion) else (),
            "lens": self.model,
        }


COLMAP_MODELS: Mapping[str, tuple[int, str]] = {
    "SIMPLE_PINHOLE": (0, "f cx cy"),
    "PINHOLE": (1, "fx fy cx cy"),
    "SIMPLE_RADIAL": (2, "f cx cy k1"),
    "RADIAL": (3, "f cx cy k1 k2"),
    "OPENCV": (4, "fx fy cx cy k1 k2 p1 p2"),
    "OPENCV_FISHEYE": (5, "fx fy cx cy k1 k2 k3 k4"),
    "FULL_OPENCV": (6, "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6"),
    "SIMPLE_RADIAL_FISHEYE": (8, "f cx cy k1"),
    "RADIAL_FISHEYE": (9, "f cx cy k1 k2"),
}
"""COLMAP's models that OpenCV's can say: number in binary files, names of the parameters in order."""


def colmap_lens(model: str, parameters: Sequence[float], size: tuple[int, int], where: str) -> Lens:
    """A lens by COLMAP's model, whose pixel (0, 0) is the corner as ours; raises `FormatError` for models and parameters that are not known."""
    if model not in COLMAP_MODELS:
        raise FormatError(
            f"expected one of the camera models {', '.join(COLMAP_MODELS)}, found {model!r}, of {where}. Solve with one of these (OPENCV is a good "
            f"choice), or undistort the pictures with 'colmap image_undistorter'"
        )
    keys = COLMAP_MODELS[model][1].split()
    if len(parameters) != len(keys) or not np.isfinite(parameters).all():
        raise FormatError(f"expected the {len(keys)} parameters {' '.join(keys)} of {model}, found {list(parameters)}, of {where}")
    value = dict(zip(keys, parameters, strict=True))
    focal = np.array([value.get("fx", value.get("f", 0.0)), value.get("fy", value.get("f", 0.0))])
    if not (focal > 0).all():
        raise FormatError(f"expected a focal length above zero, found {focal.tolist()}, of {where}")
    center = np.array([value["cx"], value["cy"]])
    if model.endswith("FISHEYE"):
        return Lens(focal, center, size, tuple(value.get(f"k{number}", 0.0) for number in range(1, 5)), "fisheye")
    order = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6") if "k6" in value else ("k1", "k2", "p1", "p2")
    return Lens(focal, center, size, tuple(value.get(key, 0.0) for key in order))
