"""How a picture of an avatar differs from the recorded one."""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headcast.avatars.gaussian.config import GaussianConfig

_WINDOW_PX, _SIGMA_PX = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_KERNEL = cv2.getGaussianKernel(_WINDOW_PX, _SIGMA_PX, cv2.CV_32F)


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


def structural_similarity(a: Float[Tensor, "height width 3"], b: Float[Tensor, "height width 3"]) -> Float[Tensor, ""]:
    """Mean structural similarity of two pictures (Wang et al. 2004): Gaussian window of 11 pixels, σ 1.5, where it lies inside of the picture.

    Gradients go to the first.
    """
    return _Similarity.apply(a, b)


class _Similarity(torch.autograd.Function):
    """With its own gradient: the blur is its own transpose, and five maps of the picture's size need no graph."""

    @staticmethod
    def forward(ctx, a, b):
        x, y = a.detach().numpy(), b.detach().numpy()
        mean_x, mean_y, xx, yy, xy = (_blurred(part) for part in (x, y, x * x, y * y, x * y))
        bright_up, bright_down = 2 * mean_x * mean_y + _C1, mean_x**2 + mean_y**2 + _C1
        alike_up, alike_down = 2 * (xy - mean_x * mean_y) + _C2, xx - mean_x**2 + yy - mean_y**2 + _C2
        similarity = bright_up * alike_up / (bright_down * alike_down)
        rim = _WINDOW_PX // 2
        inside = np.zeros_like(similarity)
        inside[rim:-rim, rim:-rim] = 1 / similarity[rim:-rim, rim:-rim].size
        value = (similarity * inside).sum(dtype=np.float64)
        by_xx = -similarity / alike_down
        by_xy = 2 * bright_up / (bright_down * alike_down)
        by_mean = 2 * mean_y * alike_up / (bright_down * alike_down) - 2 * mean_x * similarity / bright_down - 2 * mean_x * by_xx - mean_y * by_xy
        ctx.parts = [_blurred(part * inside) for part in (by_mean, by_xx, by_xy)]
        ctx.pictures = x, y
        return a.new_tensor(value)

    @staticmethod
    def backward(ctx, gradient):
        (by_mean, by_xx, by_xy), (x, y) = ctx.parts, ctx.pictures
        return gradient * torch.from_numpy(by_mean + 2 * x * by_xx + y * by_xy), None


def _blurred(picture: np.ndarray) -> np.ndarray:
    return cv2.sepFilter2D(picture, cv2.CV_32F, _KERNEL, _KERNEL, borderType=cv2.BORDER_CONSTANT)
