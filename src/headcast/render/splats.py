"""Gaussian splats: soft ellipsoids in space, drawn from front to back into pictures, with gradients to all that they are made of."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.errors import InputError
from headcast.geometry import Camera
from headcast.render.arrays import NEAR_M
from headcast.render.kernels.machines import arrays, machine_of
from headcast.render.kernels.splat_tiles import TILE

DILATION_PX2 = 0.3
"""Variance that every splat gains in the picture, so that none falls between pixels (Kerbl et al. 2023)."""
BESIDE = 0.15
"""Shares of the picture's size beyond its border up to which a splat's motion in the picture is followed; see `splat_projection`."""
_GROUP = 4
_HARMONICS = (1, 4, 9, 16)


@dataclass(frozen=True)
class Splats:
    """Gaussians in world space."""

    means: Float[Tensor, "splats 3"]
    """Centres, m."""
    rotations: Float[Tensor, "splats 3 3"]
    """From a splat's own axes to the world's; of quaternions with `matrix_from_quaternion`."""
    scales: Float[Tensor, "splats 3"]
    """Standard deviations along a splat's own axes, m."""
    opacities: Float[Tensor, "splats"]
    """Alpha at the centre, 0–1."""
    colors: Float[Tensor, "splats channels"] | Float[Tensor, "splats harmonics 3"]
    """As they are; or, with one axis more, as the 1, 4, 9 or 16 coefficients of spherical harmonics, see `view_colors`."""

    def to(self, device: torch.device | str) -> "Splats":
        return Splats(*(part.to(device) for part in (self.means, self.rotations, self.scales, self.opacities, self.colors)))


@dataclass(frozen=True)
class SplatImage:
    """What a camera sees of splats."""

    features: Float[Tensor, "*batch height width channels"]
    """Colour over black, that is, multiplied by alpha; the last channel is depth (m) multiplied by alpha."""
    light: Float[Tensor, "*batch height width"]
    """Share of each pixel that no splat covers, 0–1."""
    channels: int

    @property
    def color(self) -> Float[Tensor, "*batch height width channels"]:
        """Over black: multiplied by alpha already."""
        return self.features[..., : self.channels]

    @property
    def alpha(self) -> Float[Tensor, "*batch height width"]:
        """Share of each pixel that splats cover, 0–1."""
        return 1 - self.light

    @property
    def depth(self) -> Float[Tensor, "*batch height width"]:
        """Mean distance along the camera's axis of what is seen, m; 0 where alpha is 0."""
        return self.features[..., -1] / torch.where(self.light < 1, self.alpha, 1)

    def over(
        self, background: Float[Tensor, "*batch height width channels"] | Float[Tensor, "channels"]
    ) -> Float[Tensor, "*batch height width channels"]:
        """The picture before a background."""
        return self.color + self.light[..., None] * background


def splat(
    splats: Splats,
    camera: Camera,
    shift_px: Float[Tensor, "*batch splats 2"] | None = None,
    dilation_px2: float = DILATION_PX2,
    antialiased: bool = False,
    engine: Literal["headcast", "gsplat"] = "headcast",
) -> SplatImage:
    """Pictures of splats, one per view: sorted by depth, blended from front to back (Kerbl et al. 2023).

    A splat counts at a pixel where its alpha there is at least 1/255; alpha is held at 0.99; a pixel is done when less than 1e-4 of what lies
    behind would be seen. What is nearer than `NEAR_M`, and what holds numbers that are not finite, is not drawn. Gradients go to all of a splat's
    parts, none to the camera. On the CPU the same input gives the same bits whatever the number of threads.

    Args:
        splats: float32.
        camera: its batch axes are those of the pictures.
        shift_px: moves splats in the picture. The gradient of zeros says how strongly each splat is pulled there: what decides where more are needed.
        dilation_px2: variance added in the picture.
        antialiased: lower the opacity of a splat as the dilation widens it (Yu et al. 2024, Mip-Splatting, eq. 10).
        engine: `gsplat` draws with the package of this name, which needs an NVIDIA GPU and knows no `shift_px`.
    """
    _check(splats)
    channels = 3 if splats.colors.ndim == 3 else splats.colors.shape[1]
    if engine == "gsplat":
        from headcast.render.splat_gsplat import splat_with_gsplat  # another room's package, only where it is asked for

        if shift_px is not None:
            raise InputError("engine='gsplat' cannot move splats in the picture; leave out shift_px, or use engine='headcast'")
        return SplatImage(*splat_with_gsplat(splats, camera, dilation_px2, antialiased), channels)
    batch = camera.focal_px.shape[:-1]
    views = [_view(camera, idx) for idx in range(batch.numel())]
    shifts = [None] * len(views) if shift_px is None else shift_px.expand(*batch, -1, -1).reshape(len(views), -1, 2).unbind(0)
    seen = [_splat_view(splats, view, eye, camera.size, shift, dilation_px2, antialiased) for (view, eye), shift in zip(views, shifts)]
    features, light = (torch.stack(part).reshape(*batch, *part[0].shape) for part in zip(*seen)) if batch else seen[0]
    return SplatImage(features, light, channels)


