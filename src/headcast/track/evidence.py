"""How much a pixel's colour says that its neighbours do not: what is wrong in a picture is wrong over many pixels."""

import cv2
import numpy as np
from jaxtyping import Float

from headcast.threads import mapped
from headcast.track.frame import ROBUST
from headcast.track.gain import exposed_view
from headcast.track.observation import Picture
from headcast.track.person import Person
from headcast.track.person_fit import Keyframes
from headcast.track.sight import Sight, all_sights
from headcast.track.view import View

_BLOCK_PX = 8
"""Side of the blocks whose means are compared with what independent pixels would give."""


def independent_share(keyframes: Keyframes) -> float:
    """Share of pixels whose residuals are as good as independent, 0–1, measured on solved keyframes.

    Where residuals are white noise, the mean of n pixels has an n-th of their variance; where shadows, hair or a wrong shape spread over a block,
    it has nearly all of it. The ratio of the two, over all blocks of the face, is the share (the reciprocal of the variance inflation that
    correlated samples have, Kish 1965).
    """
    if keyframes.person.texture is None:
        return 0.0
    parts = np.array(list(mapped(_block_variances, all_sights(keyframes.person, keyframes.moments, keyframes.states))))
    expected, found = parts.sum(0)
    return float(min(expected / found, 1.0)) if found > 0 else 0.0


def _block_variances(sight: Sight) -> tuple[float, float]:
    """Sums over blocks: the variance that means would have with independent residuals, and the squares of the means as they are."""
    person, picture = sight.person, sight.observation.levels[0]
    view = exposed_view(person, sight.state, picture)
    residual, certainty = residuals(person, view, picture)
    scaled = 1 + ROBUST[0] * certainty * (residual**2).mean(-1) / person.color_sigma**2
    weight = (certainty / scaled**2).astype(np.float64)
    height, width = (side - side % _BLOCK_PX for side in weight.shape)
    blocks = (height // _BLOCK_PX, _BLOCK_PX, width // _BLOCK_PX, _BLOCK_PX)
    weight = weight[:height, :width].reshape(blocks)
    residual = residual[:height, :width].reshape(*blocks, 3)
    total = weight.sum((1, 3))
    full = total > 0.25 * _BLOCK_PX**2
    if not full.any():
        return 0.0, 0.0
    mean = (weight[..., None] * residual).sum((1, 3))[full] / total[full, None]
    variance = (weight * (residual**2).mean(-1)).sum((1, 3))[full] / total[full]
    return float((variance * (weight**2).sum((1, 3))[full] / total[full] ** 2).sum()), float((mean**2).mean(-1).sum())


def residuals(person: Person, view: View, picture: Picture) -> tuple[Float[np.ndarray, "height width 3"], Float[np.ndarray, "height width"]]:
    """Picture less model in gamma space, and how sure the model is of each pixel: 0 where none of the face is seen."""
    surface, texture = person.tracked.surface, person.texture
    assert texture is not None
    corners = np.concatenate([view.barycentric[..., :2], 1 - view.barycentric[..., :2].sum(-1, keepdims=True)], -1)
    place = np.einsum("hwk,hwkc->hwc", corners, surface.uv[view.face])
    shade = np.einsum("hwk,hwkc->hwc", corners, view.shading[surface.faces[view.face]])
    column = (place[..., 0] * texture.shape[1] - 0.5).astype(np.float32)
    row = ((1 - place[..., 1]) * texture.shape[0] - 0.5).astype(np.float32)
    sample = cv2.remap(texture, column, row, cv2.INTER_LINEAR)
    counted = (view.face >= 0) & (surface.face_weight[view.face] > 0) & (picture.matte > 0.5)
    return np.where(counted[..., None], picture.image - sample[..., :3] * shade, 0), sample[..., 3] * view.inner * counted
