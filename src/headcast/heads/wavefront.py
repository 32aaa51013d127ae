"""Wavefront OBJ text as arrays: just what head models need, vertices, texture positions, polygons and their materials."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from headcast.errors import FormatError, InputError


@dataclass(frozen=True)
class Polygons:
    """The polygons of an OBJ file, three or four corners each; a fourth corner of −1 means a triangle."""

    vertices: Float[np.ndarray, "vertices 3"]
    uv: Float[np.ndarray, "uvs 2"]
    corners: Int[np.ndarray, "polygons 4"]
    uv_corners: Int[np.ndarray, "polygons 4"]
    """−1 everywhere where the file has no texture positions."""
    material: Int[np.ndarray, "polygons"]
    """Index into `material_names`, −1 before the first."""
    material_names: tuple[str, ...]


def read_vertices(path: Path) -> Float[np.ndarray, "vertices 3"]:
    """Only the positions, in the file's own unit."""
    return _numbers(_lines(path), "v ", 3, path)


def read_polygons(path: Path) -> Polygons:
    """Everything the type holds; other statements (groups, normals, smoothing) are passed over."""
    lines = _lines(path)
    corners, uv_corners, material, names = [], [], [], []
    current = -1
    for line in lines:
        if line.startswith("usemtl "):
            name = line[7:].strip()
            if name not in names:
                names.append(name)
            current = names.index(name)
        elif line.startswith("f "):
            parts = [part.split("/") for part in line.split()[1:]]
            if not 3 <= len(parts) <= 4:
                raise FormatError(f"expected polygons of three or four corners, found {len(parts)} in {line.strip()!r}, in {path}")
            corners.append([_index(part[0], path) for part in parts] + [-1] * (4 - len(parts)))
            uv_corners.append([_index(part[1], path) if len(part) > 1 and part[1] else -1 for part in parts] + [-1] * (4 - len(parts)))
            material.append(current)
    vertices = _numbers(lines, "v ", 3, path)
    uv = _numbers(lines, "vt ", 2, path)
    polygons = Polygons(vertices, uv, _table(corners), _table(uv_corners), np.array(material, np.int64), tuple(names))
    for name, table, count in (("vertex", polygons.corners, len(vertices)), ("texture", polygons.uv_corners, len(uv))):
        if table.size and table.max() >= count:
            raise FormatError(f"expected {name} numbers up to {count}, found {table.max() + 1}, in {path}")
    return polygons


def triangulated(corners: Int[np.ndarray, "polygons 4"]) -> tuple[Int[np.ndarray, "faces 3"], Int[np.ndarray, "faces"]]:
    """The polygons cut into triangles, and the polygon that each comes from; the winding stays."""
    four = np.nonzero(corners[:, 3] >= 0)[0]
    triangles = np.concatenate([corners[:, [0, 1, 2]], corners[four][:, [0, 2, 3]]])
    source = np.concatenate([np.arange(len(corners)), four])
    order = np.argsort(source, kind="stable")
    return triangles[order], source[order]


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"expected the file {path}, found none")
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _numbers(lines: list[str], start: str, count: int, path: Path) -> np.ndarray:
    chosen = [line.split()[1 : count + 1] for line in lines if line.startswith(start)]
    try:
        values = np.array(chosen, np.float64).reshape(-1, count)
    except ValueError as error:
        raise FormatError(f"expected lines {start.strip()!r} with {count} numbers ({error}), in {path}") from error
    if not np.isfinite(values).all():
        raise FormatError(f"expected finite numbers in the lines {start.strip()!r}, found {int((~np.isfinite(values)).sum())} others, in {path}")
    return values


def _index(text: str, path: Path) -> int:
    """Zero-based index of a one-based number."""
    if not text.isdecimal() or int(text) < 1:
        raise FormatError(f"expected positive numbers of corners, found {text!r}, in {path}")
    return int(text) - 1


def _table(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 4)
