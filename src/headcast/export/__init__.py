"""Tracks in other people's formats, one file per format."""

from headcast.export.arkit import ARKIT_NAMES, ArkitCurves, export_arkit, read_arkit
from headcast.export.arrays import export_arrays
from headcast.export.formats import FORMATS, FormatName, chosen_config, default_place, export_track, flame_file, formats_help, places_help
from headcast.export.gltf import RiggedHead, export_glb, read_glb
from headcast.export.nerf import NerfConfig, export_nerf, read_nerf, read_parameters
from headcast.export.obj import export_obj
from headcast.export.ply import export_ply
from headcast.export.posed_pictures import PosedPicture
from headcast.export.vht import read_vht, write_vht

__all__ = [
    "ARKIT_NAMES",
    "FORMATS",
    "ArkitCurves",
    "FormatName",
    "NerfConfig",
    "PosedPicture",
    "RiggedHead",
    "chosen_config",
    "default_place",
    "export_arkit",
    "export_arrays",
    "export_glb",
    "export_nerf",
    "export_obj",
    "export_ply",
    "export_track",
    "flame_file",
    "formats_help",
    "places_help",
    "read_arkit",
    "read_glb",
    "read_nerf",
    "read_parameters",
    "read_vht",
    "write_vht",
]
