"""How well a solved frame agrees with what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from headcast.compiled import compiled
from headcast.track.covering import covering_of
from headcast.track.frame import landmark_residuals
from headcast.track.gain import view_gain
from headcast.track.observation import Moment, Observation
from headcast.track.person import Person
from headcast.track.photometric import GAMMA, _sample
from headcast.track.points import FrameState
from headcast.track.sight import Sight, sights
from headcast.track.view import View, view_of


@dataclass(frozen=True)
class FrameQuality:
    """Agreement of one frame."""

    landmark_error_px: float
    """Mean distance of projected and detected landmarks, source pixels."""
    psnr_db: float
    """Inside the face: every visible face pixel that the matte gives to the person, sRGB, none left out as an outlier."""
    silhouette_iou: float
    """Of rendered head and matte, above the chin."""
    covered: tuple[float, ...] = ()
    """Share of the face that something covers, in each camera of the rig; 0 where a camera does not see the face."""
    gains: Mapping[int, Float[np.ndarray, "3"]] = field(default_factory=dict)
    """Gain of each camera's view (linear) that the comparison was made with, where gains are solved."""

    @property
    def numbers(self) -> dict[str, float]:
        """What a curve can show."""
        return {"landmark_error_px": self.landmark_error_px, "psnr_db": self.psnr_db, "silhouette_iou": self.silhouette_iou}


@compiled(fastmath=True)
def _srgb(gamma_value):
    linear = min(max(gamma_value, np.float32(0.0)), np.float32(1.0)) ** np.float32(GAMMA)
    if linear <= np.float32(0.0031308):
        return np.float32(12.92) * linear
    return np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055)


@compiled("i4[:,::1], f4[:,:,::1], f4[:,:,::1], f4[:,::1], i4[:,::1], f4[::1], f4[:,:,::1], f4[:,::1], f4[:,:,::1]", fastmath=True)
def _srgb_error(face_buffer, barycentric, image, matte, faces, face_weight, uv, shading, texture):
    height, width = face_buffer.shape
    side_y, side_x = texture.shape[0], texture.shape[1]
    total, count = 0.0, 0
    sample = np.empty(4, np.float32)
    for y in range(height):
        for x in range(width):
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
                shade = w0 * shading[a, k] + w1 * shading[b, k] + w2 * shading[c, k]
                error = _srgb(image[y, x, k]) - _srgb(sample[k] * shade)
                total += error * error
            count += 3
    return total, count


def measure_frame(person: Person, moment: Moment, state: FrameState, coverings: bool = False) -> FrameQuality:
    """Quality of a frame at tracking resolution, the mean of its views; PSNR is 0 where there is no texture or no face pixel.

    Args:
        coverings: Whether to look for what covers the face.
    """
    seen = list(sights(person, moment, state))
    views = [_measure_view(sight) for sight in seen]
    covered = np.zeros(person.rig.camera_count)
    for sight in seen if coverings else ():
        covered[sight.observation.camera] = covering_of(sight).share
    shown = [view.psnr_db for view in views if view.psnr_db > 0]
    return FrameQuality(
        float(np.mean([view.landmark_error_px for view in views])),
        float(np.mean(shown)) if shown else 0.0,
        float(np.mean([view.silhouette_iou for view in views])),
        tuple(covered.tolist()),
        {camera: gain for view in views for camera, gain in view.gains.items()},
    )


def _measure_view(sight: Sight) -> FrameQuality:
    person, observation = sight.person, sight.observation
    residual = landmark_residuals(person, sight.state, observation)
    picture = observation.levels[0]
    view = view_of(person, sight.state, picture.window)
    psnr, gains = 0.0, {}
    if person.texture is not None and person.gain_sigma is not None:
        gain = view_gain(person, view, picture)
        view, gains = view.exposed(gain), {person.camera: gain**GAMMA}
    if person.texture is not None:
        surface = person.tracked.surface
        error, count = _srgb_error(
            view.face, view.barycentric, picture.image, picture.matte, surface.faces, surface.measured, surface.uv, view.shading, person.texture
        )
        psnr = float(-10 * np.log10(max(error / count, 1e-10))) if count > 0 else 0.0
    overlap = silhouette_iou(view, picture.matte, observation, person.tracked.marks.chin)
    return FrameQuality(float(np.linalg.norm(residual, axis=1).mean()), psnr, overlap, gains=gains)


def silhouette_iou(view: View, matte: np.ndarray, observation: Observation, chin: int) -> float:
    """Intersection over union of the rendered head and the matte in the rows above the chin, the landmark of that number."""
    lowest = observation.levels[0].window.from_source(observation.landmarks[chin])[1]
    rows = int(np.clip(lowest, 0, matte.shape[0]))
    head, person = view.face[:rows] >= 0, matte[:rows] > 0.5
    union = np.count_nonzero(head | person)
    return np.count_nonzero(head & person) / union if union else 0.0
