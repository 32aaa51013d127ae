"""3D Gaussians as `.splat`: 32 bytes each, without spherical harmonics; the format of the first viewers for browsers."""

from pathlib import Path

import numpy as np

from headcast.errors import FormatError
from headcast.export.splats.axes import half_turned
from headcast.export.splats.numbers import CONSTANT, harmonics_of, quaternions_of, splats_of
from headcast.render import Splats
from headcast.store import replace_file

_ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("color", "u1", 4), ("turn", "u1", 4)])


def write_plain_splats(splats: Splats, path: Path) -> None:
    """Writes splats of a world whose +Y is up; in the file +Y is down. The largest and most opaque come first, as viewers load them in order.

    Each: centre and scales as float32, red, green, blue and opacity as bytes, quaternion (w, x, y, z) as bytes 128 + 128 times itself.
    """
    turned = half_turned(splats)
    rows = np.empty(len(turned.means), _ROW)
    rows["mean"], rows["scale"] = turned.means.detach().cpu().numpy(), turned.scales.detach().cpu().numpy()
    rows["color"][:, :3] = _bytes(255 * (0.5 + CONSTANT * harmonics_of(turned)[:, 0]))
    rows["color"][:, 3] = _bytes(255 * turned.opacities.detach().cpu().numpy())
    rows["turn"] = _bytes(128 * quaternions_of(turned) + 128)
    weight = rows["scale"].prod(1) * rows["color"][:, 3]
    with replace_file(path) as temporary:
        temporary.write_bytes(rows[np.argsort(-weight, kind="stable")].tobytes())


def read_plain_splats(path: Path) -> Splats:
    """Reads such a file into a world whose +Y is up; raises `FormatError` where it is cut short or not finite."""
    content = path.read_bytes()
    if not content or len(content) % _ROW.itemsize:
        raise FormatError(f"expected splats of {_ROW.itemsize} bytes each, found {len(content)} bytes in {path}")
    rows = np.frombuffer(content, _ROW)
    if not np.isfinite(rows["mean"]).all() or not np.isfinite(rows["scale"]).all() or (rows["scale"] < 0).any():
        raise FormatError(f"expected finite centres and scales that are not negative, found others in {path}")
    harmonics = (rows["color"][:, None, :3].astype(np.float64) / 255 - 0.5) / CONSTANT
    wxyz = (rows["turn"].astype(np.float64) - 128) / 128
    return half_turned(splats_of(rows["mean"], wxyz, rows["scale"], rows["color"][:, 3] / 255.0, harmonics))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
