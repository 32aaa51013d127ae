"""A plain skin painted from what is known of the head, so that an untextured head looks like one."""

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from open_head_build.atlas import Atlas
from open_head_build.eyes import IRIS_RADIUS_M, PUPIL_RADIUS_M, RADIUS_M
from open_head_build.mesh import HeadMesh
from open_head_build.regions import above_hairline
from open_head_build.source import mask_values

SIZE = 512
SKIN, LIPS, HAIR, SHADOW, BLUSH = (0.79, 0.60, 0.50), (0.64, 0.36, 0.33), (0.25, 0.19, 0.155), (0.66, 0.46, 0.38), (0.80, 0.52, 0.44)
SCLERA, IRIS, LIMBUS, PUPIL = (0.90, 0.88, 0.86), (0.36, 0.25, 0.16), (0.14, 0.09, 0.06), (0.03, 0.03, 0.03)
TOOTH, GUM, TONGUE, MOUTH, SOCKET = (0.90, 0.86, 0.78), (0.72, 0.42, 0.40), (0.72, 0.42, 0.39), (0.42, 0.17, 0.15), (0.78, 0.50, 0.45)
_UPPER_BROW, _LOWER_BROW = (70, 63, 105, 66, 107), (46, 53, 52, 65, 55)
_CHEEKS, _NOSE_TIP = (50, 280), 4


def painted_skin(
    mesh: HeadMesh,
    template: Float[np.ndarray, "vertices 3"],
    joints: dict[str, Float[np.ndarray, "3"]],
    regions: dict[str, np.ndarray],
    landmarks: Float[np.ndarray, "478 3"],
    atlas: Atlas,
    mirrored: Int[np.ndarray, "478"],
) -> UInt8[np.ndarray, "size size 3"]:
    """An sRGB texture, row 0 at the top; texels outside of the charts have the colour of the nearest one inside."""
    face, weights = texels(atlas.uv, atlas.faces, SIZE)
    inside = face >= 0
    corner, weight = mesh.faces[face[inside]], weights[inside][..., None]
    point = (template[corner] * weight).sum(1)

    base_uv = (atlas.base_uv[face[inside]] * weight).sum(1)
    of_skin = np.isfinite(base_uv[:, 0])

    def mask(name: str) -> np.ndarray:
        values = np.zeros(len(point))
        values[of_skin] = mask_values(name, base_uv[of_skin])
        return values

    def share(name: str) -> np.ndarray:
        return (regions[name][corner] * weight[..., 0]).sum(1)

    color = np.tile(np.array(SKIN), (len(point), 1))
    for place in _CHEEKS:
        color = _mixed(color, BLUSH, 0.5 * _bump(point, landmarks[place], 0.018))
    color = _mixed(color, BLUSH, 0.5 * _bump(point, landmarks[_NOSE_TIP], 0.012))
    color = _mixed(color, SHADOW, 0.45 * mask("eyelids"))
    color = _mixed(color, LIPS, mask("lips"))
    for side in (np.arange(478), mirrored):
        color = _mixed(color, HAIR, 0.7 * _brow(point, landmarks[side[list(_UPPER_BROW)]], landmarks[side[list(_LOWER_BROW)]]))
    color = _mixed(color, HAIR, 0.9 * _smooth(above_hairline(point), -0.002, 0.006) * _smooth(share("ears"), 0.6, 0.1) * of_skin)
    rim = mesh.parts["head"] & (mesh.parts["eye_cavity.L"] | mesh.parts["eye_cavity.R"])
    color = _mixed(color, HAIR, 0.8 * _smooth((rim[corner] * weight[..., 0]).sum(1), 0.35, 0.95))
    for name, tint in (("mouth_interior", MOUTH), ("eye_sockets", SOCKET), ("tongue", TONGUE)):
        color = _mixed(color, tint, _smooth(share(name), 0.1, 0.6))
    gum, crown = ((mesh.parts[name][corner] * weight[..., 0]).sum(1) for name in ("gums", "crowns"))
    of_teeth = gum + crown > 0.99
    color[of_teeth] = _mixed(np.tile(np.array(GUM), (of_teeth.sum(), 1)), TOOTH, _smooth(1 - gum[of_teeth], 0.05, 0.35))
    for name in ("left_eye", "right_eye"):
        own = mesh.parts[name][corner].all(1)
        color[own] = _eye_color(point[own] - joints[name])
    picture = np.zeros((SIZE, SIZE, 3))
    picture[inside] = color
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return np.rint(picture[tuple(nearest)] * 255).astype(np.uint8)


