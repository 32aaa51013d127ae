"""Meshes from OBJ, PLY, GLB, glTF and STL files, with texture or vertex colours, as one surface."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image

from headcast.errors import FormatError, InputError
from headcast.fit.scan import Scan
from headcast.heads.regions import components

_CRUMB_SHARE = 0.002
"""Pieces with less than this share of the faces are left out where there are many."""
_MANY_PIECES = 50
_LARGEST_SHARE = 0.02
"""A surface whose largest piece has less than this share of the faces is no surface."""
_PLAIN_RGB = (184, 158, 143)


def read_mesh(path: Path, texture: Path | None = None) -> Scan:
    """All meshes of a file in one space, loose crumbs left out.

    Args:
        texture: picture to use where the file names none; the mesh must have texture positions.

    Raises:
        FormatError: the file is broken, empty, or no surface.
        InputError: a picture that it names is missing.
    """
    if path.suffix.lower() == ".obj":
        _require_pictures(path)
    parts = _parts(path)
    if not parts:
        raise FormatError(f"expected a mesh with faces, found no faces and no points in {path}")
    vertices = np.concatenate([np.asarray(part.vertices, np.float64) for part in parts])
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = np.concatenate([np.asarray(part.faces, np.int64) + start for part, start in zip(parts, starts)])
    require_finite(vertices, path)
    picture, uv = _textured(parts, texture, path)
    scan = Scan(path.name, vertices, faces, colors=_colors(parts) if picture is None else None, texture=picture, uv=uv)
    return without_crumbs(scan, path)


def require_finite(vertices: Float[ndarray, "n 3"], path: Path) -> None:
    """Raises `FormatError` where a position is no number."""
    wrong = int((~np.isfinite(vertices).all(1)).sum())
    if wrong:
        raise FormatError(f"expected positions that are numbers, found {wrong} of {len(vertices)} that are not (NaN or infinite), in {path}")
    if len(vertices) and not np.ptp(vertices, axis=0).max() > 0:
        raise FormatError(f"expected a surface or a cloud, found {len(vertices)} points at one place, in {path}")


def without_crumbs(scan: Scan, path: Path) -> Scan:
    """The scan without faces that have no area, and where it is in many pieces without the small ones."""
    assert scan.faces is not None
    corners = scan.vertices[scan.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    kept = area > 1e-14 * np.ptp(scan.vertices, axis=0).max() ** 2
    if not kept.any():
        raise FormatError(f"expected faces with an area, found none among {len(scan.faces)}, in {path}")
    piece = _pieces(scan.vertices, scan.faces)
    counts = np.bincount(piece)
    notes = scan.notes
    if (counts > 0).sum() > _MANY_PIECES:
        if counts.max() < _LARGEST_SHARE * len(scan.faces):
            found = f"{int((counts > 0).sum())} loose pieces, the largest with {int(counts.max())} of {len(scan.faces)} faces"
            raise FormatError(f"expected a connected surface, found {found}. Reconstruct it as a surface, or give its points as a cloud: {path}")
        large = counts >= max(_CRUMB_SHARE * len(scan.faces), 3)
        notes = (*notes, f"left out {int(((counts > 0) & ~large).sum())} small loose pieces")
        kept &= large[piece]
    uv = None if scan.uv is None else scan.uv[kept]
    return replace(scan, faces=scan.faces[kept], uv=uv, notes=notes)


def _pieces(vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]) -> Int[ndarray, "faces"]:
    """Number of the connected piece of each face; vertices at one place count as one."""
    _, same = np.unique(np.round(vertices / np.ptp(vertices, axis=0).max() * 1e6).astype(np.int64), axis=0, return_inverse=True)
    welded = same.reshape(-1)[faces]
    return components(welded, int(same.max()) + 1)[welded[:, 0]]


def _parts(path: Path) -> list[trimesh.Trimesh]:
    try:
        loaded = trimesh.load(path, process=False)
    except Exception as error:
        raise FormatError(
            f"{path} cannot be read as a mesh ({type(error).__name__}: {error}); it was cut short or is another kind of file."
        ) from error
    scene = loaded if isinstance(loaded, trimesh.Scene) else trimesh.Scene(loaded)
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh) and len(geometry.faces):
            parts.append(geometry.copy().apply_transform(transform))
    return parts


def _require_pictures(path: Path) -> None:
    """Raises `InputError` where a material of an OBJ file names a picture that is not there."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("mtllib "):
            continue
        library = path.parent / line.split(maxsplit=1)[1].strip()
        if not library.is_file():
            raise InputError(f"expected the materials that the mesh names, found nothing at {library}. Put the file there or remove the mtllib line.")
        for entry in library.read_text(encoding="utf-8", errors="replace").splitlines():
            words = entry.split()
            if words[:1] == ["map_Kd"] and not (library.parent / words[-1]).is_file():
                raise InputError(f"expected the texture that the materials name, found nothing at {library.parent / words[-1]}")