def view_colors(
    coefficients: Float[Tensor, "splats harmonics 3"], means: Float[Tensor, "splats 3"], eye: Float[Tensor, "3"]
) -> Float[Tensor, "splats 3"]:
    """Colours as seen from a point in the world: one half plus 1, 4, 9 or 16 spherical harmonics of the viewing direction, not below zero.

    Harmonics stand in the order and with the signs that files of splats use. Gradients go to coefficients and means.
    """
    if coefficients.shape[1] not in _HARMONICS:
        raise InputError(f"colours of splats have 1, 4, 9 or 16 spherical harmonics (degree 0 to 3); found {coefficients.shape[1]}")
    return _ViewColors.apply(coefficients, means, eye)


def _check(splats: Splats) -> None:
    shapes = {name: tuple(getattr(splats, name).shape) for name in ("means", "rotations", "scales", "opacities")}
    count = len(splats.means)
    right = {"means": (count, 3), "rotations": (count, 3, 3), "scales": (count, 3), "opacities": (count,)}
    if shapes != right or len(splats.colors) != count or splats.colors.ndim not in (2, 3):
        raise InputError(f"splats must have the shapes {right} and as many colours; found {shapes} and colours {tuple(splats.colors.shape)}")


def _view(camera: Camera, idx: int) -> tuple[Tensor, Tensor]:
    """What the kernels know of one camera of a batch, and where it stands."""
    height, width = camera.size
    rotation = camera.camera_from_world.rotation.expand(*camera.focal_px.shape[:-1], 3, 3).reshape(-1, 3, 3)[idx]
    translation = camera.camera_from_world.translation.expand(*camera.focal_px.shape[:-1], 3).reshape(-1, 3)[idx]
    focal, center = camera.focal_px.reshape(-1, 2)[idx], camera.center_px.reshape(-1, 2)[idx]
    size = focal.new_tensor([width, height])
    low, high = (-BESIDE * size - center) / focal, ((1 + BESIDE) * size - center) / focal
    view = torch.cat([rotation.reshape(9), translation, focal, center, torch.stack([low, high], -1).reshape(4)])
    return view.detach(), -(rotation.T @ translation).detach()


