"""Rows of teeth with gums, built along the helper arches of the base mesh (which has no teeth of its own).

A row is a grid: columns run along the arch, from the last molar on the subject's right to the one on the left; its lines run from the
gum over the outer surface and the biting edge to the inner surface.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class ToothSizes:
    """Textbook means for one side, from the central incisor to the second molar, in millimetres."""

    width: tuple[float, ...]
    height: tuple[float, ...]
    """Of the visible crown."""
    thickness: tuple[float, ...]
    """From the outer to the inner surface at the gum."""
    edge: tuple[float, ...]
    """The same at the biting edge."""
    setback: tuple[float, ...]
    """How far the outer surface lies behind the helper arch: the lower row closes behind the upper one."""


UPPER = ToothSizes(
    width=(8.5, 6.7, 7.7, 7.0, 6.8, 10.2, 9.6),
    height=(9.8, 8.6, 9.6, 8.0, 7.4, 6.8, 6.4),
    thickness=(6.0, 5.6, 7.0, 8.4, 8.6, 10.0, 9.8),
    edge=(1.4, 1.4, 2.4, 5.2, 5.6, 7.8, 7.6),
    setback=(0.6, 0.9, 0.5, 0.6, 0.6, 0.6, 0.6),
)
LOWER = ToothSizes(
    width=(5.4, 5.9, 6.8, 7.0, 7.1, 11.0, 10.4),
    height=(8.4, 8.6, 9.4, 8.0, 7.4, 6.8, 6.4),
    thickness=(5.4, 5.6, 6.8, 7.4, 7.8, 9.6, 9.4),
    edge=(1.3, 1.3, 2.2, 4.6, 5.2, 7.6, 7.4),
    setback=(2.8, 2.8, 2.4, 2.0, 1.8, 1.6, 1.6),
)
NARROWING = 0.88
"""Of the helper arches, which are wider than a real palate."""
OVERBITE_M = 0.0016
"""How far the lower incisors rise behind the edge of the upper ones."""
_COLUMNS = (0.0, 0.28, 0.72)
"""Columns of a tooth as fractions of its width; the next tooth's first column closes it."""
_LINES = 7


@dataclass(frozen=True)
class ToothRow:
    """One jaw's teeth and gum, in metres, in the axes and the place of the helper points that it was built on."""

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    uv: Float[np.ndarray, "vertices 2"]
    """A strip: 0–1 along the arch, 0–1 from the outer gum to the inner gum."""
    crown: Bool[np.ndarray, "vertices"]
    gum: Bool[np.ndarray, "vertices"]
    """The line where tooth and gum meet belongs to both."""
    mirror: Int[np.ndarray, "vertices"]


def tooth_row(helper: Float[np.ndarray, "points 3"], upper: bool) -> ToothRow:
    """The teeth of one jaw; `helper` is its helper arch, symmetric about x = 0."""
    sizes, up = (UPPER, 1.0) if upper else (LOWER, -1.0)
    arch = _Arch(helper, up)
    side, fraction, half_length = _columns(sizes.width)
    angle, outward = arch.at_lengths(side * arch.half_length / half_length)
    edge, gum = arch.edge(angle), arch.gum(angle)
    centres = np.cumsum(sizes.width) - np.array(sizes.width) / 2
    height, thickness, biting, setback = (
        np.interp(np.abs(side), centres, row) / 1000 for row in (sizes.height, sizes.thickness, sizes.edge, sizes.setback)
    )
    towards_gum = (gum - edge) / np.abs(gum[:, 1:2] - edge[:, 1:2])
    start = edge - outward * setback[:, None]
    if not upper:
        start[:, 1] += OVERBITE_M * np.cos(angle) ** 2
    belly = np.sin(np.pi * fraction) ** 0.8
    """0 between two teeth, about 1 in the middle of one."""
    lines = (
        (height + 0.0060, 0.0003 + 0 * belly),
        (height * (0.72 + 0.28 * belly), 0.0002 + 0.0003 * belly),
        (height * 0.5, 0.0013 * belly - 0.0007),
        (0.0007 * (1 - belly), 0.0003 * belly - 0.0011),
        (0.0007 * (1 - belly), 0.0003 * belly - 0.0011 - biting),
        (height * 0.75, -thickness + 0.0012 * (1 - belly)),
        (height + 0.0040, -thickness - 0.0008),
    )
    grid = np.stack([start + towards_gum * above[:, None] + outward * out[:, None] for above, out in lines], 1)
    count = len(side)
    mirror = (np.arange(count)[::-1, None] * _LINES + np.arange(_LINES)).ravel()
    vertices = grid.reshape(-1, 3)
    vertices = (vertices + vertices[mirror] * [-1, 1, 1]) / 2
    line = np.tile(np.arange(_LINES), count)
    uv = np.stack([np.repeat((side / half_length + 1) / 2, _LINES), line / (_LINES - 1)], -1)
    return ToothRow(vertices, _grid_faces(count, flipped=upper), uv, (line >= 1) & (line <= 5), (line <= 1) | (line >= 5), mirror)


