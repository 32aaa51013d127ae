"""The open head's mesh: skin, mouth and tongue of the base mesh, with our eyeballs and teeth; one function of a person's base mesh."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from open_head_build.eyes import CENTRE_SHIFT_M, RADIUS_M, Eyeball, eyeball, fitted_spheres, hugged
from open_head_build.source import PARTS, Source
from open_head_build.teeth import ToothRow, tooth_row

SIDES = ("L", "R")
JAWS = ("helper-upper-teeth", "helper-lower-teeth")


@dataclass(frozen=True)
class HeadMesh:
    """Which vertex is what. Vertices come as: kept base vertices, left eye, right eye, upper teeth, lower teeth."""

    source: Source
    kept: Int[np.ndarray, "kept"]
    """Indices of the base vertices that stay."""
    faces: Int[np.ndarray, "faces 3"]
    parts: dict[str, Bool[np.ndarray, "vertices"]]
    """The base mesh's parts by name, "left_eye", "right_eye", "upper_teeth", "lower_teeth", "crowns", "gums"."""
    mirror: Int[np.ndarray, "vertices"]
    eye: Eyeball
    tooth_rows: tuple[ToothRow, ToothRow]
    helper_mean: Float[np.ndarray, "source 3"]
    """The person whose helper arches the tooth rows were built on."""
    eye_radius_mean: float
    """Of the base mesh's eyeballs, for that person."""

    @property
    def vertex_count(self) -> int:
        return len(self.mirror)

    def of_people(self, base: Float[np.ndarray, "people source 3"]) -> Float[np.ndarray, "people vertices 3"]:
        """The mesh of people given by their base meshes."""
        skin = base[:, self.kept].copy()
        eyes = []
        for side, (centre, radius) in zip(SIDES, self.eyes_of_people(base)):
            socket = self._inner_socket(side)
            skin[:, socket] = hugged(skin[:, socket], centre, radius)
            unit = self.eye.vertices if side == "L" else self.eye.vertices * [-1, 1, 1]
            eyes.append(centre[:, None] + radius[:, None, None] * unit)
        teeth = [self._carried(row.vertices, base, helper) for row, helper in zip(self.tooth_rows, JAWS)]
        return np.concatenate([skin, *eyes, *teeth], 1)

    def eyes_of_people(self, base: Float[np.ndarray, "people source 3"]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Centre and radius (m) of each person's left and right eyeball."""
        result = []
        for side in SIDES:
            centre, radius = fitted_spheres(base[:, self.source.part(f"eye_front.{side}", f"eye_back.{side}")])
            size = radius / self.eye_radius_mean
            result.append((centre + size[:, None] * CENTRE_SHIFT_M, size * RADIUS_M))
        return result

    def _carried(self, row: np.ndarray, base: np.ndarray, helper: str) -> np.ndarray:
        """A tooth row moved by the affine map that takes the mean helper arch to each person's."""
        idx = self.source.helpers[helper]
        rest = np.concatenate([self.helper_mean[idx], np.ones((len(idx), 1))], 1)
        maps = np.einsum("ij,pjk->pik", np.linalg.pinv(rest), base[:, idx])
        return np.concatenate([row, np.ones((len(row), 1))], 1) @ maps

    def _inner_socket(self, side: str) -> Int[np.ndarray, "some"]:
        """Kept vertices of an eye socket that are not on the lid's edge."""
        inside = np.setdiff1d(self.source.part(f"eye_cavity.{side}"), self.source.part("head"))
        return np.searchsorted(self.kept, inside)


def head_mesh(source: Source, mean: Float[np.ndarray, "source 3"]) -> HeadMesh:
    """The mesh, with teeth and eyeballs made for the person `mean`, who must be symmetric."""
    kept = np.sort(source.part("head", "eye_cavity.L", "eye_cavity.R", "mouth_cavity", "tongue"))
    new_idx = np.full(len(source.template), -1)
    new_idx[kept] = np.arange(len(kept))
    skin_quads = np.isin(source.quad_parts, [idx for idx, name in enumerate(PARTS) if not name.startswith(("eye_front", "eye_back"))])
    ball, rows = eyeball(), (tooth_row(mean[source.helpers[JAWS[0]]], True), tooth_row(mean[source.helpers[JAWS[1]]], False))
    sizes = [len(kept), len(ball.vertices), len(ball.vertices), len(rows[0].vertices), len(rows[1].vertices)]
    start = np.concatenate([[0], np.cumsum(sizes)])
    faces = [
        new_idx[triangulated(source.quads[skin_quads], source.quads[skin_quads], mean)],
        ball.faces + start[1],
        ball.faces[:, ::-1] + start[2],
        rows[0].faces + start[3],
        rows[1].faces + start[4],
    ]
    mirror = [new_idx[source.mirror[kept]], np.arange(sizes[1]) + start[2], np.arange(sizes[1]) + start[1]]
    mirror += [row.mirror + begin for row, begin in zip(rows, start[3:])]
    eye_radius = fitted_spheres(mean[None, source.part("eye_front.L", "eye_back.L")])[1]
    return HeadMesh(
        source=source,
        kept=kept,
        faces=np.concatenate(faces),
        parts=_parts(source, kept, start, rows),
        mirror=np.concatenate(mirror),
        eye=ball,
        tooth_rows=rows,
        helper_mean=mean,
        eye_radius_mean=float(eye_radius[0]),
    )


def triangulated(
    values: Int[np.ndarray, "faces 4"], quads: Int[np.ndarray, "faces 4"], positions: Float[np.ndarray, "vertices 3"]
) -> Int[np.ndarray, "triangles 3"]:
    """`values` (vertices or texture vertices) of the quads' corners, split along each quad's shorter diagonal, first halves first."""
    corner = positions[quads]
    first, second = (np.linalg.norm(corner[:, a] - corner[:, b], axis=1).round(9) for a, b in ((0, 2), (1, 3)))
    along_first = (first <= second)[:, None]
    return np.concatenate(
        [np.where(along_first, values[:, [0, 1, 2]], values[:, [0, 1, 3]]), np.where(along_first, values[:, [0, 2, 3]], values[:, [1, 2, 3]])]
    )


def _parts(source: Source, kept: np.ndarray, start: np.ndarray, rows: tuple[ToothRow, ToothRow]) -> dict[str, np.ndarray]:
    count = start[-1]
    parts = {}
    for name in PARTS:
        if not name.startswith(("eye_front", "eye_back")):
            parts[name] = np.isin(np.arange(count), np.searchsorted(kept, source.part(name)))
    for idx, name in enumerate(("left_eye", "right_eye", "upper_teeth", "lower_teeth"), start=1):
        parts[name] = (np.arange(count) >= start[idx]) & (np.arange(count) < start[idx + 1])
    parts["crowns"], parts["gums"] = np.zeros(count, bool), np.zeros(count, bool)
    for row, begin in zip(rows, start[3:]):
        parts["crowns"][begin : begin + len(row.crown)] = row.crown
        parts["gums"][begin : begin + len(row.gum)] = row.gum
    return parts