def _splat_view(splats, view, eye, size, shift, dilation, antialiased) -> tuple[Tensor, Tensor]:
    """Features and light of one view."""
    shapes, extents, depth = _Project.apply(splats.means, splats.rotations, splats.scales, splats.opacities, view, size, dilation, antialiased)
    if shift is not None:
        shapes = torch.cat([shapes[:, :2] + shift, shapes[:, 2:]], 1)
    colors = splats.colors if splats.colors.ndim == 2 else view_colors(splats.colors, splats.means, eye)
    groups = colors.shape[1] // _GROUP + 1
    padding = colors.new_zeros(len(colors), groups * _GROUP - colors.shape[1] - 1)
    features = torch.cat([colors, padding, depth[:, None]], 1).reshape(-1, groups, _GROUP).transpose(0, 1)
    blended, light = _Blend.apply(shapes, features, extents, depth, size)
    return blended[0] if groups == 1 else blended.permute(1, 2, 0, 3).flatten(2), light


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means, rotations, scales, opacities, view, size, dilation, antialiased):
        count = len(means)
        shapes, extents, depth = means.new_empty(count, 6), means.new_empty(count, 3), means.new_empty(count)
        inputs = (means, rotations, scales, opacities, view)
        machine_of(means).project_splats(*arrays(*inputs), *size, NEAR_M, dilation, antialiased, *arrays(shapes, extents, depth))
        ctx.save_for_backward(*inputs, extents)
        ctx.settings = dilation, antialiased
        ctx.mark_non_differentiable(extents)
        return shapes, extents, depth

    @staticmethod
    def backward(ctx, grad_shapes, _, grad_depth):
        *inputs, extents = ctx.saved_tensors
        into = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in inputs[:4]]
        machine = machine_of(extents)
        machine.project_splats_gradient(*arrays(*inputs), *ctx.settings, *arrays(extents, grad_shapes, grad_depth, *into))
        return *into, *(None,) * 4


class _ViewColors(torch.autograd.Function):
    @staticmethod
    def forward(ctx, coefficients, means, eye):
        color = means.new_empty(len(means), 3)
        machine_of(means).color_splats(*arrays(means, eye, coefficients, color))
        ctx.save_for_backward(coefficients, means, eye, color)
        return color

    @staticmethod
    def backward(ctx, grad_color):
        coefficients, means, eye, color = ctx.saved_tensors
        into = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in (means, coefficients)]
        machine_of(means).color_splats_gradient(*arrays(means, eye, coefficients, color, grad_color, *into))
        return into[1], into[0], None


class _Blend(torch.autograd.Function):
    @staticmethod
    def forward(ctx, shapes, features, extents, depth, size):
        machine = machine_of(shapes)
        shapes, features = shapes.contiguous(), features.contiguous()
        starts, members = _tiles(machine, shapes, extents, depth, size)
        out, light = shapes.new_empty(len(features), *size, _GROUP), shapes.new_empty(size)
        for group, image in zip(features, out):
            machine.blend_splats(*arrays(shapes, extents, group, starts, members, image, light))
        ctx.save_for_backward(shapes, features, extents, starts, members, out, light)
        return out, light

    @staticmethod
    def backward(ctx, grad_out, grad_light):
        shapes, features, extents, starts, members, out, light = ctx.saved_tensors
        machine = machine_of(shapes)
        grad_shapes, grad_features = torch.zeros_like(shapes), torch.empty_like(features)
        for idx, (group, image, from_image, into) in enumerate(zip(features, out, grad_out, grad_features)):
            from_light = grad_light if idx == 0 else torch.zeros_like(grad_light)
            more = torch.empty_like(shapes)
            machine.blend_splats_gradient(*arrays(shapes, extents, group, starts, members, image, light, from_image, from_light, more, into))
            grad_shapes = grad_shapes + more
        return grad_shapes, grad_features, None, None, None


def _tiles(machine, shapes: Tensor, extents: Tensor, depth: Tensor, size: tuple[int, int]) -> tuple[Int[Tensor, "starts"], Int[Tensor, "members"]]:
    """Where each tile's splats begin, and the splats of all tiles from front to back."""
    rows, columns = (-(-side // TILE) for side in size)
    order = torch.argsort(depth, stable=True).int()
    counts = torch.empty(rows * columns, dtype=torch.int32, device=depth.device)
    machine.count_splats(*arrays(shapes, extents), rows, columns, *arrays(counts))
    starts = torch.nn.functional.pad(counts.cumsum(0), (1, 0)).int()
    members = torch.empty(int(starts[-1]), dtype=torch.int32, device=depth.device)
    machine.list_splats(*arrays(order, shapes, extents), rows, columns, *arrays(starts, members))
    return starts, members
