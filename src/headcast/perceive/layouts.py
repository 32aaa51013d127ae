"""Landmark layouts: which points networks find on a face, in what order, and what each means in terms of MediaPipe's 478."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from headcast.errors import ConfigError
from headcast.perceive.mesh import LANDMARK_COUNT
from headcast.perceive.topology import IRIS_CENTERS, mirrored

MEDIAPIPE = "mediapipe_478"
LAYOUT_NAMES = (MEDIAPIPE, "ibug_68", "ibug_70", "wflw_98", "insightface_106")
"""MediaPipe's; the 68 points of iBUG (Sagonas et al. 2013), also with the two irises; those of WFLW (Wu et al. 2018); InsightFace's 106."""

# MediaPipe's landmarks on the subject's right half, and what crosses the middle.
_JAW = (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152)
"""Outline of the face from beside the eye down to the chin."""
_BROW = (70, 63, 105, 66, 107)
"""Upper edge, from outside to inside."""
_BROW_BELOW = (53, 52, 65, 55)
_BRIDGE = (168, 6, 197, 195, 5, 4)
_NOSTRILS = (98, 97, 2, 326, 327)
_EYE_6 = (33, 160, 158, 133, 153, 144)
_EYE_8 = (33, 160, 159, 158, 133, 153, 145, 144)
"""From the outer corner along the upper lid, and back along the lower one."""
_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
"""Outer rim from the right corner over the upper lip, then the inner one."""
_NOSE_SIDE = (193, 198, 129)

# InsightFace's numbers of WFLW's points, in WFLW's order.
_INSIGHTFACE = (
    *(1, 9, 10, 11, 12, 13, 14, 15, 16, 2, 3, 4, 5, 6, 7, 8, 0, 24, 23, 22, 21, 20, 19, 18, 32, 31, 30, 29, 28, 27, 26, 25, 17),
    *(43, 48, 49, 51, 50, 46, 47, 45, 44),
    *(102, 103, 104, 105, 101, 100, 99, 98, 97),
    *(72, 73, 74, 86, 78, 79, 80, 85, 84),
    *(35, 41, 40, 42, 39, 37, 33, 36),
    *(89, 95, 94, 96, 93, 91, 87, 90),
    *(52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55, 65, 66, 62, 70, 69, 57, 60, 54),
    *(38, 88),
)
_INSIGHTFACE_VAGUE = ((75, 76, 77), (81, 82, 83), (34,), (92,))
"""Sides of the nose, and a second point in each eye: their definition is not published."""


@dataclass(frozen=True)
class Layout:
    """The points of one or several networks, one after another."""

    names: tuple[str, ...]
    kin: Int[ndarray, "landmarks"]
    """The MediaPipe landmark that each point is, or lies nearest to on the outline."""
    vague: Bool[ndarray, "landmarks"]
    """Points of which only roughly is known what they mean."""
    partner: Int[ndarray, "landmarks"] | None = None
    """Each point's counterpart on the other side of the face; None of MediaPipe's own (`topology.mirrored`) and of several layouts together."""
    even: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()
    """Runs of points that lie at equal steps along a path of MediaPipe's landmarks: (points, path)."""
    starts: tuple[int, ...] = (0,)
    """Where each network's points begin."""

    @property
    def count(self) -> int:
        return len(self.kin)

    def part(self, name: str) -> slice | None:
        """Where the points of one layout are among these; None where it is none of them."""
        if name not in self.names:
            return None
        place = self.names.index(name)
        return slice(self.starts[place], (*self.starts, self.count)[place + 1])

    def parts(self) -> list[slice]:
        """Where the points of each layout are."""
        return [slice(start, end) for start, end in zip(self.starts, (*self.starts[1:], self.count), strict=True)]


@cache
def layout_of(names: tuple[str, ...]) -> Layout:
    """The layouts of these names, one after another; raises `ConfigError` for names that are none, and for the same one twice."""
    if not names or set(names) - set(LAYOUT_NAMES) or len(set(names)) < len(names):
        raise ConfigError(f"expected different landmark layouts out of {', '.join(LAYOUT_NAMES)}, found {', '.join(map(repr, names)) or 'none'}")
    single = [_LAYOUTS[name]() for name in names]
    if len(single) == 1:
        return single[0]
    starts = np.cumsum([0, *(one.count for one in single[:-1])]).tolist()
    return Layout(
        names,
        np.concatenate([one.kin for one in single]),
        np.concatenate([one.vague for one in single]),
        None,
        tuple((tuple(start + k for k in run), path) for one, start in zip(single, starts, strict=True) for run, path in one.even),
        tuple(starts),
    )


