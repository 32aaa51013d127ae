"""Avatars of Gaussian splats that ride on the triangles of a tracked head."""

from headcast.avatars.gaussian.avatar import GaussianAvatar
from headcast.avatars.gaussian.config import GaussianConfig
from headcast.avatars.gaussian.train import gaussian_steps

__all__ = ["GaussianAvatar", "GaussianConfig", "gaussian_steps"]
