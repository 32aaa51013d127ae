"""Pictures of a fit for a person to judge: the scan, the head in its place, and how far they are apart."""

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw

from headcast.fit.looks import Looker, camera_towards
from headcast.fit.outside import cropped
from headcast.fit.scan import Scan
from headcast.fit.target import Target
from headcast.geometry import Similarity

_PANEL_PX = 360
_MIDDLE = np.array([0.0, -0.02, -0.05])
_EXTENT_M = 0.34
_YAWS_DEG = (-60.0, 0.0, 60.0)
_UNKNOWN = np.array([0.62, 0.63, 0.65])
_FULL_MM = 2.0
"""Distance that is drawn in the last colour."""


def heat(millimetres: Float[ndarray, "n"], full_mm: float = _FULL_MM) -> Float[ndarray, "n 3"]:
    """Blue for 0, over green and yellow, to red for `full_mm` and more; grey for NaN."""
    stops = np.array([[0.19, 0.27, 0.62], [0.27, 0.65, 0.85], [0.55, 0.85, 0.45], [0.98, 0.80, 0.25], [0.80, 0.15, 0.10]])
    place = np.clip(np.nan_to_num(np.abs(millimetres)) / full_mm, 0, 1) * (len(stops) - 1)
    low = np.minimum(place.astype(int), len(stops) - 2)
    color = stops[low] + (stops[low + 1] - stops[low]) * (place - low)[:, None]
    return np.where(np.isfinite(millimetres)[:, None], color, _UNKNOWN)


def comparison(
    target: Target,
    vertices: Float[ndarray, "vertices 3"],
    scan: Scan,
    head_from_scan: Similarity,
    per_vertex_mm: Float[ndarray, "vertices"],
    texture: UInt8[ndarray, "side side 3"] | None,
) -> UInt8[ndarray, "height width 3"]:
    """Rows: the scan, the head with its texture, the head as clay, and the distance to the scan (0 to 2 mm); columns: from three sides."""
    there = cropped(scan.moved(head_from_scan))
    clay = Scan("head", vertices, target.faces)
    uv = target.model.uv.numpy().astype(np.float64)[target.model.uv_faces.numpy()]
    rows = [("scan", Looker(there))]
    if texture is not None:
        rows.append(("head, scan's colours", Looker(Scan("head", vertices, target.faces, texture=texture, uv=uv))))
    rows.append(("head", Looker(clay)))
    rows.append((f"distance, red {_FULL_MM:g} mm", Looker(Scan("head", vertices, target.faces, colors=heat(per_vertex_mm)))))
    pictures = [np.concatenate([looker(_camera(yaw)).picture for yaw in _YAWS_DEG], 1) for _, looker in rows]
    return np.concatenate([_labelled(picture, label) for (label, _), picture in zip(rows, pictures)])


def srgb_bytes(linear: Float32[ndarray, "side side 3"]) -> UInt8[ndarray, "side side 3"]:
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.clip(linear, 0, None) ** (1 / 2.4) - 0.055)
    return (np.clip(shown, 0, 1) * 255).round().astype(np.uint8)


def _camera(yaw_deg: float):
    yaw = np.radians(yaw_deg)
    return camera_towards(_MIDDLE, np.array([np.sin(yaw), 0.0, np.cos(yaw)]), None, _EXTENT_M, _PANEL_PX, 1.1)


def _labelled(picture: UInt8[ndarray, "height width 3"], label: str) -> UInt8[ndarray, "height width 3"]:
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((8, 6), label, fill=(20, 22, 26))
    return np.asarray(image)
