"""Between a world whose +Y is up, as Headcast's and glTF's, and one whose +Y is down, as most files of splats have."""

from dataclasses import replace

import torch

from headcast.render import Splats

_ODD = (False, True, True, False, True, False, False, True, False, True, False, True, True, False, True, False)
"""Which of the sixteen harmonics of a direction change their sign when the direction's y and z do."""


def half_turned(splats: Splats) -> Splats:
    """The splats turned by half a turn about X; twice is once around. Spherical harmonics turn with them."""
    flip = splats.means.new_tensor([1.0, -1.0, -1.0])
    colors = splats.colors
    if colors.ndim == 3:
        signs = torch.where(torch.tensor(_ODD[: colors.shape[1]], device=colors.device), -1.0, 1.0).to(colors.dtype)
        colors = colors * signs[:, None]
    return replace(splats, means=splats.means * flip, rotations=flip[:, None] * splats.rotations, colors=colors)
