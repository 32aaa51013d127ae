"""A folder of binary PLY files, one per frame, with a colour per vertex where the albedo is known."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from headcast.export.posed import posed_vertices
from headcast.heads import HeadModel
from headcast.solve.step import Step
from headcast.store import replace_file
from headcast.track import Track

_POSITION = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
_COLOR = [("red", "u1"), ("green", "u1"), ("blue", "u1")]
_FACE = [("count", "u1"), ("corners", "<i4", 3)]


def export_ply(track: Track, model: HeadModel, folder: Path, albedo: UInt8[ndarray, "height width 3"] | None) -> Generator[Step, None, None]:
    """Writes `frame_000000.ply` and so on: world space, metres, sRGB colours of the albedo picture at the vertices."""
    colors = None if albedo is None else colors_at_vertices(albedo, model)
    for first, some in posed_vertices(track, model):
        for offset, vertices in enumerate(some):
            frame_idx = first + offset
            with replace_file(folder / f"frame_{frame_idx:06d}.ply") as temporary:
                temporary.write_bytes(
                    ply_bytes(vertices, colors, model.faces.numpy(), f"frame {frame_idx} {float(track.time_s[frame_idx]):.4f} s, metres")
                )
            yield Step("export", frame_idx + 1, track.frame_count, frame_idx=frame_idx)


def write_points(path: Path, points: Float[ndarray, "vertices 3"], colors: UInt8[ndarray, "vertices 3"]) -> None:
    """Writes points without faces."""
    with replace_file(path) as temporary:
        temporary.write_bytes(ply_bytes(points, colors, None, "metres"))


def colors_at_vertices(picture: UInt8[ndarray, "height width 3"], model: HeadModel) -> UInt8[ndarray, "vertices 3"]:
    """The picture's colour at each vertex; of a vertex on a seam, at one of its places."""
    place: Int[ndarray, "vertices"] = np.zeros(len(model.template), np.int64)
    place[model.faces.numpy().ravel()] = model.uv_faces.numpy().ravel()
    uv = model.uv.numpy()[place]
    height, width = picture.shape[:2]
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    return picture[row, column]


def ply_bytes(
    vertices: Float[ndarray, "vertices 3"], colors: UInt8[ndarray, "vertices 3"] | None, faces: Int[ndarray, "faces 3"] | None, comment: str
) -> bytes:
    """A whole binary PLY file."""
    rows = np.empty(0 if faces is None else len(faces), _FACE)
    if faces is not None:
        rows["count"], rows["corners"] = 3, faces
    fields = _POSITION + ([] if colors is None else _COLOR)
    table = np.empty(len(vertices), fields)
    for axis, name in enumerate("xyz"):
        table[name] = vertices[:, axis]
    header = ["ply", "format binary_little_endian 1.0", f"comment {comment}", f"element vertex {len(vertices)}"]
    header += [f"property float {name}" for name in "xyz"]
    if colors is not None:
        for channel, (name, _) in enumerate(_COLOR):
            table[name] = colors[:, channel]
            header.append(f"property uchar {name}")
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    return "\n".join([*header, "end_header"]).encode() + b"\n" + table.tobytes() + rows.tobytes()
