"""A static head as something to fit: a surface or a cloud of points with whatever colours it has, in the unit and axes of its file."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from headcast.geometry import Similarity

_PLAIN = (0.72, 0.62, 0.56)
"""sRGB colour of what has none: clay, on which the landmark network sees a face."""


@dataclass(frozen=True)
class Scan:
    """A mesh, or with `faces` None a cloud. Colours are sRGB 0–1."""

    name: str
    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"] | None = None
    normals: Float[ndarray, "vertices 3"] | None = None
    """Of clouds that have them: unit; which side they point to does not matter."""
    colors: Float[ndarray, "vertices 3"] | None = None
    texture: UInt8[ndarray, "height width 3"] | None = None
    uv: Float[ndarray, "faces 3 2"] | None = None
    """Texture position of each face's corners, (0, 0) the lower left corner of the picture."""
    covariance: Float32[ndarray, "vertices 3 3"] | None = None
    """Of 3D Gaussians; None for points without an extent of their own."""
    opacity: Float32[ndarray, "vertices"] | None = None
    """Of 3D Gaussians, 0–1."""
    unit_m: float | None = None
    """Metres per unit where the format says."""
    notes: tuple[str, ...] = ()
    """What reading it found worth saying."""

    @property
    def is_mesh(self) -> bool:
        return self.faces is not None

    @property
    def coloured(self) -> bool:
        return self.colors is not None or self.texture is not None

    def moved(self, by: Similarity) -> "Scan":
        """The same scan elsewhere."""
        normals = None if self.normals is None else by.directions(self.normals)
        covariance = None if self.covariance is None else (by.scale**2 * by.rotation @ self.covariance @ by.rotation.T).astype(np.float32)
        return replace(self, vertices=by.points(self.vertices), normals=normals, covariance=covariance)

    def chosen(self, points: Bool[ndarray, "vertices"] | Int[ndarray, "chosen"]) -> "Scan":
        """Some points of a cloud."""
        assert self.faces is None

        def some(values: ndarray | None) -> ndarray | None:
            return None if values is None else values[points]

        return replace(
            self, vertices=self.vertices[points], normals=some(self.normals), colors=some(self.colors),
            covariance=some(self.covariance), opacity=some(self.opacity),
        )  # fmt: skip

    def without_colors(self) -> "Scan":
        """The same shape in clay."""
        return replace(self, colors=None, texture=None, uv=None)

    def with_texture_turned(self) -> "Scan":
        """The texture upside down: programs differ in which of its edges is v = 0."""
        assert self.texture is not None
        return replace(self, texture=np.ascontiguousarray(self.texture[::-1]))

    def color_at(self, faces: Int[ndarray, "n"], barycentric: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """sRGB 0–1 at places on a mesh; clay where it has no colours."""
        assert self.faces is not None
        if self.texture is not None and self.uv is not None:
            places = (self.uv[faces] * barycentric[..., None]).sum(1)
            return texture_at(self.texture, places)
        if self.colors is not None:
            return (self.colors[self.faces[faces]] * barycentric[..., None]).sum(1)
        return np.broadcast_to(_PLAIN, (len(faces), 3)).astype(np.float64)

    def color_of_points(self) -> Float[ndarray, "vertices 3"]:
        """sRGB 0–1 of a cloud's points; clay where it has no colours."""
        return np.broadcast_to(_PLAIN, self.vertices.shape).astype(np.float64) if self.colors is None else self.colors


def texture_at(texture: UInt8[ndarray, "height width 3"], uv: Float[ndarray, "n 2"]) -> Float[ndarray, "n 3"]:
    """Bilinear samples, 0–1; the picture is repeated beyond its edges, as mesh files mean it."""
    height, width = texture.shape[:2]
    x, y = (uv[:, 0] % 1.0) * width - 0.5, ((1 - uv[:, 1]) % 1.0) * height - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    across, down = (x - left)[:, None], (y - top)[:, None]
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    left, top = np.maximum(left, 0), np.maximum(top, 0)
    upper = texture[top, left] * (1 - across) + texture[top, right] * across
    lower = texture[below, left] * (1 - across) + texture[below, right] * across
    return (upper * (1 - down) + lower * down) / 255


@dataclass(frozen=True)
class Samples:
    """Points of a scan's surface, each with the direction that the surface faces there."""

    points: Float[ndarray, "n 3"]
    normals: Float[ndarray, "n 3"]
    rim: Bool[ndarray, "n"]
    """On a face at the edge of the surface: what is nearest to it may lie beyond."""

    def __getitem__(self, chosen: ndarray) -> "Samples":
        return Samples(self.points[chosen], self.normals[chosen], self.rim[chosen])

    def __len__(self) -> int:
        return len(self.points)

    def moved(self, by: Similarity) -> "Samples":
        return replace(self, points=by.points(self.points), normals=by.directions(self.normals))


def samples_of_mesh(scan: Scan, count: int, rng: np.random.Generator) -> Samples:
    """Points spread evenly over a mesh."""
    assert scan.faces is not None
    face, weights = places_on_mesh(scan.vertices, scan.faces, count, rng)
    corners = scan.vertices[scan.faces[face]]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    rim = rim_faces(scan.faces, scan.vertices)
    return Samples((corners * weights[..., None]).sum(1), cross / np.linalg.norm(cross, axis=1, keepdims=True), rim[face])


def places_on_mesh(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], count: int, rng: np.random.Generator
) -> tuple[Int[ndarray, "count"], Float[ndarray, "count 3"]]:
    """Faces and barycentric weights of places spread evenly over a mesh."""
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    face = rng.choice(len(area), count, p=area / area.sum())
    first, second = np.sqrt(rng.random(count)), rng.random(count)
    return face, np.stack([1 - first, first * (1 - second), first * second], 1)


def plane_normals(neighbourhoods: Float[ndarray, "n neighbours 3"]) -> Float[ndarray, "n 3"]:
    """Unit normals of the planes through points that lie together; to which side is left open."""
    spread = neighbourhoods - neighbourhoods.mean(1, keepdims=True)
    return np.linalg.eigh(spread.transpose(0, 2, 1) @ spread)[1][..., 0]


def rim_faces(faces: Int[ndarray, "faces 3"], vertices: Float[ndarray, "vertices 3"]) -> Bool[ndarray, "faces"]:
    """Faces with a corner on an edge of the surface. Vertices at one place count as one: seams of a texture are no edges."""
    _, same = np.unique(np.round(vertices / max(np.ptp(vertices), 1e-30) * 1e6).astype(np.int64), axis=0, return_inverse=True)
    welded = same.reshape(-1)[faces]
    edges = np.sort(np.concatenate([welded[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    on_rim = np.zeros(same.max() + 1, bool)
    on_rim[unique[counts == 1]] = True
    return on_rim[welded].any(1)
