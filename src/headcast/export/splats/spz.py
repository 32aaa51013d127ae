"""3D Gaussians as SPZ (Niantic), a tenth of a PLY file's size: fixed-point centres, bytes for the rest, gzip around all.

Version 3 is written, whose turns are good to 0.2°; version 2, for older programs, is off by degrees where a splat is turned by nearly half a turn.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8, UInt32
from numpy import ndarray

from headcast.errors import ConfigError, FormatError
from headcast.export.splats.numbers import DEGREES, harmonics_of, log_scales_of, quaternions_of, splats_of
from headcast.render import Splats
from headcast.store import replace_file

_MAGIC = 0x5053474E
_HEADER = "<IIIBBBB"
_FRACTION_BITS = 16
"""Steps of 0.015 mm, up to 128 m from the origin."""
_COLOR_SCALE = 0.15
"""Bytes of colour hold a half plus this times the harmonic of degree 0."""
_COARSE = (1, 8, 16, 16)
"""Harmonics of each degree are rounded to so many steps, so that they compress."""
_SMALLEST = 0x1FF
_MOST = 10_000_000


def write_spz(splats: Splats, path: Path, version: Literal[2, 3] = 3) -> None:
    """Writes splats of a world whose +Y is up and whose +Z comes towards the viewer, which are the file's axes too. Metres.

    Raises:
        ConfigError: a splat lies farther than 128 m from the origin.
    """
    harmonics = harmonics_of(splats)
    fixed = np.round(splats.means.detach().double().cpu().numpy() * (1 << _FRACTION_BITS)).astype(np.int64)
    farthest = np.abs(fixed).max(initial=0)
    if farthest >= 1 << 23:
        raise ConfigError(f"an .spz file holds splats up to 128 m from the origin, found one at {farthest / (1 << _FRACTION_BITS):.0f} m: {path}")
    places = (fixed[..., None] >> np.array([0, 8, 16]) & 255).astype(np.uint8)
    alphas = _bytes(255 * splats.opacities.detach().double().cpu().numpy())
    colors = _bytes(255 * (0.5 + _COLOR_SCALE * harmonics[:, 0]))
    scales = _bytes(16 * (log_scales_of(splats) + 10))
    wxyz = quaternions_of(splats)
    turns = _bytes(127.5 + 127.5 * wxyz[:, 1:]) if version == 2 else _packed(wxyz)
    header = struct.pack(_HEADER, _MAGIC, version, len(fixed), DEGREES[harmonics.shape[1]], _FRACTION_BITS, 0, 0)
    content = header + b"".join(part.tobytes() for part in (places, alphas, colors, scales, turns, _coarse(harmonics)))
    with replace_file(path) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0))


def read_spz(path: Path) -> Splats:
    """Reads versions 2 and 3.

    Raises:
        FormatError: it is something else, of another version, or cut short.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"expected an .spz file, which is compressed with gzip, found something else: {path} ({error})") from error
    size = struct.calcsize(_HEADER)
    if len(content) < size or struct.unpack_from("<I", content)[0] != _MAGIC:
        raise FormatError(f"expected an .spz file, found another kind of compressed file: {path}")
    _, version, count, degree, bits, _, _ = struct.unpack_from(_HEADER, content)
    if version not in (2, 3) or degree not in DEGREES.values() or count > _MOST or bits > 23:
        raise FormatError(
            f"expected .spz of version 2 or 3 with harmonics up to degree 3, found version {version}, degree {degree}, {count} splats, in {path}"
        )
    widths = (9, 1, 3, 3, 4 if version == 3 else 3, 3 * ((degree + 1) ** 2 - 1))
    if len(content) < size + count * sum(widths):
        raise FormatError(f"expected {count} splats in {size + count * sum(widths)} bytes, found {len(content)}; the file was cut short: {path}")
    starts = size + count * np.concatenate([[0], np.cumsum(widths)[:-1]])
    raw = np.frombuffer(content, np.uint8)
    places, alphas, colors, scales, turns, more = (raw[s : s + count * w].reshape(count, w) for s, w in zip(starts, widths, strict=True))
    parts = places.reshape(count, 3, 3).astype(np.int64)
    fixed = parts[..., 0] | parts[..., 1] << 8 | parts[..., 2] << 16
    fixed = np.where(fixed >= 1 << 23, fixed - (1 << 24), fixed)
    constant = (colors.astype(np.float64) / 255 - 0.5) / _COLOR_SCALE
    harmonics = np.concatenate([constant[:, None], (more.reshape(count, -1, 3).astype(np.float64) - 128) / 128], 1)
    wxyz = _smallest_three(turns) if version == 3 else _first_three(turns)
    return splats_of(fixed / (1 << bits), wxyz, np.exp(scales / 16.0 - 10), alphas[:, 0] / 255.0, harmonics)


def _coarse(harmonics: Float[ndarray, "splats harmonics 3"]) -> UInt8[ndarray, "splats harmonics_above_0 3"]:
    """Harmonics above degree 0 as bytes 128 + 128 times themselves, in steps."""
    steps = np.concatenate([np.full(2 * degree + 1, _COARSE[degree]) for degree in range(4)])[1 : harmonics.shape[1]]
    whole = np.round(128 * harmonics[:, 1:]) + 128
    return _bytes(np.floor((whole + steps[:, None] // 2) / steps[:, None]) * steps[:, None])


def _first_three(turns: UInt8[ndarray, "splats 3"]) -> Float[ndarray, "splats 4"]:
    xyz = turns / 127.5 - 1
    w = np.sqrt(np.maximum(0, 1 - (xyz**2).sum(1, keepdims=True)))
    return np.concatenate([w, xyz], 1)


def _packed(wxyz: Float[ndarray, "splats 4"]) -> UInt32[ndarray, "splats"]:
    """The inverse of `_smallest_three`."""
    xyzw = wxyz[:, [1, 2, 3, 0]]
    largest = np.abs(xyzw).argmax(1)
    flipped = xyzw[np.arange(len(xyzw)), largest] < 0
    packed = largest.astype(np.int64)
    for axis in range(4):
        size = np.minimum(np.round(_SMALLEST * math.sqrt(2) * np.abs(xyzw[:, axis])), _SMALLEST).astype(np.int64)
        negative = ((xyzw[:, axis] < 0) != flipped).astype(np.int64)
        packed = np.where(largest == axis, packed, packed << 10 | negative << 9 | size)
    return packed.astype("<u4")


def _smallest_three(turns: UInt8[ndarray, "splats 4"]) -> Float[ndarray, "splats 4"]:
    """Two bits say which of x, y, z, w is largest and left out; sign and nine bits hold each of the others, the last in the lowest bits."""
    packed = turns.astype(np.int64) @ (1 << np.array([0, 8, 16, 24]))
    largest = packed >> 30
    xyzw = np.zeros((len(turns), 4))
    for axis in (3, 2, 1, 0):
        stored = largest != axis
        size = (packed & _SMALLEST) / _SMALLEST * math.sqrt(0.5)
        xyzw[:, axis] = np.where(stored, np.where(packed >> 9 & 1, -size, size), 0)
        packed = np.where(stored, packed >> 10, packed)
    xyzw[np.arange(len(turns)), largest] = np.sqrt(np.maximum(0, 1 - (xyzw**2).sum(1)))
    return xyzw[:, [3, 0, 1, 2]]


def _bytes(values: ndarray) -> UInt8[ndarray, "..."]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
