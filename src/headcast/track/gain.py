"""The gain of a view: its exposure and white balance against the other views, a factor per channel.

A camera multiplies linear light by it. A product stays one under a power, so in gamma space, where noise is even and pictures are compared, it is a
factor as well: that of linear light to the power 1/2.2. Given pose, texture and light it has a closed form, so it is no unknown of a frame: wherever
a view is compared with its picture, the gain that suits the two best is worked out first.
"""

import numpy as np
from jaxtyping import Float

from headcast.compiled import compiled
from headcast.track.observation import Picture
from headcast.track.person import Person
from headcast.track.photometric import GAMMA, _sample
from headcast.track.points import FrameState
from headcast.track.view import View, view_of

_PIXELS = 4000
"""About how many pixels a gain is worked out from."""
_OUTLIERS = (12.0, 6.0, 4.0)
"""Residuals, in standard deviations, from which pixels lose influence, round by round."""
_EVIDENCE = 0.05
"""Share of pixels that count as independent: shadows and hands darken many of them alike."""


@compiled(
    "i8, i4[:,::1], f4[:,:,::1], f4[:,:,::1], f4[:,::1], i4[:,::1], f4[::1], f4[:,:,::1], f4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1], f4[::1]"
)
def _compared(stride, face_buffer, barycentric, image, matte, faces, face_weight, uv, shading, texture, shown, modelled, trust):
    """Collects picture, model and its certainty at every few pixels; returns how many."""
    height, width = face_buffer.shape
    side_y, side_x = texture.shape[0], texture.shape[1]
    sample = np.empty(4, np.float32)
    count = 0
    for y in range(stride // 2, height, stride):
        for x in range(stride // 2, width, stride):
            f = face_buffer[y, x]
            if f < 0 or face_weight[f] < 0.5 or matte[y, x] <= 0.5:
                continue
            w0, w1 = barycentric[y, x, 0], barycentric[y, x, 1]
            w2 = np.float32(1.0) - w0 - w1
            u = (w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]) * side_x
            v = (np.float32(1.0) - (w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1])) * side_y
            _sample(texture, u, v, sample)
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            for k in range(3):
                shown[count, k] = image[y, x, k]
                modelled[count, k] = sample[k] * (w0 * shading[a, k] + w1 * shading[b, k] + w2 * shading[c, k])
            trust[count] = sample[3]
            count += 1
    return count


def view_gain(person: Person, view: View, picture: Picture) -> Float[np.ndarray, "3"]:
    """The factor on the model's colours (gamma space) with which a rendered frame looks most like its picture.

    A robust mean of picture over model (reweighted as in `headcast.track.photometric`), with a belief that views are exposed alike.
    """
    assert person.texture is not None and person.gain_sigma is not None
    surface = person.tracked.surface
    stride = max(1, round((np.count_nonzero(view.face >= 0) / _PIXELS) ** 0.5))
    room = -(-view.face.shape[0] // stride) * -(-view.face.shape[1] // stride)
    shown, modelled, trust = np.empty((room, 3), np.float32), np.empty((room, 3), np.float32), np.empty(room, np.float32)
    count = _compared(
        stride, view.face, view.barycentric, picture.image, picture.matte * view.inner, surface.faces, surface.face_weight, surface.uv,
        view.shading, person.texture, shown, modelled, trust,
    )  # fmt: skip
    return robust_gain(shown[:count], modelled[:count], trust[:count], person.color_sigma, person.gain_sigma / GAMMA)


def robust_gain(
    shown: Float[np.ndarray, "pixels 3"],
    modelled: Float[np.ndarray, "pixels 3"],
    trust: Float[np.ndarray, "pixels"],
    sigma: float,
    gain_sigma: float,
) -> Float[np.ndarray, "3"]:
    """The factor from `modelled` to `shown` per channel.

    Args:
        sigma: Standard deviation of a pixel.
        gain_sigma: Of the factor's natural logarithm, before anything was seen.
    """
    belief = sigma**2 / (_EVIDENCE * gain_sigma**2)
    weight = trust[:, None]
    for outlier in (None, *_OUTLIERS):
        if outlier is not None:
            scaled = 1 + ((shown - gain * modelled) ** 2).mean(1) / (outlier * sigma) ** 2
            weight = (trust / scaled**2)[:, None]
        gain = ((weight * shown * modelled).sum(0) + belief) / ((weight * modelled**2).sum(0) + belief)
    return np.clip(gain, 0.25, 4.0)


def exposed_view(person: Person, state: FrameState, picture: Picture) -> View:
    """A rendered frame as its camera exposes it: `view_of` with the gain that the picture asks for."""
    view = view_of(person, state, picture.window)
    if person.texture is None or person.gain_sigma is None:
        return view
    return view.exposed(view_gain(person, view, picture))
