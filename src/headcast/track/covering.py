"""What covers a face: regions of a picture that look otherwise than the person does, over more than a few pixels.

Single pixels that do not fit are given up by robust weights anyway. A hand differs from the cheek under it by less than that, but it does so, and to
the same side, all over a region. So what is asked here is by how much the mean of a place's surroundings differs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float

from headcast.threads import mapped
from headcast.track.evidence import residuals
from headcast.track.gain import exposed_view
from headcast.track.observation import Moment, Observation, Picture
from headcast.track.person import Person
from headcast.track.points import FrameState
from headcast.track.sequence import Moments
from headcast.track.sight import Sight, sights

_LEAST_SIDE_PX = 96
"""Pictures need not be finer than this: what covers a face is not small."""
_STRANGE = 0.035
"""Difference between picture and person (root mean square of the channels, gamma space) from which on a place is covered."""
_REACH = 0.02
"""Standard deviation of a place's surroundings, as a share of the picture's side."""
_KNOWN = 0.003
"""How sure the texture must be of a pixel."""
_LEAST_AROUND = 0.2
"""How much of a place's surroundings must be known."""
_LEAST_AREA = 0.01
"""Regions smaller than this share of the face's pixels are none."""


@dataclass(frozen=True)
class Covering:
    """What covers the face in one view."""

    mask: Bool[np.ndarray, "height width"]
    """At the resolution it was found in."""
    share: float
    """Of the pixels of the face that the view would show."""


Coverings = Mapping[tuple[int, int], Covering]
"""By frame and camera; views whose face is bare are left out."""


def covering_of(sight: Sight) -> Covering:
    """What covers the face in a view of a head in a known state."""
    levels = sight.observation.levels
    picture = next((level for level in reversed(levels) if min(level.window.size) >= _LEAST_SIDE_PX), levels[0])
    if sight.person.texture is None:
        return Covering(np.zeros(picture.window.size, bool), 0.0)
    strange, counted = _strangeness(sight, picture)
    face = float((counted > 0).sum())
    regions, labels, found, _ = cv2.connectedComponentsWithStats((strange > _STRANGE).astype(np.uint8))
    large = np.flatnonzero(found[:, cv2.CC_STAT_AREA] > _LEAST_AREA * face)
    mask = np.isin(labels, large[large > 0]) if regions > 1 else np.zeros(picture.window.size, bool)
    share = float((mask & (counted > 0)).sum()) / max(face, 1.0)
    reach = 2 * int(np.ceil(_REACH * max(picture.window.size))) + 1
    return Covering(cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0, share)


def _strangeness(sight: Sight, picture: Picture) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
    """Difference between picture and person in the mean of each pixel's surroundings, and 1 for pixels that count: plain skin.

    Edges that are a little out of place differ as much upwards as downwards: in the mean they hardly do.
    """
    view = exposed_view(sight.person, sight.state, picture)
    residual, certainty = residuals(sight.person, view, picture)
    # Where something often covers the skin, its texture is little trusted: that must not hide what covers it.
    counted = ((certainty > _KNOWN) * np.take(np.append(sight.person.tracked.surface.plain, 0), view.face)).astype(np.float32)
    if counted.any():  # another exposure changes the whole face alike, and covers nothing
        residual = residual - np.median(residual[counted > 0], axis=0)
    width = _REACH * max(picture.window.size)
    around = cv2.GaussianBlur(counted, (0, 0), width)
    mean = cv2.GaussianBlur((residual * counted[..., None]).astype(np.float32), (0, 0), width) / np.maximum(around, 1e-6)[..., None]
    return np.where(around > _LEAST_AROUND, np.sqrt((mean**2).mean(-1)), 0), counted


def find_coverings(person: Person, moments: Moments, states: Mapping[int, FrameState]) -> dict[tuple[int, int], Covering]:
    """What covers the face anywhere in a clip."""

    def seen(moment: Moment) -> list[tuple[int, int, Covering]]:
        own = sights(person, moment, states[moment.frame_idx])
        return [(moment.frame_idx, sight.observation.camera, covering_of(sight)) for sight in own]

    found = (one for views in mapped(seen, moments(None)) for one in views)
    return {(frame, camera): covering for frame, camera, covering in found if covering.mask.any()}


def bared(moments: Iterable[Moment], coverings: Coverings) -> Iterator[Moment]:
    """The moments without what covers the face: their mattes leave it out."""
    for moment in moments:
        yield replace(moment, views=tuple(_bare(view, coverings.get((view.frame_idx, view.camera))) for view in moment.views))


def _bare(view: Observation, covering: Covering | None) -> Observation:
    if covering is None:
        return view
    levels = []
    for picture in view.levels:
        mask = cv2.resize(covering.mask.astype(np.float32), picture.matte.shape[::-1], interpolation=cv2.INTER_LINEAR)
        levels.append(replace(picture, matte=(picture.matte * (1 - mask)).astype(np.float32)))
    return replace(view, levels=tuple(levels))