def _columns(widths: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, float]:
    """Position (mm along the arch from the midline, subject's left positive) and fraction of its tooth (0–1) of every column."""
    ends = np.concatenate([[0], np.cumsum(widths)])
    left = [(start + share * (end - start), share) for start, end in pairwise(ends) for share in _COLUMNS] + [(ends[-1], 1.0)]
    position, fraction = np.array(left).T
    return np.concatenate([-position[:0:-1], position]), np.concatenate([1 - fraction[:0:-1], fraction]), ends[-1]


class _Arch:
    """Smooth curves through the biting edge and the gum line of a helper arch, by the angle around a point behind its middle."""

    def __init__(self, helper: np.ndarray, up: float):
        points = helper * [NARROWING, 1, 1]
        self._back = points[:, 2].min()
        angle, radius = np.arctan2(points[:, 0], points[:, 2] - self._back), np.hypot(points[:, 0], points[:, 2] - self._back)
        outermost = np.ones(len(points), bool)
        for _ in range(8):
            outermost = radius > _even(angle, _fit_even(angle[outermost], radius[outermost])) - 0.0025
        angle, radius, y = angle[outermost], radius[outermost], points[outermost, 1]
        above = up * (y - _even(angle, _fit_even(angle, y)))
        rows = above < -0.003, above > 0.003
        self._curves = [(_fit_even(angle[row], radius[row]), _fit_even(angle[row], y[row])) for row in rows]
        self._dense = np.linspace(-np.pi / 2, np.pi / 2, 2001)
        steps = np.linalg.norm(np.diff(self.edge(self._dense)[:, [0, 2]], axis=0), axis=1)
        length = np.concatenate([[0], np.cumsum(steps)])
        self._length = length - length[-1] / 2
        self.half_length = length[-1] / 2

    def edge(self, angle: np.ndarray) -> Float[np.ndarray, "n 3"]:
        return self._point(angle, *self._curves[0])

    def gum(self, angle: np.ndarray) -> Float[np.ndarray, "n 3"]:
        return self._point(angle, *self._curves[1])

    def at_lengths(self, length: np.ndarray) -> tuple[np.ndarray, Float[np.ndarray, "n 3"]]:
        """Angle and horizontal outward normal at distances along the biting edge from its middle."""
        angle = np.interp(length, self._length, self._dense)
        tangent = self.edge(angle + 1e-4) - self.edge(angle - 1e-4)
        normal = np.stack([-tangent[:, 2], np.zeros(len(angle)), tangent[:, 0]], -1)
        return angle, normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def _point(self, angle: np.ndarray, radius: np.ndarray, y: np.ndarray) -> np.ndarray:
        distance = _even(angle, radius)
        return np.stack([distance * np.sin(angle), _even(angle, y), distance * np.cos(angle) + self._back], -1)


def _fit_even(angle: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Coefficients of the best even polynomial of degree six, which makes the curve symmetric."""
    return np.linalg.lstsq(angle[:, None] ** [0, 2, 4, 6], value, rcond=None)[0]


def _even(angle: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return angle[:, None] ** [0, 2, 4, 6] @ coefficients


def _grid_faces(columns: int, flipped: bool) -> Int[np.ndarray, "faces 3"]:
    """Two triangles per cell, counter-clockwise seen from outside, with diagonals that mirror each other about the middle column."""
    faces = []
    for column in range(columns - 1):
        for line in range(_LINES - 1):
            a, b = column * _LINES + line, (column + 1) * _LINES + line
            c, d = b + 1, a + 1
            faces += [(a, b, c), (a, c, d)] if column < columns // 2 else [(a, b, d), (b, c, d)]
    result = np.array(faces)
    return result[:, ::-1] if flipped else result
