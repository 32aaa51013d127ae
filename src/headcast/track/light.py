"""Light as second-order spherical harmonics (Ramamoorthi & Hanrahan 2001), as the tracker uses it."""

import numpy as np
from jaxtyping import Float

from headcast.compiled import compiled
from headcast.track.photometric import GAMMA

AMBIENT = np.vstack([np.ones((1, 3)), np.zeros((8, 3))]).astype(np.float32)
"""Light that makes every shading exactly one."""


def sh_basis(normals: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 9"]:
    """The nine polynomials 1, y, z, x, xy, yz, 3z²−1, xz, x²−y² of unit normals in world space."""
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    return np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], -1)


@compiled("f4[:,::1], f4[:,::1], f4[:,::1], f4, f4[:,::1]", fastmath=True)
def _shade(normals, light_from_camera, light, exponent, out):
    for n in range(len(normals)):
        a, b, c = normals[n, 0], normals[n, 1], normals[n, 2]
        x = light_from_camera[0, 0] * a + light_from_camera[0, 1] * b + light_from_camera[0, 2] * c
        y = light_from_camera[1, 0] * a + light_from_camera[1, 1] * b + light_from_camera[1, 2] * c
        z = light_from_camera[2, 0] * a + light_from_camera[2, 1] * b + light_from_camera[2, 2] * c
        for k in range(3):
            value = light[0, k] + light[1, k] * y + light[2, k] * z + light[3, k] * x + light[4, k] * x * y + light[5, k] * y * z
            value += light[6, k] * (np.float32(3.0) * z * z - np.float32(1.0)) + light[7, k] * x * z + light[8, k] * (x * x - y * y)
            out[n, k] = max(value, np.float32(0.02)) ** exponent


def gamma_shading(
    camera_normals: Float[np.ndarray, "vertices 3"], light_from_camera: Float[np.ndarray, "3 3"], light: Float[np.ndarray, "9 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Shading of vertices in gamma space; never below that of 2 % of the mean light."""
    out = np.empty_like(camera_normals)
    _shade(camera_normals, np.asarray(light_from_camera, np.float32), np.asarray(light, np.float32), np.float32(1 / GAMMA), out)
    return out
