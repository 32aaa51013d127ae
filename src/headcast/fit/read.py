"""What a static head may come as, by the name of its file."""

from pathlib import Path

from headcast.errors import InputError
from headcast.fit.config import FitConfig
from headcast.fit.read_mesh import read_mesh
from headcast.fit.scan import Scan

MESHES = (".obj", ".glb", ".gltf", ".stl", ".ply")


def read_scan(path: Path, config: FitConfig) -> Scan:
    """The scan in a file.

    Raises:
        InputError: nothing is there, or its suffix is unknown.
        FormatError: it is broken.
    """
    if not path.exists():
        raise InputError(f"expected a static head, found nothing at {path}")
    suffix = path.suffix.lower()
    if suffix in MESHES:
        return read_mesh(path, config.texture)
    raise InputError(f"expected a mesh ({', '.join(MESHES)}), found a file named {path.suffix or path.name!r}: {path}")
