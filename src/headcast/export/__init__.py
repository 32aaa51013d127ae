"""Tracks in other people's formats, one file per format."""

from headcast.export.arkit import ARKIT_NAMES, ArkitCurves, export_arkit, read_arkit
from headcast.export.arrays import export_arrays
from headcast.export.formats import FormatName, default_place, export_track, flame_file
from headcast.export.gltf import RiggedHead, export_glb, read_glb
from headcast.export.nerf import NerfConfig, PosedPicture, export_nerf, read_nerf, read_parameters
from headcast.export.nha import NhaFrame, export_nha, nha_frames, read_nha
from headcast.export.obj import export_obj
from headcast.export.ply import export_ply
from headcast.export.vht import read_vht, write_vht

__all__ = [
    "ARKIT_NAMES",
    "ArkitCurves",
    "FormatName",
    "NerfConfig",
    "NhaFrame",
    "PosedPicture",
    "RiggedHead",
    "default_place",
    "export_arkit",
    "export_arrays",
    "export_glb",
    "export_nerf",
    "export_nha",
    "export_obj",
    "export_ply",
    "export_track",
    "flame_file",
    "nha_frames",
    "read_arkit",
    "read_glb",
    "read_nerf",
    "read_nha",
    "read_parameters",
    "read_vht",
    "write_vht",
]
