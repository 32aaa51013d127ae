"""Head models as data, and readers for the files that hold them."""

from headcast.heads.model import HeadModel, HeadPose, LandmarkSet, ShapedHead, joint_transforms, skin
from headcast.heads.open_head import open_head

__all__ = ["HeadModel", "HeadPose", "LandmarkSet", "ShapedHead", "joint_transforms", "open_head", "skin"]
