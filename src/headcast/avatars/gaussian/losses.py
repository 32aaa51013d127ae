"""What a picture of an avatar lacks beside the recorded one, and what keeps splats where pictures say nothing."""

import torch
from jaxtyping import Float
from torch import Tensor

from headcast.avatars.gaussian.bound import MOTIONS_FROM, POSITION, SCALE
from headcast.avatars.gaussian.config import GaussianConfig

_WINDOW_PX, _SIGMA_PX = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_LONGEST = 2.0794415
"""ln 8."""


def structural_similarity(a: Float[Tensor, "height width 3"], b: Float[Tensor, "height width 3"]) -> Float[Tensor, ""]:
    """Mean structural similarity of two pictures (Wang et al. 2004): Gaussian window of 11 pixels, σ 1.5, where it lies inside of the picture."""
    x, y = a.permute(2, 0, 1), b.permute(2, 0, 1)
    blurred = _blurred(torch.cat([x, y, x * x, y * y, x * y]))
    mean_x, mean_y, xx, yy, xy = blurred.split(3)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * (xy - mean_x * mean_y) + _C2) / (xx - mean_x**2 + yy - mean_y**2 + _C2)
    return (luminance * structure).mean()


def _blurred(channels: Float[Tensor, "channels height width"]) -> Float[Tensor, "channels inner_height inner_width"]:
    place = torch.arange(_WINDOW_PX, dtype=channels.dtype) - _WINDOW_PX // 2
    window = torch.exp(-0.5 * (place / _SIGMA_PX) ** 2)
    window = window / window.sum()
    across = torch.nn.functional.conv2d(channels[:, None], window.reshape(1, 1, 1, -1))
    return torch.nn.functional.conv2d(across, window.reshape(1, 1, -1, 1))[:, 0]


def picture_loss(
    shown: Float[Tensor, "height width 3"],
    alpha: Float[Tensor, "height width"],
    recorded: Float[Tensor, "height width 3"],
    matte: Float[Tensor, "height width"],
    config: GaussianConfig,
) -> Float[Tensor, ""]:
    """Of two pictures before the same background."""
    loss = (1 - config.dissimilarity) * (shown - recorded).abs().mean() + config.opacity * (alpha - matte).abs().mean()
    if config.dissimilarity > 0 and min(shown.shape[:2]) >= _WINDOW_PX:
        loss = loss + config.dissimilarity * (1 - structural_similarity(shown, recorded))
    return loss


def shape_loss(
    values: Float[Tensor, "splats columns"],
    anchor: Float[Tensor, "splats 3"],
    largest: Float[Tensor, "splats"],
    config: GaussianConfig,
) -> Float[Tensor, ""]:
    """Of the splats that took part in a picture: far from where they began, large, long and thin, or moved by expressions."""
    away = ((values[:, POSITION] - anchor).norm(dim=-1) - 1).clamp_min(0)
    logs = values[:, SCALE]
    wide = (logs.exp() - largest[:, None]).clamp_min(0)
    long = (logs.amax(-1) - logs.amin(-1) - _LONGEST).clamp_min(0)
    loss = config.stay * away.square().mean() + config.small * wide.square().sum(-1).mean() + config.round * long.square().mean()
    if values.shape[1] > MOTIONS_FROM:
        loss = loss + config.calm * values[:, MOTIONS_FROM:].square().sum(-1).mean()
    return loss
