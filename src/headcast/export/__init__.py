"""Tracks in other people's formats, one file per format."""

from headcast.export.arkit import ARKIT_NAMES, ArkitCurves, export_arkit, read_arkit
from headcast.export.arrays import export_arrays
from headcast.export.avatar_formats import AVATAR_FORMATS, AvatarFormatName, export_avatar
from headcast.export.bvh import BvhClip, export_bvh, read_bvh
from headcast.export.colmap import ColmapConfig, export_colmap, read_colmap_pictures
from headcast.export.colmap_model import ColmapModel, read_colmap
from headcast.export.flashavatar import FlashavatarConfig, TrackerFrame, export_flashavatar, read_tracker_frame
from headcast.export.formats import FORMATS, FormatName, chosen_config, default_place, export_track, formats_help, places_help
from headcast.export.gltf import RiggedHead, export_glb, read_glb
from headcast.export.imavatar import ImavatarConfig, ImavatarSet, export_imavatar, read_imavatar
from headcast.export.insta import InstaConfig, export_insta, read_insta
from headcast.export.nerf import NerfConfig, export_nerf, read_nerf, read_parameters
from headcast.export.nerfstudio import NerfstudioConfig, export_nerfstudio, read_nerfstudio
from headcast.export.nha import NhaFrame, export_nha, nha_frames, read_nha
from headcast.export.obj import export_obj
from headcast.export.order import flame_file
from headcast.export.performance import Performance, read_performance, write_performance
from headcast.export.ply import export_ply
from headcast.export.posed_pictures import PosedPicture
from headcast.export.union import Union, combine
from headcast.export.usd import UsdHead, export_usd, read_usd
from headcast.export.vht import read_vht, write_vht

__all__ = [
    "ARKIT_NAMES",
    "AVATAR_FORMATS",
    "FORMATS",
    "ArkitCurves",
    "AvatarFormatName",
    "BvhClip",
    "ColmapConfig",
    "ColmapModel",
    "FlashavatarConfig",
    "FormatName",
    "ImavatarConfig",
    "ImavatarSet",
    "InstaConfig",
    "NerfConfig",
    "NerfstudioConfig",
    "NhaFrame",
    "Performance",
    "PosedPicture",
    "RiggedHead",
    "TrackerFrame",
    "Union",
    "UsdHead",
    "chosen_config",
    "combine",
    "default_place",
    "export_arkit",
    "export_arrays",
    "export_avatar",
    "export_bvh",
    "export_colmap",
    "export_flashavatar",
    "export_glb",
    "export_imavatar",
    "export_insta",
    "export_nerf",
    "export_nerfstudio",
    "export_nha",
    "export_obj",
    "export_ply",
    "export_track",
    "export_usd",
    "flame_file",
    "formats_help",
    "nha_frames",
    "places_help",
    "read_arkit",
    "read_bvh",
    "read_colmap",
    "read_colmap_pictures",
    "read_glb",
    "read_imavatar",
    "read_insta",
    "read_nerf",
    "read_nerfstudio",
    "read_nha",
    "read_parameters",
    "read_performance",
    "read_tracker_frame",
    "read_usd",
    "read_vht",
    "write_performance",
    "write_vht",
]
