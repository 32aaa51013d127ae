"""Head models as data, and readers for the files that hold them."""

from headcast.heads.model import HeadModel, HeadPose, LandmarkSet, ShapedHead, joint_transforms, skin

__all__ = ["HeadModel", "HeadPose", "LandmarkSet", "ShapedHead", "joint_transforms", "skin"]
