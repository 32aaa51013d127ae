"""Splats drawn by the package gsplat on an NVIDIA GPU, where it is installed: another engine for `splat`."""

import torch
from jaxtyping import Float
from torch import Tensor

from headcast.errors import MissingExtraError
from headcast.geometry import Camera, quaternion_from_matrix
from headcast.render.arrays import NEAR_M
from headcast.render.splats import Splats


def splat_with_gsplat(
    splats: Splats, camera: Camera, dilation_px2: float, antialiased: bool
) -> tuple[Float[Tensor, "*batch height width channels"], Float[Tensor, "*batch height width"]]:
    """Features (colour and depth, both times alpha) and the light that is left, as in `SplatImage`.

    gsplat leaves out the splat that would take the light below its least; `splat` still draws that one. The pictures differ by less than 1e-3.
    """
    try:
        from gsplat import rasterization
    except ImportError as error:
        raise MissingExtraError("drawing splats with engine='gsplat'", "gsplat", "gsplat") from error
    batch = camera.focal_px.shape[:-1]
    height, width = camera.size
    focal, center = camera.focal_px.reshape(-1, 2), camera.center_px.reshape(-1, 2)
    intrinsics = torch.diag_embed(torch.nn.functional.pad(focal, (0, 1), value=1.0))
    intrinsics[:, :2, 2] = center
    views = camera.camera_from_world.matrix().expand(*batch, 4, 4).reshape(-1, 4, 4)
    harmonics = None if splats.colors.ndim == 2 else int(splats.colors.shape[1] ** 0.5) - 1
    colors = splats.colors.expand(len(views), *splats.colors.shape) if harmonics is None else splats.colors
    quaternions = quaternion_from_matrix(splats.rotations)
    features, alpha, _ = rasterization(
        splats.means, quaternions, splats.scales, splats.opacities, colors, views, intrinsics, width, height, near_plane=NEAR_M,
        eps2d=dilation_px2, sh_degree=harmonics, render_mode="RGB+D", rasterize_mode="antialiased" if antialiased else "classic", packed=False,
    )  # fmt: skip
    return features.reshape(*batch, height, width, -1), 1 - alpha.reshape(*batch, height, width)
