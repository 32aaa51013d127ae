"""What the tracker knows of the landmarks that a capture holds: how noisy each is, which are lids, lips, irises and corners of the eyes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from headcast.errors import ConfigError
from headcast.perceive import MEDIAPIPE, Layout, layout_of
from headcast.perceive.topology import CHIN, FOREHEAD, MESH_COUNT

# MediaPipe's numbering: upper and lower point of pairs along the inner lips and along both eyelids.
_LIPS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318))
_RIGHT_LIDS = ((159, 145), (158, 153), (160, 144), (157, 154), (161, 163))
_LEFT_LIDS = ((386, 374), (385, 380), (387, 373), (384, 381), (388, 390))
_PAIRS = (*_LIPS, *_RIGHT_LIDS, *_LEFT_LIDS)
_EYELID_PAIRS = {"eyeBlinkLeft": np.array(_LEFT_LIDS), "eyeBlinkRight": np.array(_RIGHT_LIDS)}
"""Upper and lower landmarks of the lids that each blink moves."""
_IRISES = ((468, 33, 133), (473, 362, 263))
RELATIVE = np.array([*((upper, lower, lower) for upper, lower in _PAIRS), *_IRISES])
"""Landmarks that are known better against others than by themselves, each with the two whose middle it is measured from: openings of lips and
eyelids, irises between the corners of the eyes."""
_RELATIVE_NOISE = np.repeat([2.5, 1.0, 3.0], [len(_LIPS), len(_RIGHT_LIDS) + len(_LEFT_LIDS), len(_IRISES)])
"""Noise of each, in units of `Sigmas.relative`. Lips that are rolled in or pressed are seen open, and irises are off by the same all clip long; only
the lids of a blink are seen better than colours can."""
OUTER_EYE_CORNERS = (33, 263)
_OVAL_LEFT = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377)
_OVAL_RIGHT = (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
FACE_OVAL = np.array([*_OVAL_LEFT, *_OVAL_RIGHT])
_EYELIDS = (
    *(33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    *(263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
_LIP_EDGES = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
)
_TIMES_NOISE = (
    (range(468), 2.0),
    (FACE_OVAL, 3.0),
    (_LIP_EDGES, 1.0),
    (_EYELIDS, 0.5),
    (range(468, 478), 0.35),
)
"""How far MediaPipe puts each part of a face off, in units of `Sigmas.landmark`; later entries win. It sees edges: rims of eyes, irises and lips.
Brows, nose, cheeks and the oval are guessed from those. In the proportions found on six rendered people: 1.7 % of the distance of the outer eye
corners on eyelids, 1 % on irises, 3 % on lips, 4 % on brows and nose, 7 % on the oval. Other networks are taken to be as good."""
_VAGUE_NOISE = 6.0
"""The same for points of which only roughly is known what they mean."""
_FOREHEAD_ABOVE = 0.41
"""How far the top of the forehead lies above the eyes, as a share of the way from the chin to the eyes: the mean head's."""


def _detector_noise() -> Float[np.ndarray, "478"]:
    noise = np.empty(478)
    for part, times in _TIMES_NOISE:
        noise[np.array(part)] = times
    return noise


@dataclass(frozen=True)
class Marks:
    """The landmarks of a capture, by what they mean."""

    layout: Layout
    noise: Float[np.ndarray, "landmarks"]
    """Of each, in units of `Sigmas.landmark`."""
    relative: Int[np.ndarray, "differences 3"]
    """`RELATIVE` among these landmarks, of each layout what it has."""
    relative_noise: Float[np.ndarray, "differences"]
    """In units of `Sigmas.relative`."""
    eyelids: Mapping[str, Int[np.ndarray, "pairs 2"]]
    """Upper and lower landmarks of the lids that each blink moves."""
    eyes: tuple[int, int]
    """Outer corner of the subject's right and left eye."""
    chin: int
    forehead: int | None
    """Its top, where a layout reaches so far."""
    rigid: slice | Int[np.ndarray, "rigid"]
    """Those of the first layout that do not move with the gaze."""

    @classmethod
    def of(cls, names: tuple[str, ...]) -> "Marks":
        """Of captures with these layouts (`headcast.perceive.LAYOUT_NAMES`)."""
        layout = layout_of(names)
        noise = np.where(layout.vague, _VAGUE_NOISE, _detector_noise()[layout.kin])
        places = [_places(layout, part) for part in layout.parts()]
        first = places[0]
        relative = [_found(place, RELATIVE) for place in places]
        kept = [_known(place, RELATIVE) for place in places]
        return cls(
            layout=layout,
            noise=noise,
            relative=np.concatenate(relative),
            relative_noise=np.concatenate([_RELATIVE_NOISE[known] for known in kept]),
            eyelids={blink: np.concatenate([_found(place, pairs) for place in places]) for blink, pairs in _EYELID_PAIRS.items()},
            eyes=(first[OUTER_EYE_CORNERS[0]], first[OUTER_EYE_CORNERS[1]]),
            chin=first[CHIN],
            forehead=next((place[FOREHEAD] for place in places if FOREHEAD in place), None),
            rigid=slice(0, MESH_COUNT) if names == (MEDIAPIPE,) else np.flatnonzero(layout.kin[layout.parts()[0]] < MESH_COUNT),
        )

    def outline(self, points: Float[np.ndarray, "*frames landmarks 2"]) -> Float[np.ndarray, "*frames outlined 2"]:
        """The landmarks, and where none of them is the top of the forehead, where it should be: what a window must hold."""
        if self.forehead is not None:
            return points
        eyes = points[..., list(self.eyes), :].mean(-2)
        above = eyes + _FOREHEAD_ABOVE * (eyes - points[..., self.chin, :])
        return np.concatenate([points, above[..., None, :]], -2)

    def of_mediapipe(self, values: Float[np.ndarray, "landmarks 3"]) -> Float[np.ndarray, "478 3"]:
        """What belongs to MediaPipe's landmarks; zeros where the capture has none of them."""
        part = self.layout.part(MEDIAPIPE)
        return np.zeros((478, 3), values.dtype) if part is None else values[part]

    def from_mediapipe(self, values: Float[np.ndarray, "478 3"]) -> Float[np.ndarray, "landmarks 3"]:
        """Of all landmarks: what is known of MediaPipe's, zeros elsewhere; raises `ConfigError` where the capture has none of them."""
        part = self.layout.part(MEDIAPIPE)
        if part is None:
            found = ", ".join(self.layout.names)
            raise ConfigError(f"expected a capture with MediaPipe's landmarks, whose landmark_offsets were given, found one with {found}")
        whole = np.zeros((self.layout.count, 3), values.dtype)
        whole[part] = values
        return whole


def _places(layout: Layout, part: slice) -> dict[int, int]:
    """Where each of MediaPipe's landmarks is among the points of one layout. Lids, lips, irises and corners are there once."""
    return {int(own): k for k, own in enumerate(layout.kin[part], part.start) if not layout.vague[k]}


def _known(places: Mapping[int, int], groups: Int[np.ndarray, "groups members"]) -> Bool[np.ndarray, "groups"]:
    """Which groups of MediaPipe's landmarks a layout has all of."""
    return np.isin(groups, list(places)).all(1)


def _found(places: Mapping[int, int], groups: Int[np.ndarray, "groups members"]) -> Int[np.ndarray, "found members"]:
    """Those groups, by the layout's own numbers."""
    there = groups[_known(places, groups)]
    return np.array([places[int(own)] for own in there.ravel()], np.int64).reshape(there.shape)
