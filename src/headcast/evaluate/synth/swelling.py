"""A swelling on one cheek that comes and goes: motion of the skin that no expression makes."""

import torch
from jaxtyping import Float

from headcast.evaluate.synth.config import SynthConfig
from headcast.geometry import vertex_normals
from headcast.heads import HeadModel, MovingOffsets

_CHEEK = 205
"""MediaPipe's landmark in the middle of the cheek on the subject's right."""
_WIDTH_M = 0.012
"""Standard deviation of its height over the skin."""
_TIMES = 2
"""How often it comes in a clip."""


def swelling(model: HeadModel, identity: Float[torch.Tensor, "identity"], config: SynthConfig) -> MovingOffsets | None:
    """The swelling of a clip, along the normals at rest; None where there is none."""
    if not config.swelling_m:
        return None
    rest = model.shaped(identity).vertices
    middle = model.landmarks["mediapipe_478"].points(rest, model.faces)[_CHEEK]
    height = torch.exp(-((rest - middle) ** 2).sum(-1) / (2 * _WIDTH_M**2))
    mode = height[:, None] * vertex_normals(rest, model.faces)
    phase = torch.arange(config.frames) * (2 * torch.pi * _TIMES / config.frames)
    return MovingOffsets(mode[None], config.swelling_m * torch.sin(phase).clamp_min(0)[:, None])
