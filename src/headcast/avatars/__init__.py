"""Photoreal people that can be posed: built from a track, shown from any camera."""

from headcast.avatars.avatar import Avatar, Portrait, save_avatar
from headcast.avatars.baseline import BaselineAvatar
from headcast.avatars.frames import AvatarFrame, Footage, parsed_steps
from headcast.avatars.kinds import KINDS, check_same_model, is_avatar, load_avatar
from headcast.avatars.rest import AtRest, neutral_pose
from headcast.avatars.split import Split

__all__ = [
    "KINDS",
    "AtRest",
    "Avatar",
    "AvatarFrame",
    "BaselineAvatar",
    "Footage",
    "Portrait",
    "Split",
    "check_same_model",
    "is_avatar",
    "load_avatar",
    "neutral_pose",
    "parsed_steps",
    "save_avatar",
]
