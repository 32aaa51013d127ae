"""What a static head may come as, by the name of its file."""

from pathlib import Path

from headcast.errors import InputError
from headcast.fit.config import FitConfig
from headcast.fit.posed import PosedPictures, read_posed
from headcast.fit.read_cloud import read_cloud
from headcast.fit.read_depth import read_depth
from headcast.fit.read_mesh import read_mesh
from headcast.fit.scan import Scan
from headcast.store import ply_header

MESHES = (".obj", ".glb", ".gltf", ".stl")
CLOUDS = (".xyz", ".txt", ".npz")
DEPTHS = (".png", ".npy")


def read_head(path: Path, config: FitConfig) -> Scan | PosedPictures:
    """What is in a file, or in a folder of pictures with cameras.

    Raises:
        InputError: nothing is there, or its suffix is unknown.
        FormatError: it is broken.
    """
    if not path.exists():
        raise InputError(f"expected a static head, found nothing at {path}")
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".json":
        return read_posed(path)
    if suffix == ".ply":
        counts, _ = ply_header(path)
        return read_mesh(path, config.texture) if counts.get("face") else read_cloud(path)
    if suffix in MESHES:
        return read_mesh(path, config.texture)
    if suffix in CLOUDS:
        return read_cloud(path)
    if suffix in DEPTHS:
        return read_depth(path, config)
    known = ", ".join((".ply", *MESHES, *CLOUDS, *DEPTHS))
    raise InputError(f"expected a mesh, cloud or depth map ({known}), or a folder of posed pictures; found {path.suffix or path.name!r}: {path}")