def _mediapipe() -> Layout:
    return Layout((MEDIAPIPE,), np.arange(LANDMARK_COUNT), np.zeros(LANDMARK_COUNT, bool))


def _ibug(irises: Sequence[int]) -> Layout:
    eye = _other(_EYE_6)
    kin = [*_contour(9), *_BROW, *_other(_BROW)[::-1], *_bridge(), *_NOSTRILS, *_EYE_6, *(eye[k] for k in (3, 2, 1, 0, 5, 4)), *_LIPS, *irises]
    return _sparse("ibug_70" if irises else "ibug_68", kin, contour=9, bridge=27)


def _wflw() -> Layout:
    eye = _other(_EYE_8)
    kin = [
        *_contour(17),
        *(*_BROW, *_BROW_BELOW[::-1]),
        *(*_other(_BROW)[::-1], *_other(_BROW_BELOW)),
        *(*_bridge(), *_NOSTRILS),
        *(*_EYE_8, *(eye[k] for k in (4, 3, 2, 1, 0, 7, 6, 5))),
        *(*_LIPS, *IRIS_CENTERS),
    ]
    return _sparse("wflw_98", kin, contour=17, bridge=51)


def _insightface() -> Layout:
    known, order = _wflw(), np.array(_INSIGHTFACE)
    assert known.partner is not None
    kin, partner, vague = np.empty(106, np.int64), np.empty(106, np.int64), np.zeros(106, bool)
    kin[order], partner[order] = known.kin, order[known.partner]
    right, left, right_eye, left_eye = (list(points) for points in _INSIGHTFACE_VAGUE)
    for points, others, meant in ((right, left, _NOSE_SIDE), (left, right, _other(_NOSE_SIDE)), (right_eye, left_eye, IRIS_CENTERS[:1]),
                                  (left_eye, right_eye, IRIS_CENTERS[1:])):  # fmt: skip
        kin[points], partner[points], vague[points] = meant, others, True
    even = tuple((tuple(order[list(run)].tolist()), path) for run, path in known.even)
    return Layout(("insightface_106",), kin, vague, partner, even)


def _sparse(name: str, kin: list[int], contour: int, bridge: int) -> Layout:
    """A layout that begins with `contour` points on each side of the outline (the chin is on both)."""
    count, across = 2 * contour - 1, mirrored()
    place = {own: k for k, own in enumerate(kin) if k >= count}
    partner = [count - 1 - k for k in range(count)] + [
        place[int(across[own])] if k < bridge or k >= bridge + 4 else k for k, own in _rest(kin, count)
    ]
    right, left = tuple(range(contour)), tuple(range(count - 1, contour - 2, -1))
    even = ((right, _JAW), (left, tuple(_other(_JAW))), (tuple(range(bridge, bridge + 4)), _BRIDGE))
    return Layout((name,), np.array(kin, np.int64), np.zeros(len(kin), bool), np.array(partner, np.int64), even)


def _rest(kin: list[int], first: int) -> list[tuple[int, int]]:
    return list(enumerate(kin))[first:]


def _other(path: Sequence[int]) -> list[int]:
    """The same on the subject's left."""
    return mirrored()[list(path)].tolist()


def _contour(count: int) -> list[int]:
    """The landmarks nearest to `count` points on each side of the outline, from the right to the left."""
    right = [_JAW[round(k * (len(_JAW) - 1) / (count - 1))] for k in range(count)]
    return [*right, *_other(right)[-2::-1]]


def _bridge() -> list[int]:
    return [_BRIDGE[round(k * (len(_BRIDGE) - 1) / 3)] for k in range(4)]


_LAYOUTS = {
    MEDIAPIPE: _mediapipe,
    "ibug_68": lambda: _ibug(()),
    "ibug_70": lambda: _ibug(IRIS_CENTERS),
    "wflw_98": _wflw,
    "insightface_106": _insightface,
}