def _picture_of(part: trimesh.Trimesh) -> UInt8[ndarray, "height width 3"] | None:
    material = getattr(part.visual, "material", None)
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    return None if image is None or getattr(part.visual, "uv", None) is None else np.asarray(image.convert("RGB"))


def read_picture(path: Path) -> UInt8[ndarray, "height width 3"]:
    """Raises `InputError` for what is no picture."""
    if not path.is_file():
        raise InputError(f"expected a picture, found nothing at {path}")
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except OSError as error:
        raise InputError(f"expected a picture, found something else ({error}): {path}") from error


def _textured(
    parts: list[trimesh.Trimesh], texture: Path | None, path: Path
) -> tuple[UInt8[ndarray, "height width 3"] | None, Float[ndarray, "faces 3 2"] | None]:
    """One picture with those of all parts below each other, and the texture position of every corner in it."""
    given = None if texture is None else read_picture(texture)
    pictures: list[ndarray] = []
    places: list[tuple[int, ndarray | None]] = []
    for part in parts:
        uv = getattr(part.visual, "uv", None)
        picture = given if given is not None and uv is not None else _picture_of(part)
        known = next((k for k, other in enumerate(pictures) if picture is not None and np.array_equal(other, picture)), None)
        if picture is not None and known is None:
            pictures.append(picture)
            known = len(pictures) - 1
        places.append((-1, None) if picture is None or known is None else (known, np.asarray(uv, np.float64)[part.faces]))
    if given is not None and not pictures:
        raise InputError(f"a texture was given, but the mesh has no texture positions. Leave it out, or give a mesh with them: {path}")
    if not pictures:
        return None, None
    if len(pictures) == 1 and all(number == 0 for number, _ in places):
        return pictures[0], np.concatenate([uv for _, uv in places if uv is not None])
    pictures.append(np.full((8, 8, 3), _PLAIN_RGB, np.uint8))
    atlas = np.zeros((sum(len(p) for p in pictures), max(p.shape[1] for p in pictures), 3), np.uint8)
    rows = np.cumsum([0, *(len(p) for p in pictures)])
    for picture, row in zip(pictures, rows):
        atlas[row : row + len(picture), : picture.shape[1]] = picture
    uvs = [_in_atlas(uv, pictures[number], rows[number], atlas, len(part.faces)) for (number, uv), part in zip(places, parts)]
    return atlas, np.concatenate(uvs)


def _in_atlas(uv: ndarray | None, picture: ndarray, row: int, atlas: ndarray, faces: int) -> Float[ndarray, "faces 3 2"]:
    inner = np.full((faces, 3, 2), 0.5) if uv is None else np.where((uv < 0) | (uv > 1), uv % 1.0, uv)
    column = np.clip(inner[..., 0] * picture.shape[1], 0.5, picture.shape[1] - 0.5)
    down = np.clip((1 - inner[..., 1]) * len(picture), 0.5, len(picture) - 0.5) + row
    return np.stack([column / atlas.shape[1], 1 - down / len(atlas)], -1)


def _colors(parts: list[trimesh.Trimesh]) -> Float[ndarray, "vertices 3"] | None:
    """Vertex colours, where any part has some; a plain colour for the others."""
    if not any(getattr(part.visual, "kind", None) in ("vertex", "face") for part in parts):
        return None
    rows = []
    for part in parts:
        own = getattr(part.visual, "kind", None) in ("vertex", "face")
        rows.append(np.asarray(part.visual.vertex_colors)[:, :3] / 255 if own else np.broadcast_to(np.array(_PLAIN_RGB) / 255, part.vertices.shape))
    return np.concatenate(rows)
