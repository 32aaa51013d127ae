"""Head models as data, and readers for the files that hold them."""

from headcast.heads.flame import FlameRoot, load_flame_root
from headcast.heads.library import available_heads, files_of_head, find_head, load_head, model_folders
from headcast.heads.model import HeadModel, HeadPose, LandmarkSet, MovingOffsets, ShapedHead, joint_transforms, skin
from headcast.heads.open_head import default_albedo, open_head

__all__ = [
    "FlameRoot",
    "HeadModel",
    "HeadPose",
    "LandmarkSet",
    "MovingOffsets",
    "ShapedHead",
    "available_heads",
    "default_albedo",
    "files_of_head",
    "find_head",
    "joint_transforms",
    "load_flame_root",
    "load_head",
    "model_folders",
    "open_head",
    "skin",
]
