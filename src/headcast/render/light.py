"""Light as spherical harmonics, and the step between linear light and sRGB.

Distant light on a matte surface is a polynomial of second order in the unit normal (Ramamoorthi and Hanrahan 2001, eq. 12 and 13).
`sh_basis` holds its nine terms without their constants, so that light[0] = 1 with the rest zero shades everything exactly one.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from headcast.render.kernels.machines import arrays, machine_of

AMBIENT: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""One channel of the light that makes every shading exactly one."""


def ambient_light(like: Tensor) -> Float[Tensor, "9 3"]:
    """Light that makes every shading exactly one, on the device and in the precision of a tensor."""
    return torch.tensor(AMBIENT, dtype=like.dtype, device=like.device)[:, None].repeat(1, 3)


def sh_basis(normals: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 9"]:
    """The polynomials 1, y, z, x, xy, yz, 3z²−1, xz, x²−y² of unit normals in world space."""
    x, y, z = normals.unbind(-1)
    return torch.stack([torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], -1)


def shade(normals: Float[Tensor, "*batch height width 3"], light: Float[Tensor, "*shared 9 3"]) -> Float[Tensor, "*batch height width 3"]:
    """Light on each pixel, linear: `sh_basis(normals) @ light`; zero where the normal is zero. May be negative where the light is.

    Args:
        normals: unit vectors in world space.
        light: one for all views, or one per view.
    """
    batch = normals.shape[:-3]
    lights = light.expand(*batch, 9, 3).reshape(-1, 9, 3)
    return _Shade.apply(normals.reshape(len(lights), -1, 3), lights).reshape(normals.shape)


def srgb_from_linear(linear: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """sRGB 0–1 of linear light 0–1 (IEC 61966-2-1); what is above one goes on along the curve, what is below zero along its first, straight part."""
    curved = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curved)


def linear_from_srgb(srgb: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Linear light 0–1 of sRGB 0–1: the inverse of `srgb_from_linear`."""
    curved = ((srgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, srgb / 12.92, curved)


class _Shade(torch.autograd.Function):
    @staticmethod
    def forward(ctx, normals, light):
        shading = torch.empty_like(normals, memory_format=torch.contiguous_format)
        machine_of(normals).shade_views(*arrays(normals, light, shading))
        ctx.save_for_backward(normals, light)
        return shading

    @staticmethod
    def backward(ctx, grad_shading):
        normals, light = ctx.saved_tensors
        grad_normals = torch.empty_like(normals, memory_format=torch.contiguous_format)
        grad_light = torch.empty_like(light, memory_format=torch.contiguous_format)
        machine_of(normals).shade_views_gradient(*arrays(normals, light, grad_shading, grad_normals, grad_light))
        return grad_normals, grad_light
