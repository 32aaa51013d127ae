"""3D Gaussians in the files that other programs read, one file per format; each with a reader."""

from headcast.export.splats.axes import half_turned
from headcast.export.splats.gltf import read_splat_glb, write_splat_glb
from headcast.export.splats.plain import read_plain_splats, write_plain_splats
from headcast.export.splats.ply import read_splat_ply, write_splat_ply
from headcast.export.splats.spz import read_spz, write_spz

__all__ = [
    "half_turned",
    "read_plain_splats",
    "read_splat_glb",
    "read_splat_ply",
    "read_spz",
    "write_plain_splats",
    "write_splat_glb",
    "write_splat_ply",
    "write_spz",
]
