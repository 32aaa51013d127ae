"""3D Gaussians as PLY, in the columns that the training of Kerbl et al. (2023) writes and nearly every program reads."""

from pathlib import Path

import numpy as np

from headcast.errors import FormatError
from headcast.export.splats.axes import half_turned
from headcast.export.splats.numbers import DEGREES, harmonics_of, log_odds_of, log_scales_of, quaternions_of, splats_of
from headcast.render import Splats
from headcast.store import ply_vertices, replace_file

_FIRST = ("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2")
_LAST = ("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3")


def write_splat_ply(splats: Splats, path: Path) -> None:
    """Writes splats of a world whose +Y is up; in the file +Y is down, as these programs expect. Metres.

    Columns: centre, a normal of zeros, harmonics (of degree 0 by colour, then the others colour by colour), log-odds of the opacity, logarithms of
    the scales, quaternion (w, x, y, z).
    """
    turned = half_turned(splats)
    harmonics = harmonics_of(turned)
    rest = harmonics[:, 1:].transpose(0, 2, 1).reshape(len(harmonics), -1)
    names = [*_FIRST, *(f"f_rest_{k}" for k in range(rest.shape[1])), *_LAST]
    means = turned.means.detach().cpu().numpy()
    columns = [means, np.zeros_like(means), harmonics[:, 0], rest, log_odds_of(turned)[:, None], log_scales_of(turned), quaternions_of(turned)]
    table = np.concatenate(columns, 1).astype("<f4")
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(table)}",
        *(f"property float {name}" for name in names),
        "end_header",
        "",
    ]
    with replace_file(path) as temporary:
        temporary.write_bytes("\n".join(lines).encode() + table.tobytes())


def read_splat_ply(path: Path) -> Splats:
    """Reads such a file into a world whose +Y is up.

    Raises:
        FormatError: columns are missing, their count fits no degree of harmonics, or numbers are not finite.
    """
    columns = ply_vertices(path)
    missing = [name for name in (*_FIRST[:3], *_FIRST[6:], *_LAST) if name not in columns]
    if missing:
        raise FormatError(f"expected 3D Gaussians with {', '.join(missing[:4])}, found {', '.join(list(columns)[:6])} …, in {path}")
    rest = [name for name in columns if name.startswith("f_rest_")]
    count = len(rest) // 3 + 1
    if len(rest) % 3 or count not in DEGREES or set(rest) != {f"f_rest_{k}" for k in range(len(rest))}:
        raise FormatError(f"expected 0, 9, 24 or 45 columns f_rest_0, f_rest_1 …, found {len(rest)}, in {path}")
    table = np.stack([columns[name] for name in (*_FIRST[:3], *_FIRST[6:], *_LAST)], 1)
    more = np.stack([columns[f"f_rest_{k}"] for k in range(len(rest))], 1) if rest else np.zeros((len(table), 0))
    if not np.isfinite(table).all() or not np.isfinite(more).all():
        raise FormatError(f"expected finite numbers, found others in {path}")
    harmonics = np.concatenate([table[:, None, 3:6], more.reshape(len(table), 3, count - 1).transpose(0, 2, 1)], 1)
    opacity = 1 / (1 + np.exp(-np.clip(table[:, 6], -50, 50)))
    return half_turned(splats_of(table[:, :3], table[:, 10:14], np.exp(np.clip(table[:, 7:10], -50, 50)), opacity, harmonics))
