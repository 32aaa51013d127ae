"""3D Gaussians as one GLB with `KHR_gaussian_splatting`; programs that do not know the extension show points."""

from pathlib import Path

import numpy as np

from headcast.errors import FormatError
from headcast.export.splats.numbers import CONSTANT, DEGREES, harmonics_of, quaternions_of, splats_of
from headcast.render import Splats
from headcast.store.glb import VERTICES, Glb, GlbWriter

EXTENSION = "KHR_gaussian_splatting"
_SETTINGS = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display", "projection": "perspective", "sortingMethod": "cameraDistance"}


def write_splat_glb(splats: Splats, path: Path) -> None:
    """Writes splats of a world whose +Y is up, metres, which are glTF's axes: rotations (x, y, z, w), scales and opacities as they are."""
    harmonics = harmonics_of(splats)
    file = GlbWriter()
    alpha = splats.opacities.detach().cpu().numpy().astype(np.float32)
    shown = np.clip(np.concatenate([0.5 + CONSTANT * harmonics[:, 0], alpha[:, None]], 1), 0, 1).astype(np.float32)
    shown[:, :3] = np.where(shown[:, :3] <= 0.04045, shown[:, :3] / 12.92, ((shown[:, :3] + 0.055) / 1.055) ** 2.4)  # glTF's colours are linear
    parts = {
        "POSITION": file.array(splats.means.detach().cpu().numpy().astype(np.float32), VERTICES, bounds=True),
        "COLOR_0": file.array(shown, VERTICES),
        f"{EXTENSION}:ROTATION": file.array(quaternions_of(splats)[:, [1, 2, 3, 0]].astype(np.float32), VERTICES),
        f"{EXTENSION}:SCALE": file.array(splats.scales.detach().cpu().numpy().astype(np.float32), VERTICES),
        f"{EXTENSION}:OPACITY": file.array(alpha, VERTICES),
    }
    for degree in range(DEGREES[harmonics.shape[1]] + 1):
        for place in range(2 * degree + 1):
            parts[_name(degree, place)] = file.array(np.ascontiguousarray(harmonics[:, degree**2 + place]), VERTICES)
    file.scene = {
        "asset": {"version": "2.0", "generator": "Headcast"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "head"}],
        "meshes": [{"name": "splats", "primitives": [{"attributes": parts, "mode": 0, "extensions": {EXTENSION: _SETTINGS}}]}],
    }
    file.write(path)


def read_splat_glb(path: Path) -> Splats:
    """Reads the splats of such a file's first mesh.

    Raises:
        FormatError: there are none, or some of what they are made of is missing.
    """
    file = Glb.read(path)
    try:
        primitive = file.scene["meshes"][0]["primitives"][0]
        known = EXTENSION in primitive["extensions"]
        attributes = dict(primitive["attributes"])
    except (KeyError, IndexError, TypeError) as error:
        raise FormatError(f"expected a mesh with {EXTENSION}, found none ({error!r}) in {path}") from error
    needed = ["POSITION", *(f"{EXTENSION}:{name}" for name in ("ROTATION", "SCALE", "OPACITY")), _name(0, 0)]
    missing = [name for name in needed if name not in attributes]
    if not known or missing:
        raise FormatError(f"expected splats with {', '.join(needed)}; {', '.join(missing) or EXTENSION} is missing in {path}")
    means, turns, scales, alpha = (file.array(attributes[name]) for name in needed[:4])
    harmonics = []
    for degree in range(4):
        names = [_name(degree, place) for place in range(2 * degree + 1)]
        if not all(name in attributes for name in names):
            break
        harmonics += [file.array(attributes[name]) for name in names]
    return splats_of(means, turns[:, [3, 0, 1, 2]].astype(np.float64), scales, alpha, np.stack(harmonics, 1))


def _name(degree: int, place: int) -> str:
    return f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{place}"
