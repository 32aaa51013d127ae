"""A folder of Wavefront OBJ files, one per frame, with texture coordinates and the albedo as their material."""

import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from headcast.export.posed import posed_vertices
from headcast.heads import HeadModel
from headcast.solve.step import Step
from headcast.store import replace_file, write_text
from headcast.track import Track

_MATERIAL = "newmtl head\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 1\n"


def export_obj(track: Track, model: HeadModel, folder: Path, albedo_picture: Path | None) -> Generator[Step, None, None]:
    """Writes `frame_000000.obj` and so on: world space, metres, faces counter-clockwise from outside."""
    if albedo_picture is not None:
        with replace_file(folder / "albedo.png") as temporary:
            shutil.copyfile(albedo_picture, temporary)
    write_text(folder / "head.mtl", material(albedo_picture is not None))
    tail = texture_and_faces(model.uv.numpy(), model.faces.numpy(), model.uv_faces.numpy())
    for first, some in posed_vertices(track, model):
        for offset, vertices in enumerate(some):
            frame_idx = first + offset
            write_text(folder / f"frame_{frame_idx:06d}.obj", _head(frame_idx, track, vertices) + tail)
            yield Step("export", frame_idx + 1, track.frame_count, frame_idx=frame_idx)


def material(textured: bool) -> str:
    """The text of head.mtl."""
    return _MATERIAL + ("map_Kd albedo.png\n" if textured else "")


def _head(frame_idx: int, track: Track, vertices: Float[ndarray, "vertices 3"]) -> str:
    seen = "" if bool(track.valid[frame_idx]) else " (no face seen: filled from its neighbours)"
    return positions(f"frame {frame_idx}, {float(track.time_s[frame_idx]):.4f} s{seen}; metres", vertices)


def positions(comment: str, vertices: Float[ndarray, "vertices 3"]) -> str:
    """The part of a file that says where the vertices are."""
    rows = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices.tolist()]
    return f"# {comment}\nmtllib head.mtl\n" + "\n".join(rows) + "\n"


def texture_and_faces(uv: Float[ndarray, "uvs 2"], faces: Int[ndarray, "faces 3"], uv_faces: Int[ndarray, "faces 3"]) -> str:
    """What is the same in every frame."""
    rows = [f"vt {u:.6f} {v:.6f}" for u, v in uv.tolist()]
    rows.append("usemtl head")
    pairs = np.stack([faces + 1, uv_faces + 1], -1).reshape(-1, 6)
    rows += [f"f {a}/{at} {b}/{bt} {c}/{ct}" for a, at, b, bt, c, ct in pairs.tolist()]
    return "\n".join(rows) + "\n"