def texels(
    uv: Float[np.ndarray, "uvs 2"], uv_faces: Int[np.ndarray, "faces 3"], size: int
) -> tuple[Int[np.ndarray, "size size"], Float[np.ndarray, "size size 3"]]:
    """The face that each texel's centre lies in (−1 for none) and the weights of its corners; row 0 is the top."""
    owner, weights = np.full((size, size), -1), np.zeros((size, size, 3))
    pixel = uv * [size, -size] + [0, size]
    for idx, face in enumerate(uv_faces):
        a, b, c = pixel[face]
        low = np.maximum(np.ceil(pixel[face].min(0) - 0.5).astype(int), 0)
        high = np.minimum(np.floor(pixel[face].max(0) - 0.5).astype(int), size - 1)
        if (high < low).any():
            continue
        column, row = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        x, y = column + 0.5 - a[0], row + 0.5 - a[1]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        second = (x * (c[1] - a[1]) - y * (c[0] - a[0])) / area
        third = ((b[0] - a[0]) * y - (b[1] - a[1]) * x) / area
        own = (second >= 0) & (third >= 0) & (second + third <= 1)
        owner[row[own], column[own]] = idx
        weights[row[own], column[own]] = np.stack([1 - second[own] - third[own], second[own], third[own]], -1)
    return owner, weights


def _eye_color(offset: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """White, iris and pupil by the angle from straight ahead."""
    angle = np.arccos(np.clip(offset[:, 2] / np.linalg.norm(offset, axis=1), -1, 1))
    iris, pupil = np.arcsin(IRIS_RADIUS_M / RADIUS_M), np.arcsin(PUPIL_RADIUS_M / RADIUS_M)
    color = np.tile(np.array(SCLERA), (len(offset), 1))
    color = _mixed(color, SOCKET, 0.35 * _smooth(angle, 2.0 * iris, 3.4 * iris))
    color = _mixed(color, LIMBUS, 1 - _smooth(angle, 0.97 * iris, 1.06 * iris))
    color = _mixed(color, IRIS, 1 - _smooth(angle, 0.70 * iris, 0.97 * iris))
    return _mixed(color, PUPIL, 1 - _smooth(angle, 0.9 * pupil, 1.12 * pupil))


def _brow(point: np.ndarray, upper: Float[np.ndarray, "5 3"], lower: Float[np.ndarray, "5 3"]) -> Float[np.ndarray, "n"]:
    """How much of a brow there is: full along the line between its upper and lower landmarks, thinning out over their distance."""
    at = np.linspace(0, 4, 81)
    middle, half = (upper + lower) / 2, np.linalg.norm(upper - lower, axis=1) / 2
    line = np.stack([np.interp(at, np.arange(5), middle[:, axis]) for axis in range(3)], -1)
    distance, nearest = cKDTree(line).query(point)
    return 1 - _smooth(distance / np.interp(at, np.arange(5), half)[nearest], 0.45, 1.25)


def _bump(point: np.ndarray, centre: np.ndarray, reach: float) -> Float[np.ndarray, "n"]:
    return np.exp(-((point - centre) ** 2).sum(1) / (2 * reach**2))


def _smooth(value: np.ndarray, low: float, high: float) -> np.ndarray:
    ramp = np.clip((value - low) / (high - low), 0, 1)
    return ramp**2 * (3 - 2 * ramp)


def _mixed(color: np.ndarray, other: tuple[float, float, float], amount: np.ndarray) -> np.ndarray:
    return color + amount[:, None] * (np.array(other) - color)
