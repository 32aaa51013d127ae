"""The twin of `splats` in plain PyTorch, for any precision: every splat at every pixel. It says what is right; gradients are autograd's."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from headcast.geometry import Camera
from headcast.render.arrays import NEAR_M
from headcast.render.splats import BESIDE, DILATION_PX2, Splats

LEAST_ALPHA, MOST_ALPHA, LEAST_LIGHT, LEAST_SHARE = 1 / 255, 0.99, 1e-4, 1e-6


def ellipses(
    splats: Splats, camera: Camera, dilation_px2: float = DILATION_PX2, antialiased: bool = False
) -> tuple[Float[Tensor, "splats 2"], Float[Tensor, "splats 2 2"], Float[Tensor, "splats"], Float[Tensor, "splats"]]:
    """Centre (px), covariance (px²), opacity and depth (m) of each splat in one view."""
    inside = camera.camera_from_world.points(splats.means)
    depth = inside[:, 2]
    size = torch.tensor([camera.size[1], camera.size[0]], dtype=depth.dtype)
    ray = inside[:, :2] / depth[:, None]
    low, high = (-BESIDE * size - camera.center_px) / camera.focal_px, ((1 + BESIDE) * size - camera.center_px) / camera.focal_px
    held = torch.minimum(torch.maximum(ray, low), high)
    motion = (
        camera.focal_px[:, None] / depth[:, None, None] * torch.cat([torch.eye(2, dtype=depth.dtype).expand(len(depth), 2, 2), -held[..., None]], -1)
    )
    axes = motion @ camera.camera_from_world.rotation @ splats.rotations * splats.scales[:, None]
    exact = axes @ axes.transpose(-1, -2)
    covariance = exact + dilation_px2 * torch.eye(2, dtype=depth.dtype)
    opacity = splats.opacities
    if antialiased:
        opacity = opacity * (torch.det(exact) / torch.det(covariance)).clamp_min(LEAST_SHARE).sqrt()
    return ray * camera.focal_px + camera.center_px, covariance, opacity, depth


def blend(
    centers: Float[Tensor, "splats 2"],
    covariances: Float[Tensor, "splats 2 2"],
    opacities: Float[Tensor, "splats"],
    features: Float[Tensor, "splats channels"],
    pixels: Float[Tensor, "pixels 2"],
) -> tuple[Float[Tensor, "pixels channels"], Float[Tensor, "pixels"]]:
    """What pixels see of splats that are sorted from front to back, and the light that these let through."""
    offsets = pixels[None] - centers[:, None]
    power = 0.5 * torch.einsum("spi,sij,spj->sp", offsets, torch.linalg.inv(covariances), offsets)
    alpha = opacities[:, None] * torch.exp(-power)
    held = torch.where(alpha >= LEAST_ALPHA, alpha.clamp_max(MOST_ALPHA), 0)
    before = torch.cat([torch.ones_like(held[:1]), (1 - held).cumprod(0)[:-1]]) if len(held) else held
    held = torch.where(before >= LEAST_LIGHT, held, 0)
    return torch.einsum("sp,sp,sc->pc", held, before, features), (1 - held).prod(0)


def view_colors(
    coefficients: Float[Tensor, "splats harmonics 3"], means: Float[Tensor, "splats 3"], eye: Float[Tensor, "3"]
) -> Float[Tensor, "splats 3"]:
    """Colours by real spherical harmonics, written as associated Legendre functions of the direction's angles."""
    x, y, z = torch.nn.functional.normalize(means - eye, dim=-1).unbind(-1)
    bands = range(math.isqrt(coefficients.shape[1]))
    basis = [_harmonic(band, order, x, y, z) for band in bands for order in range(-band, band + 1)]
    return (0.5 + torch.einsum("sh,shc->sc", torch.stack(basis, -1), coefficients)).clamp_min(0)


def _harmonic(band: int, order: int, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """A real harmonic with the Condon–Shortley sign; the sine of the polar angle is taken into the powers of x + iy."""
    m = abs(order)
    norm = math.sqrt((2 * band + 1) / (4 * math.pi) * math.factorial(band - m) / math.factorial(band + m))
    legendre = sum(
        (-1) ** k / (2**band * math.factorial(k) * math.factorial(band - k))
        * math.factorial(2 * band - 2 * k) / math.factorial(band - m - 2 * k) * z ** (band - m - 2 * k)
        for k in range((band - m) // 2 + 1)
    )  # fmt: skip
    around = torch.complex(x, y) ** m
    turn = around.real if order >= 0 else around.imag
    return (-1) ** m * norm * legendre * turn * (math.sqrt(2) if m else 1)


def splat(
    splats: Splats, camera: Camera, dilation_px2: float = DILATION_PX2, antialiased: bool = False
) -> tuple[Float[Tensor, "height width channels"], Float[Tensor, "height width"], Float[Tensor, "height width"]]:
    """Colour over black, alpha and mean depth in one view."""
    colors = splats.colors
    if colors.ndim == 3:
        eye = -camera.camera_from_world.rotation.T @ camera.camera_from_world.translation
        colors = view_colors(colors, splats.means, eye)
    centers, covariances, opacities, depth = ellipses(splats, camera, dilation_px2, antialiased)
    drawn = ((depth > NEAR_M) & (torch.det(covariances) > 0)).nonzero()[:, 0]
    order = drawn[torch.argsort(depth[drawn], stable=True)]
    rows, columns = (torch.arange(side, dtype=depth.dtype) + 0.5 for side in camera.size)
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(-1, 2)
    features = torch.cat([colors, depth[:, None]], 1)
    blended, light = blend(centers[order], covariances[order], opacities[order], features[order], pixels)
    alpha = 1 - light
    mean_depth = blended[:, -1] / torch.where(alpha > 0, alpha, 1)
    return tuple(image.reshape(*camera.size, *image.shape[1:]) for image in (blended[:, :-1], alpha, mean_depth))
