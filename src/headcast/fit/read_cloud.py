"""Clouds of points from PLY, XYZ and npz files, and 3D Gaussians as the training of Kerbl et al. (2023) writes them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from headcast.errors import FormatError
from headcast.fit.read_mesh import require_finite
from headcast.fit.scan import Scan, plane_normals
from headcast.store import ply_vertices

_MOST_POINTS = 200_000
"""Denser clouds are thinned: a head's details are far larger than the distance between so many points."""
_FEWEST_POINTS = 200
_NEIGHBOURS = 16
_STRAY = 5.0
"""A point is a stray where its neighbours are this many times farther away than usual."""
_SH_CONSTANT = 0.28209479177387814
"""Constant spherical harmonic: colour = 0.5 + this · coefficient."""
_FAINT = 0.1
_LARGE_SHARE = 0.05
"""Gaussians longer than this share of the cloud are backgrounds and floaters."""


def read_cloud(path: Path) -> Scan:
    """The points of a file, thinned, without strays.

    Raises:
        FormatError: it is broken, or holds too few points.
    """
    suffix = path.suffix.lower()
    columns = _npz_columns(path) if suffix == ".npz" else _text_columns(path) if suffix in (".xyz", ".txt") else ply_vertices(path)
    missing = [name for name in ("x", "y", "z") if name not in columns]
    if missing:
        raise FormatError(f"expected points with x, y and z, found {sorted(columns)}, in {path}")
    points = np.stack([columns[name] for name in "xyz"], 1).astype(np.float64)
    require_finite(points, path)
    if len(points) < _FEWEST_POINTS:
        raise FormatError(f"expected a cloud of at least {_FEWEST_POINTS} points, found {len(points)}, in {path}")
    if "f_dc_0" in columns and "opacity" in columns:
        return _gaussians(points, columns, path)
    normals = _together(columns, ("nx", "ny", "nz"))
    if normals is not None:
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = normals / np.maximum(length, 1e-12) if float((length > 0.1).mean()) > 0.9 else None
    colors = _together(columns, ("red", "green", "blue"))
    if colors is not None and colors.max() > 1:
        colors = colors / 255
    return _thinned(Scan(path.name, points, None, normals, colors))


def _text_columns(path: Path) -> dict[str, Float[ndarray, "n"]]:
    """Rows of x y z, then maybe r g b, or nx ny nz, or both (normals last)."""
    try:
        table = np.loadtxt(path, ndmin=2, comments=("#", "//"), delimiter="," if "," in path.read_text(errors="replace")[:2000] else None)
    except ValueError as error:
        raise FormatError(f"expected rows of numbers, found something else ({error}), in {path}") from error
    if table.shape[1] not in (3, 6, 9):
        raise FormatError(f"expected rows of 3, 6 or 9 numbers (place, then colour or normal, or both), found {table.shape[1]}, in {path}")
    extra = []
    if table.shape[1] == 6:
        unit = np.abs(np.linalg.norm(table[:, 3:], axis=1) - 1).mean() < 0.05
        extra = ["nx", "ny", "nz"] if unit else ["red", "green", "blue"]
    if table.shape[1] == 9:
        extra = ["red", "green", "blue", "nx", "ny", "nz"]
    return {name: table[:, k] for k, name in enumerate(["x", "y", "z", *extra])}


def _npz_columns(path: Path) -> dict[str, Float[ndarray, "n"]]:
    """`points` (n, 3), and maybe `colors` (0–1 or 0–255) and `normals`."""
    from headcast.store import read_arrays

    arrays = read_arrays(path, {"points": ("n", 3), "colors": ("n", 3), "normals": ("n", 3)}, ("colors", "normals"))
    columns = {}
    for name, parts in (("points", "xyz"), ("colors", ("red", "green", "blue")), ("normals", ("nx", "ny", "nz"))):
        if name in arrays:
            columns |= {part: arrays[name][:, k].astype(np.float64) for k, part in enumerate(parts)}
    return columns


def _together(columns: dict[str, ndarray], names: tuple[str, str, str]) -> Float[ndarray, "n 3"] | None:
    return np.stack([columns[name] for name in names], 1).astype(np.float64) if all(name in columns for name in names) else None


def _gaussians(points: Float[ndarray, "n 3"], columns: dict[str, ndarray], path: Path) -> Scan:
    names = [f"scale_{k}" for k in range(3)] + [f"rot_{k}" for k in range(4)] + [f"f_dc_{k}" for k in range(3)]
    missing = [name for name in names if name not in columns]
    if missing:
        raise FormatError(f"expected 3D Gaussians with {', '.join(missing)}, found none of these, in {path}")
    opacity = 1 / (1 + np.exp(-np.clip(columns["opacity"], -50, 50)))
    sizes = np.exp(np.clip(np.stack([columns[f"scale_{k}"] for k in range(3)], 1), -50, 50))
    wxyz = np.stack([columns[f"rot_{k}"] for k in range(4)], 1)
    extent = np.linalg.norm(np.percentile(points, 98, axis=0) - np.percentile(points, 2, axis=0))
    kept = (opacity > _FAINT) & (sizes.max(1) < _LARGE_SHARE * extent) & (np.linalg.norm(wxyz, axis=1) > 1e-6)
    if kept.sum() < _FEWEST_POINTS:
        raise FormatError(f"expected at least {_FEWEST_POINTS} Gaussians that can be seen, found {int(kept.sum())} of {len(points)}, in {path}")
    turn = Rotation.from_quat(wxyz[kept][:, [1, 2, 3, 0]]).as_matrix()
    covariance = (turn * sizes[kept][:, None] ** 2) @ turn.transpose(0, 2, 1)
    colors = np.clip(0.5 + _SH_CONSTANT * np.stack([columns[f"f_dc_{k}"] for k in range(3)], 1), 0, 1)[kept]
    scan = Scan(path.name, points[kept], colors=colors, covariance=covariance.astype(np.float32), opacity=opacity[kept].astype(np.float32))
    return _thinned(scan, thin=False)


def _thinned(scan: Scan, thin: bool = True) -> Scan:
    """At most `_MOST_POINTS` points, and none far from all others."""
    kept = np.arange(len(scan.vertices))
    if thin and len(kept) > _MOST_POINTS:
        kept = np.sort(np.random.default_rng(0).choice(len(kept), _MOST_POINTS, replace=False))
    near = ~_strays(scan.vertices[kept])
    chosen = scan.chosen(kept[near])
    strays = int((~near).sum())
    notes = [f"{len(kept)} of {len(scan.vertices)} points are used"] if len(kept) < len(scan.vertices) else []
    notes += [f"left out {strays} points far from all others"] if strays else []
    if chosen.colors is None and chosen.normals is None:
        # Without colours only shading shows a face.
        _, neighbours = cKDTree(chosen.vertices).query(chosen.vertices, k=_NEIGHBOURS, workers=-1)
        chosen = replace(chosen, normals=plane_normals(chosen.vertices[neighbours]))
    return replace(chosen, notes=(*scan.notes, *notes))


def _strays(points: Float[ndarray, "n 3"]) -> Bool[ndarray, "n"]:
    distance, _ = cKDTree(points).query(points, k=7, workers=-1)
    return distance[:, -1] > _STRAY * np.median(distance[:, -1])
